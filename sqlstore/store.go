// Package sqlstore remembers in a PostgreSQL or SQLite table which receiver has
// done which event, so that redeliveries do nothing, also after a restart and
// for several processes on one database:
//
//	store, err := sqlstore.New(db, sqlstore.Postgres)
//	// ...
//	err = store.Migrate(ctx)
//	// ...
//	d, err := anymail.New(anymail.WithIdempotencyStore(store))
//
// It works on database/sql with any driver whose placeholders are $1, $2, ...:
// those of pgx and pq, and modernc.org/sqlite and mattn/go-sqlite3.
//
// A claim is a lease. If the process dies between a receiver's work and the
// mark that it is done, the event is refused as busy until the lease ends, and
// a redelivery after that runs the receiver once more: at most twice, never not
// at all. Receivers that must not even do that belong behind package durable,
// whose Tx commits their work and the mark together.
package sqlstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
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

// words replaces in a statement what the databases write differently. Times
// are by the database's clock, so that those of the processes may differ.
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

// Defaults for what options set.
const (
	// DefaultLease is how long a claim holds. It is longer than a request may
	// take by default.
	DefaultLease = 5 * time.Minute
	// DefaultRetention is how long it is remembered that an event is done. No
	// ESP goes on redelivering one for longer.
	DefaultRetention = 7 * 24 * time.Hour
	// DefaultTable is the table's name.
	DefaultTable = "anymail_idempotency"
)

// Option changes a setting of a [Store].
type Option func(*Store) error

// WithLease sets how long a claim holds if it is not finished, because its
// process died; [DefaultLease] by default, a second at least. It must be longer
// than receivers ever take, or they may be run twice at once.
func WithLease(d time.Duration) Option {
	return func(s *Store) error {
		if d < time.Second {
			return fmt.Errorf("lease %v is less than a second", d)
		}
		s.lease = d
		return nil
	}
}

// WithRetention sets how long it is remembered that an event is done;
// [DefaultRetention] by default. Older rows are removed by and by as new ones
// come.
func WithRetention(d time.Duration) Option {
	return func(s *Store) error {
		if d <= 0 {
			return fmt.Errorf("retention %v is not positive", d)
		}
		s.retention = d
		return nil
	}
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)

// WithTable sets the table's name, which may have a schema before it;
// [DefaultTable] by default.
func WithTable(name string) Option {
	return func(s *Store) error {
		if !identifier.MatchString(name) {
			return fmt.Errorf("table name %q is not a plain identifier", name)
		}
		s.table = name
		return nil
	}
}

// Store is an [anymail.IdempotencyStore] in a table. Use [New].
type Store struct {
	db        *sql.DB
	dialect   Dialect
	lease     time.Duration
	retention time.Duration
	table     string

	mu sync.Mutex
	// owners are the tokens of the claims that this process holds, the oldest
	// first. There is more than one where a claim ran out and was given again.
	owners map[pair][]string
	grown  int // rows added since rows were last removed
}

type pair struct{ receiver, key string }

var _ anymail.IdempotencyStore = (*Store)(nil)

// New returns a store on db. It returns an error that is [anymail.ErrConfig]
// where an option does not make sense. Closing db is up to the caller.
func New(db *sql.DB, dialect Dialect, options ...Option) (*Store, error) {
	s := &Store{
		db:        db,
		dialect:   dialect,
		lease:     DefaultLease,
		retention: DefaultRetention,
		table:     DefaultTable,
		owners:    map[pair][]string{},
	}
	var errs []error
	if db == nil || dialect != Postgres && dialect != SQLite {
		errs = append(errs, errors.New("a database and its dialect are needed"))
	}
	for _, option := range options {
		errs = append(errs, option(s))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("sqlstore: %w: %w", anymail.ErrConfig, err)
	}
	return s, nil
}

// Migrate makes the table where it is missing. Schema has the same for those
// who change their databases otherwise.
func (s *Store) Migrate(ctx context.Context) error {
	for try := 0; ; try++ {
		_, err := s.db.ExecContext(ctx, s.Schema())
		if err == nil {
			return nil
		}
		// PostgreSQL fails where two processes make the same table at once.
		if try == 3 || ctx.Err() != nil {
			return fmt.Errorf("sqlstore: migrate: %w", err)
		}
	}
}

// Schema returns the SQL that makes the table.
//
// A row without done_at is a claim of owner that holds until expires_at. A row
// with done_at is an event that is done and is remembered until expires_at.
// Times are milliseconds since 1970.
func (s *Store) Schema() string {
	index := strings.ReplaceAll(s.table, ".", "_") + "_expires_at"
	return s.sql(`CREATE TABLE IF NOT EXISTS {table} (
	receiver   text NOT NULL,
	event_key  text NOT NULL,
	owner      text NOT NULL,
	expires_at {bigint} NOT NULL,
	done_at    {bigint},
	PRIMARY KEY (receiver, event_key)
) {without rowid};
CREATE INDEX IF NOT EXISTS ` + index + ` ON {table} (expires_at);
`)
}

func (s *Store) sql(text string) string {
	return strings.NewReplacer(append(s.dialect.words(), "{table}", s.table)...).Replace(text)
}

// maxKeys is how many keys one statement claims; SQLite once allowed no more
// than 999 parameters.
const maxKeys = 900

// Claim implements [anymail.IdempotencyStore]: one statement for up to 900
// keys.
func (s *Store) Claim(ctx context.Context, receiver string, keys []string) ([]anymail.Claim, error) {
	receiver = storable(receiver)
	// In one order for everybody, so that no two wait for each other's rows.
	distinct := make([]string, len(keys))
	for i, key := range keys {
		distinct[i] = storable(key)
	}
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)

	owner := rand.Text()
	claims := make(map[string]anymail.Claim, len(distinct))
	for chunk := range slices.Chunk(distinct, maxKeys) {
		if err := s.claim(ctx, receiver, owner, chunk, claims); err != nil {
			s.release(ctx, receiver, owner, distinct)
			return nil, fmt.Errorf("sqlstore: claim: %w", err)
		}
	}
	granted := s.hold(receiver, owner, claims)

	result := make([]anymail.Claim, len(keys))
	for i, key := range keys {
		key = storable(key)
		result[i] = claims[key]
		if claims[key] == anymail.ClaimGranted {
			claims[key] = anymail.ClaimBusy // granted once
		}
	}
	s.tidy(ctx, granted)
	return result, nil
}

// claim takes each key that is new, or whose row has expired. What it cannot
// take it leaves as it is, but returns it, to tell done from busy in the same
// round trip.
func (s *Store) claim(ctx context.Context, receiver, owner string, keys []string, claims map[string]anymail.Claim) error {
	var values strings.Builder
	args := []any{receiver, owner, s.lease.Milliseconds()}
	for i, key := range keys {
		if i > 0 {
			values.WriteString(", ")
		}
		args = append(args, key)
		fmt.Fprintf(&values, "($1, $%d, $2, {now} + $3)", len(args))
	}
	rows, err := s.db.QueryContext(ctx, s.sql(`INSERT INTO {table} AS t (receiver, event_key, owner, expires_at) VALUES `+values.String()+`
ON CONFLICT (receiver, event_key) DO UPDATE SET
	owner      = CASE WHEN t.expires_at <= {now} THEN excluded.owner ELSE t.owner END,
	done_at    = CASE WHEN t.expires_at <= {now} THEN NULL ELSE t.done_at END,
	expires_at = CASE WHEN t.expires_at <= {now} THEN excluded.expires_at ELSE t.expires_at END
RETURNING event_key, owner, done_at IS NOT NULL`), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key, holder string
		var done bool
		if err := rows.Scan(&key, &holder, &done); err != nil {
			return err
		}
		switch {
		case holder == owner:
			claims[key] = anymail.ClaimGranted
		case done:
			claims[key] = anymail.ClaimDone
		default:
			claims[key] = anymail.ClaimBusy
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, key := range keys {
		if _, ok := claims[key]; !ok {
			return fmt.Errorf("the database did not answer for key %q", key)
		}
	}
	return nil
}

// hold remembers the token of the claims that were granted.
func (s *Store) hold(receiver, owner string, claims map[string]anymail.Claim) (granted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, claim := range claims {
		if claim == anymail.ClaimGranted {
			p := pair{receiver, key}
			s.owners[p] = append(s.owners[p], owner)
			granted++
		}
	}
	return granted
}

// letGo returns the oldest token that this process has for p. If that one had
// run out and another request here holds a newer one, whoever comes first gets
// the old one, with which nothing can be freed that is not its own.
func (s *Store) letGo(p pair) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	tokens := s.owners[p]
	if len(tokens) == 0 {
		return ""
	}
	if len(tokens) == 1 {
		delete(s.owners, p)
	} else {
		s.owners[p] = tokens[1:]
	}
	return tokens[0]
}

// Finish implements [anymail.IdempotencyStore]. What is done is marked even
// where the claim has run out meanwhile; only the claim's own holder frees it.
func (s *Store) Finish(ctx context.Context, receiver, key string, done bool) error {
	receiver, key = storable(receiver), storable(key)
	owner := s.letGo(pair{receiver, key})
	var err error
	if done {
		_, err = s.db.ExecContext(ctx, s.sql(`INSERT INTO {table} AS t (receiver, event_key, owner, expires_at, done_at) VALUES ($1, $2, $3, {now} + $4, {now})
ON CONFLICT (receiver, event_key) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at, done_at = excluded.done_at`),
			receiver, key, owner, s.retention.Milliseconds())
	} else {
		_, err = s.db.ExecContext(ctx, s.sql(`DELETE FROM {table} WHERE receiver = $1 AND event_key = $2 AND owner = $3 AND done_at IS NULL`),
			receiver, key, owner)
	}
	if err != nil {
		return fmt.Errorf("sqlstore: finish: %w", err)
	}
	return nil
}

// releaseTime bounds the attempt to free claims after an error.
const releaseTime = 5 * time.Second

// release frees what a Claim took that failed. If it fails too, the lease ends
// it.
func (s *Store) release(ctx context.Context, receiver, owner string, keys []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	for chunk := range slices.Chunk(keys, maxKeys) {
		args := []any{receiver, owner}
		marks := make([]string, len(chunk))
		for i, key := range chunk {
			args = append(args, key)
			marks[i] = fmt.Sprintf("$%d", len(args))
		}
		if _, err := s.db.ExecContext(ctx, s.sql(`DELETE FROM {table} WHERE receiver = $1 AND owner = $2 AND done_at IS NULL AND event_key IN (`+strings.Join(marks, ", ")+`)`), args...); err != nil {
			return
		}
	}
}

// tidyEvery is after how many new rows some expired ones are removed.
const tidyEvery = 1000

// tidy removes up to twice as many expired rows as were added, so that the
// table stays as large as its retention demands. It may fail: the rows are
// still there the next time.
func (s *Store) tidy(ctx context.Context, added int) {
	s.mu.Lock()
	s.grown += added
	grown := s.grown
	if grown >= tidyEvery {
		s.grown = 0
	}
	s.mu.Unlock()
	if grown >= tidyEvery {
		_, _ = s.db.ExecContext(ctx, s.sql(`DELETE FROM {table} WHERE (receiver, event_key) IN (
	SELECT receiver, event_key FROM {table} WHERE expires_at <= {now} ORDER BY expires_at LIMIT $1 {skip locked})`), 2*grown)
	}
}

// Purge forgets the events that were done longer ago, and claims that ran out
// longer ago. It returns how many rows that were. It reads the whole table;
// nobody needs to call it to keep the table from growing.
func (s *Store) Purge(ctx context.Context, olderThan time.Duration) (int64, error) {
	result, err := s.db.ExecContext(ctx, s.sql(`DELETE FROM {table} WHERE coalesce(done_at, expires_at) <= {now} - $1`), olderThan.Milliseconds())
	if err != nil {
		return 0, fmt.Errorf("sqlstore: purge: %w", err)
	}
	return result.RowsAffected()
}

// maxText is the longest text that is stored as it is. PostgreSQL's index takes
// no more than about 2700 bytes for both.
const maxText = 512

// storable returns s, or a digest of it where a database would not take it.
func storable(s string) string {
	if len(s) <= maxText && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}
