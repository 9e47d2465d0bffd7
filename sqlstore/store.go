// Package sqlstore has stores in tables of PostgreSQL or SQLite. A [Store] records
// which receiver has completed which event. So redeliveries have no effect, even
// after a restart and with several processes on one database:
//
//	store, err := sqlstore.New(db, sqlstore.Postgres)
//	// ...
//	err = store.Migrate(ctx)
//	// ...
//	d, err := anymail.New(anymail.WithIdempotencyStore(store))
//
// It works with any driver of database/sql whose placeholders are $1, $2, ...:
// pgx, pq, modernc.org/sqlite and mattn/go-sqlite3.
//
// A [SuppressionStore] has the suppression list of package suppress.
//
// # Faults
//
// A claim is a lease. If the process dies between a receiver's work and the
// mark that it is done, the event is refused as busy until the lease ends. A
// redelivery after that runs the receiver once more. A request runs one receiver
// on one event at a time, so a process that dies repeats at most one event for
// each request that was in flight. For receivers that must not run twice use
// package durable, whose Tx commits their work and the mark together.
//
// If the database goes away while receivers run, each request stops at the first
// event that it cannot mark, and is refused, so that the ESP retries. The store
// stores that mark before its next Claim, and frees the events that did not run.
// So an outage repeats nothing, unless the process dies before the database is
// back, or another process gets the redelivery after the lease has ended.
//
// Leases and retention are by the database's clock. If it is set back, claims of
// processes that died end a lease after the next redelivery. If it jumps ahead by
// more than the lease, a redelivery may run a receiver that still runs; by more
// than the retention, completed events are forgotten.
package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goanymail/anymail"
)

// Defaults of the options.
const (
	// DefaultLease is how long a claim is valid. It is longer than a request may
	// take by default.
	DefaultLease = 5 * time.Minute
	// DefaultRetention is how long a completed event is remembered. No ESP
	// redelivers an event for longer.
	DefaultRetention = 7 * 24 * time.Hour
	// DefaultTable is the name of the table.
	DefaultTable = "anymail_idempotency"
)

// Option changes a setting of a [Store].
type Option func(*Store) error

// WithLease sets how long a claim is valid if it is not finished because its
// process died: a second at least, [DefaultLease] by default. It must be longer
// than receivers ever take, or a receiver may run twice at the same time. All
// processes on one table need the same value.
func WithLease(d time.Duration) Option {
	return func(s *Store) error {
		if d < time.Second {
			return anymail.Misconfigured("sqlstore.WithLease", "must be at least a second")
		}
		s.lease = d
		return nil
	}
}

// WithRetention sets how long a completed event is remembered;
// [DefaultRetention] by default. The store removes older rows gradually when it
// adds new ones.
func WithRetention(d time.Duration) Option {
	return func(s *Store) error {
		if d <= 0 {
			return anymail.Misconfigured("sqlstore.WithRetention", "must be positive")
		}
		s.retention = d
		return nil
	}
}

// WithTable sets the name of the table, with or without a schema;
// [DefaultTable] by default.
func WithTable(name string) Option {
	return func(s *Store) error {
		s.name = name
		return checkName("sqlstore.WithTable", name)
	}
}

// Store is an [anymail.IdempotencyStore] in a database table. Use [New].
type Store struct {
	table
	lease     time.Duration
	retention time.Duration

	mu sync.Mutex
	// owners are the tokens of the claims that this process holds, oldest first.
	// A pair has several if a claim expired and was granted again.
	owners   map[pair][]string
	batches  map[string]*batch // by token
	unstored []outcome         // what Finish and Claim could not store, oldest first
	added    int               // rows added since expired rows were last removed
}

type pair struct{ receiver, key string }

// batch is what one Claim was granted under a token.
type batch struct {
	keys []string
	open int // how many of the keys are not finished
}

// outcome is what the database does not yet know of the claims that one Claim was
// granted under a token.
type outcome struct {
	receiver, owner string
	done            []string // keys of completed events
	free            []string // keys of claims that ended
}

var _ anymail.IdempotencyStore = (*Store)(nil)

// New returns a store in db. It returns [anymail.ErrConfig] if an argument or an
// option is invalid. The caller closes db.
func New(db *sql.DB, dialect Dialect, options ...Option) (*Store, error) {
	s := &Store{
		table:     table{db, dialect, DefaultTable},
		lease:     DefaultLease,
		retention: DefaultRetention,
		owners:    map[pair][]string{},
		batches:   map[string]*batch{},
	}
	errs := []error{s.check("sqlstore.New")}
	for _, option := range options {
		errs = append(errs, option(s))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// Migrate creates the table if it is missing. Schema returns the same SQL for
// other migration tools.
func (s *Store) Migrate(ctx context.Context) error { return s.migrate(ctx, s.Schema()) }

// Schema returns the SQL that creates the table.
//
// A row without done_at is a claim of owner that is valid until expires_at. A row
// with done_at is a completed event that is remembered until expires_at. Times
// are milliseconds since 1970.
func (s *Store) Schema() string {
	index := strings.ReplaceAll(s.name, ".", "_") + "_expires_at"
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

// Claim implements [anymail.IdempotencyStore], with one statement for 900
// keys.
func (s *Store) Claim(ctx context.Context, receiver string, keys []string) ([]anymail.Claim, error) {
	if err := s.storeOutcomes(ctx); err != nil {
		return nil, fmt.Errorf("sqlstore: claim: %w", err)
	}
	receiver = encodeText(receiver)
	// All processes use the same order, so that no two deadlock.
	distinct := make([]string, len(keys))
	for i, key := range keys {
		distinct[i] = encodeText(key)
	}
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)

	owner := rand.Text()
	claims := make(map[string]anymail.Claim, len(distinct))
	for chunk := range slices.Chunk(distinct, maxParameters) {
		if err := s.claim(ctx, receiver, owner, chunk, claims); err != nil {
			s.abandon(ctx, receiver, owner, distinct)
			return nil, fmt.Errorf("sqlstore: claim: %w", err)
		}
	}
	granted := s.addOwner(receiver, owner, claims)

	result := make([]anymail.Claim, len(keys))
	for i, key := range keys {
		key = encodeText(key)
		result[i] = claims[key]
		if claims[key] == anymail.ClaimGranted {
			claims[key] = anymail.ClaimBusy // a repeated key is granted once
		}
	}
	s.removeExpired(ctx, granted)
	return result, nil
}

// claim claims each key that is new or whose row has expired. The statement
// leaves other rows unchanged but returns them, so that one round trip also tells
// done from busy. A claim never ends later than a lease from now: if it would, the
// clock was set back meanwhile, and its process may have died.
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
	expires_at = CASE WHEN t.expires_at <= {now} THEN excluded.expires_at
		WHEN t.done_at IS NULL AND t.expires_at > {now} + $3 THEN {now} + $3
		ELSE t.expires_at END
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
			return fmt.Errorf("the database returned no row for key %q", key)
		}
	}
	return nil
}

// addOwner remembers the token of the claims that were granted, and returns their
// number.
func (s *Store) addOwner(receiver, owner string, claims map[string]anymail.Claim) (granted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &batch{}
	for key, claim := range claims {
		if claim == anymail.ClaimGranted {
			p := pair{receiver, key}
			s.owners[p] = append(s.owners[p], owner)
			b.keys = append(b.keys, key)
		}
	}
	if b.open = len(b.keys); b.open > 0 {
		s.batches[owner] = b
	}
	return b.open
}

// removeOwner removes and returns the oldest token that this process has for p.
// If that claim has expired and another request in this process has a newer one,
// the request that finishes first gets the old token. It frees nothing with that
// token that belongs to the other.
func (s *Store) removeOwner(p pair) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.owners[p]) == 0 {
		return ""
	}
	owner := s.owners[p][0]
	s.removeToken(p, owner)
	if b := s.batches[owner]; b != nil {
		if b.open--; b.open == 0 {
			delete(s.batches, owner)
		}
	}
	return owner
}

// removeToken reports whether owner was a token for p, and removes it. The caller
// holds mu.
func (s *Store) removeToken(p pair, owner string) bool {
	tokens := s.owners[p]
	i := slices.Index(tokens, owner)
	switch {
	case i < 0:
		return false
	case len(tokens) == 1:
		delete(s.owners, p)
	default:
		s.owners[p] = slices.Delete(tokens, i, i+1)
	}
	return true
}

// Finish implements [anymail.IdempotencyStore]. It marks a completed event even if
// the claim has expired meanwhile. Only the owner of a claim frees it.
//
// If Finish fails, the caller must run no other event of the same Claim: the store
// remembers the completion, stores it before the next Claim, and frees the other
// claims then.
func (s *Store) Finish(ctx context.Context, receiver, key string, done bool) error {
	receiver, key = encodeText(receiver), encodeText(key)
	owner := s.removeOwner(pair{receiver, key})
	var err error
	switch {
	case done:
		err = s.complete(ctx, receiver, owner, key)
	case owner != "": // otherwise the claim has ended already
		err = s.release(ctx, receiver, owner, []string{key})
	}
	if err != nil {
		s.addUnstored(receiver, owner, key, done)
		return fmt.Errorf("sqlstore: finish: %w", err)
	}
	return nil
}

// complete stores that an event is completed.
func (s *Store) complete(ctx context.Context, receiver, owner, key string) error {
	_, err := s.db.ExecContext(ctx, s.sql(`INSERT INTO {table} AS t (receiver, event_key, owner, expires_at, done_at) VALUES ($1, $2, $3, {now} + $4, {now})
ON CONFLICT (receiver, event_key) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at, done_at = excluded.done_at`),
		receiver, key, owner, s.retention.Milliseconds())
	return err
}

// release frees claims of owner.
func (s *Store) release(ctx context.Context, receiver, owner string, keys []string) error {
	for chunk := range slices.Chunk(keys, maxParameters) {
		args := []any{receiver, owner}
		keys := placeholders(&args, chunk)
		if _, err := s.db.ExecContext(ctx, s.sql(`DELETE FROM {table} WHERE receiver = $1 AND owner = $2 AND done_at IS NULL AND event_key IN `+keys), args...); err != nil {
			return err
		}
	}
	return nil
}

// releaseTimeout bounds the attempt to free claims after an error.
const releaseTimeout = 5 * time.Second

// abandon frees the claims of a Claim that failed, now or before the next Claim.
func (s *Store) abandon(ctx context.Context, receiver, owner string, keys []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if s.release(ctx, receiver, owner, keys) != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.unstored = append(s.unstored, outcome{receiver: receiver, owner: owner, free: keys})
	}
}

// addUnstored remembers the outcome of a claim that could not be stored, and ends
// the other claims that were granted under the same token.
func (s *Store) addUnstored(receiver, owner, key string, done bool) {
	o := outcome{receiver: receiver, owner: owner}
	if done {
		o.done = []string{key}
	} else {
		o.free = []string{key}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.batches[owner]; b != nil {
		for _, other := range b.keys {
			if s.removeToken(pair{receiver, other}, owner) {
				o.free = append(o.free, other)
			}
		}
		delete(s.batches, owner)
	}
	s.unstored = append(s.unstored, o)
}

// storeOutcomes stores the outcomes that could not be stored before. There are as
// many at most as requests were in flight when the database went away.
func (s *Store) storeOutcomes(ctx context.Context) error {
	s.mu.Lock()
	unstored := s.unstored
	s.unstored = nil
	s.mu.Unlock()
	for i, o := range unstored {
		var err error
		for _, key := range o.done {
			err = errors.Join(err, s.complete(ctx, o.receiver, o.owner, key))
		}
		if err == nil {
			err = s.release(ctx, o.receiver, o.owner, o.free)
		}
		if err != nil {
			s.mu.Lock()
			s.unstored = append(unstored[i:], s.unstored...)
			s.mu.Unlock()
			return err
		}
	}
	return nil
}

// removeInterval is after how many new rows removeExpired removes expired ones.
const removeInterval = 1000

// removeExpired removes up to twice as many expired rows as were added, so that
// the table stays as large as its retention demands. It ignores errors: the next
// call removes the rows.
func (s *Store) removeExpired(ctx context.Context, granted int) {
	s.mu.Lock()
	s.added += granted
	added := s.added
	if added >= removeInterval {
		s.added = 0
	}
	s.mu.Unlock()
	if added >= removeInterval {
		_, _ = s.db.ExecContext(ctx, s.sql(`DELETE FROM {table} WHERE (receiver, event_key) IN (
	SELECT receiver, event_key FROM {table} WHERE expires_at <= {now} ORDER BY expires_at LIMIT $1 {skip locked})`), 2*added)
	}
}

// Purge removes the events that were completed, and the claims that expired,
// longer than olderThan ago. It returns the number of rows. It reads the whole
// table. Purge is optional: the table does not grow without it.
func (s *Store) Purge(ctx context.Context, olderThan time.Duration) (int64, error) {
	result, err := s.db.ExecContext(ctx, s.sql(`DELETE FROM {table} WHERE coalesce(done_at, expires_at) <= {now} - $1`), olderThan.Milliseconds())
	if err != nil {
		return 0, fmt.Errorf("sqlstore: purge: %w", err)
	}
	return result.RowsAffected()
}
