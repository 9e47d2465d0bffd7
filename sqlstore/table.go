package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goanymail/anymail"
)

// Dialect is the kind of database.
type Dialect int

// The dialects.
const (
	// Postgres is PostgreSQL 9.5 or later.
	Postgres Dialect = iota + 1
	// SQLite is SQLite 3.35 or later. Open it with a busy timeout, such as
	// _pragma=busy_timeout(5000), and in WAL mode.
	SQLite
)

// words returns pairs of a placeholder and its SQL in the dialect. Times are by
// the database's clock, so that the clocks of the processes may differ.
func (d Dialect) words() []string {
	if d == Postgres {
		return []string{
			"{now}", "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
			"{bigint}", "bigint",
			"{without rowid}", "",
			"{skip locked}", "FOR UPDATE SKIP LOCKED",
		}
	}
	return []string{
		"{now}", "CAST((julianday('now') - 2440587.5) * 86400000 AS integer)",
		"{bigint}", "integer",
		"{without rowid}", "WITHOUT ROWID",
		"{skip locked}", "",
	}
}

// table is a table of this package in a database.
type table struct {
	db      *sql.DB
	dialect Dialect
	name    string
}

// check returns [anymail.ErrConfig] for what a caller got wrong.
func (t table) check(caller string) error {
	var errs []error
	if t.db == nil {
		errs = append(errs, anymail.Misconfigured(caller, "db must not be nil"))
	}
	if t.dialect != Postgres && t.dialect != SQLite {
		errs = append(errs, anymail.Misconfigured(caller, "dialect must be Postgres or SQLite"))
	}
	return errors.Join(errs...)
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)

func checkName(caller, name string) error {
	if !identifier.MatchString(name) {
		return anymail.Misconfigured(caller, "the table must be an identifier, or schema.identifier, of ASCII letters, digits and underscores")
	}
	return nil
}

func (t table) migrate(ctx context.Context, schema string) error {
	for try := 0; ; try++ {
		_, err := t.db.ExecContext(ctx, schema)
		if err == nil {
			return nil
		}
		// PostgreSQL fails if two processes create the same table at once.
		if try == 3 || ctx.Err() != nil {
			return fmt.Errorf("sqlstore: migrate: %w", err)
		}
	}
}

func (t table) sql(text string) string {
	return strings.NewReplacer(append(t.dialect.words(), "{table}", t.name)...).Replace(text)
}

// maxParameters is how many values a statement gets for a list. Older versions of
// SQLite allow 999 parameters at most.
const maxParameters = 900

// placeholders appends values to the arguments of a statement, and returns the list
// of their placeholders, such as ($3, $4).
func placeholders[T any](args *[]any, values []T) string {
	list := make([]string, len(values))
	for i, value := range values {
		*args = append(*args, value)
		list[i] = fmt.Sprintf("$%d", len(*args))
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// maxText is the longest text that is stored unchanged. PostgreSQL's index accepts
// about 2700 bytes for receiver and key together.
const maxText = 512

// encodeText returns s, or a digest of it if a database would not accept s.
func encodeText(s string) string {
	if len(s) <= maxText && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}
