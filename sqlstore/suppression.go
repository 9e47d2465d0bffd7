package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goanymail/anymail/suppress"
)

// DefaultSuppressionTable is the name of the table of a [SuppressionStore].
const DefaultSuppressionTable = "anymail_suppression"

// SuppressionStore is a [suppress.Store] in a database table, for several processes.
// Use [NewSuppressionStore].
type SuppressionStore struct{ table }

var _ suppress.Store = (*SuppressionStore)(nil)

// NewSuppressionStore returns a store in a table of db, whose name may have a schema;
// "" is [DefaultSuppressionTable]. It returns [anymail.ErrConfig] if an argument is
// invalid. The caller closes db.
func NewSuppressionStore(db *sql.DB, dialect Dialect, name string) (*SuppressionStore, error) {
	const caller = "sqlstore.NewSuppressionStore"
	s := &SuppressionStore{table{db, dialect, cmp.Or(name, DefaultSuppressionTable)}}
	if err := errors.Join(s.check(caller), checkName(caller, s.name)); err != nil {
		return nil, err
	}
	return s, nil
}

// Migrate creates the table if it is missing. Schema returns the same SQL for
// other migration tools.
func (s *SuppressionStore) Migrate(ctx context.Context) error { return s.migrate(ctx, s.Schema()) }

// Schema returns the SQL that creates the table. A row is a [suppress.Record]; at is
// in milliseconds since 1970.
func (s *SuppressionStore) Schema() string {
	return s.sql(`CREATE TABLE IF NOT EXISTS {table} (
	address text NOT NULL,
	reason  text NOT NULL,
	day     integer NOT NULL,
	listed  boolean NOT NULL,
	at      {bigint} NOT NULL,
	esp     text NOT NULL,
	PRIMARY KEY (address, reason, day)
) {without rowid};
`)
}

// Put implements [suppress.Store], with one statement for 150 records.
func (s *SuppressionStore) Put(ctx context.Context, records []suppress.Record) error {
	// All processes use the same order, so that no two deadlock.
	records = slices.SortedFunc(slices.Values(records), func(a, b suppress.Record) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Day, b.Day))
	})
	const columns = 6
	for chunk := range slices.Chunk(records, maxParameters/columns) {
		var args []any
		rows := make([]string, len(chunk))
		for i, r := range chunk {
			rows[i] = placeholders(&args, []any{r.Address, string(r.Reason), r.Day, r.Listed, r.Time.UnixMilli(), r.ESP})
		}
		if _, err := s.db.ExecContext(ctx, s.sql(`INSERT INTO {table} AS t (address, reason, day, listed, at, esp) VALUES `+strings.Join(rows, ", ")+`
ON CONFLICT (address, reason, day) DO UPDATE SET listed = excluded.listed, at = excluded.at, esp = excluded.esp
WHERE excluded.at > t.at OR excluded.at = t.at AND excluded.listed AND NOT t.listed`), args...); err != nil {
			return fmt.Errorf("sqlstore: put: %w", err)
		}
	}
	return nil
}

// Get implements [suppress.Store], with one statement for 900 addresses.
func (s *SuppressionStore) Get(ctx context.Context, addresses []string) ([]suppress.Record, error) {
	var records []suppress.Record
	for chunk := range slices.Chunk(addresses, maxParameters) {
		var err error
		if records, err = s.appendRecords(ctx, records, chunk); err != nil {
			return nil, fmt.Errorf("sqlstore: get: %w", err)
		}
	}
	return records, nil
}

func (s *SuppressionStore) appendRecords(ctx context.Context, records []suppress.Record, addresses []string) ([]suppress.Record, error) {
	var args []any
	list := placeholders(&args, addresses)
	rows, err := s.db.QueryContext(ctx, s.sql(`SELECT address, reason, day, listed, at, esp FROM {table} WHERE address IN `+list), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r suppress.Record
		var at int64
		if err := rows.Scan(&r.Address, &r.Reason, &r.Day, &r.Listed, &at, &r.ESP); err != nil {
			return nil, err
		}
		r.Time = time.UnixMilli(at).UTC()
		records = append(records, r)
	}
	return records, rows.Err()
}
