package durable

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// dialect is the SQL in which the databases differ.
type dialect struct {
	clock databaseClock
	ago   string // the time that is $1 seconds ago
	// exists is a query for the number of tables named anymail_key.
	exists string
	tables []string
	// list is a table named list with columns of numbers, or of bytes if their name
	// begins with "#". Its rows are the first parameters, as args encodes them.
	list func(columns ...string) string
	args func(rows [][]any) []any
	// insertBatches inserts the batches of an array; one by one if empty.
	insertBatches string
	lock          string // locks the rows that a query finds; SQLite has one writer
	running       string // the condition that a job is running
}

var (
	dialectPostgres = dialect{
		clock:  clockPostgres,
		ago:    "now() - make_interval(secs => $1)",
		exists: "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'anymail_key'",
		tables: []string{
			"CREATE TABLE anymail_key (hash bytea PRIMARY KEY)",
			"CREATE TABLE anymail_batch (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, events bytea NOT NULL)",
			"ALTER TABLE anymail_batch ALTER events SET STORAGE EXTERNAL", // they are compressed
			"CREATE TABLE anymail_job (job_id bigint PRIMARY KEY, batch_id bigint NOT NULL, open bigint NOT NULL, events bigint NOT NULL, keys bytea NOT NULL)",
		},
		list:          listOfArrays,
		args:          arrays,
		insertBatches: "INSERT INTO anymail_batch (events) SELECT events FROM " + listOfArrays("#events") + " RETURNING id",
		lock:          " FOR UPDATE",
		running:       "river_job.state = 'running'",
	}
	dialectSQLite = dialect{
		clock:  clockSQLite,
		ago:    "strftime('%Y-%m-%d %H:%M:%f', 'now', -$1 || ' seconds')",
		exists: "SELECT count(*) FROM sqlite_master WHERE name = 'anymail_key'",
		tables: []string{
			"CREATE TABLE anymail_key (hash blob PRIMARY KEY) WITHOUT ROWID",
			"CREATE TABLE anymail_batch (id integer PRIMARY KEY, events blob NOT NULL)",
			"CREATE TABLE anymail_job (job_id integer PRIMARY KEY, batch_id integer NOT NULL, open integer NOT NULL, events integer NOT NULL, keys blob NOT NULL)",
		},
		list:    listOfJSON,
		args:    asJSON,
		running: "+river_job.state = 'running'", // the + keeps SQLite from searching by state instead of by id
	}
)

// listOfArrays has an array for each column.
func listOfArrays(columns ...string) string {
	arrays := make([]string, len(columns))
	names := make([]string, len(columns))
	for i, column := range columns {
		kind := "bigint"
		if strings.HasPrefix(column, "#") {
			kind, column = "bytea", column[1:]
		}
		arrays[i], names[i] = fmt.Sprintf("$%d::%s[]", i+1, kind), column
	}
	return "unnest(" + strings.Join(arrays, ", ") + ") AS list (" + strings.Join(names, ", ") + ")"
}

func arrays(rows [][]any) []any {
	columns := make([]any, len(rows[0]))
	for i, cell := range rows[0] {
		if _, is := cell.([]byte); is {
			columns[i] = column[[]byte](rows, i)
		} else {
			columns[i] = column[int64](rows, i)
		}
	}
	return columns
}

func column[T any](rows [][]any, i int) []T {
	cells := make([]T, len(rows))
	for at, row := range rows {
		cells[at] = row[i].(T)
	}
	return cells
}

// listOfJSON is one parameter: an array of rows, with bytes in hexadecimal.
func listOfJSON(columns ...string) string {
	selected := make([]string, len(columns))
	for i, column := range columns {
		cell := "value->>%d"
		if strings.HasPrefix(column, "#") {
			cell, column = "unhex(value->>%d)", column[1:]
		}
		selected[i] = fmt.Sprintf(cell, i) + " AS " + column
	}
	return "(SELECT " + strings.Join(selected, ", ") + " FROM json_each($1)) AS list"
}

func asJSON(rows [][]any) []any {
	for _, row := range rows {
		for i, cell := range row {
			if b, is := cell.([]byte); is {
				row[i] = hex.EncodeToString(b)
			}
		}
	}
	text, _ := json.Marshal(rows) // numbers and texts have no errors
	return []any{string(text)}
}

// queries are statements that are the same but for the dialect.
type queries struct {
	insertKeys, insertFreshKeys, insertBatch, insertJobs, load string
	progress, complete, lockBatches, removeBatches, release    string
	countEvents, forget, forgetKeys                            string
}

func (d dialect) queries() queries {
	attempts := d.list("job", "attempt") + " WHERE river_job.id = list.job AND river_job.attempt = list.attempt AND " + d.running
	insertKeys := "INSERT INTO anymail_key SELECT hash FROM " + d.list("#hash") + " WHERE true ON CONFLICT DO NOTHING"
	return queries{
		insertKeys:      insertKeys,
		insertFreshKeys: insertKeys + " RETURNING hash",
		insertBatch:     "INSERT INTO anymail_batch (events) VALUES ($1) RETURNING id",
		insertJobs: "INSERT INTO anymail_job (job_id, batch_id, open, events, keys) SELECT job, batch, bits, events, keys FROM " +
			d.list("job", "batch", "bits", "events", "#keys"),
		load: "SELECT open, keys, batch.events FROM anymail_job LEFT JOIN anymail_batch AS batch ON batch.id = batch_id WHERE job_id = $1",
		progress: "UPDATE anymail_job SET open = open & ~list.bits, events = anymail_job.events - list.events FROM river_job, " +
			d.list("job", "attempt", "bits", "events") + " WHERE anymail_job.job_id = list.job AND anymail_job.open & list.bits = list.bits" +
			" AND river_job.id = list.job AND river_job.attempt = list.attempt AND " + d.running + " RETURNING job_id, batch_id, open",
		complete:    "UPDATE river_job SET state = 'completed', finalized_at = " + d.clock.now + " FROM " + attempts,
		lockBatches: "SELECT id FROM anymail_batch WHERE id IN (SELECT id FROM " + d.list("id") + ") ORDER BY id" + d.lock,
		countEvents: "SELECT job_id, events, keys FROM anymail_job WHERE job_id IN (SELECT id FROM " + d.list("id") + ")",
		forget:      "DELETE FROM anymail_job WHERE job_id IN (SELECT id FROM " + d.list("id") + ") RETURNING batch_id, keys",
		forgetKeys:  "DELETE FROM anymail_key WHERE hash IN (SELECT hash FROM " + d.list("#hash") + ")",
		removeBatches: "DELETE FROM anymail_batch WHERE id IN (SELECT id FROM " + d.list("id") + ")" +
			" AND NOT EXISTS (SELECT 1 FROM anymail_job WHERE batch_id = anymail_batch.id AND open <> 0)",
		// The job keeps its time, so it is the next that a worker takes.
		release: "UPDATE river_job SET state = 'available', attempt = river_job.attempt - 1 FROM " + attempts,
	}
}

// ids returns the rows of a list of one column.
func ids(ids []int64) [][]any {
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{id}
	}
	return rows
}

// execRows runs a statement on the rows of its list, if there are any.
func (q *Queue) execRows(ctx context.Context, s statements, statement string, rows [][]any) (affected int64, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	return s.exec(ctx, statement, q.dialect.args(rows)...)
}

// queryRows is the same for a query.
func (q *Queue) queryRows(ctx context.Context, s statements, row func(scan func(...any) error) error, statement string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	return s.query(ctx, row, statement, q.dialect.args(rows)...)
}

// openIndex has the jobs that still need their batch, and counts their events.
const openIndex = "CREATE INDEX anymail_job_open ON anymail_job (batch_id, events) WHERE open <> 0"

// errUnmigrated means that tables are missing which may not be made.
var errUnmigrated = errors.New("the tables are missing or of another version, and WithoutMigration is set")

// createTables creates the tables in tx, if they are missing, and adopts the jobs of
// a database that had none.
func (q *Queue) createTables(ctx context.Context, tx *sql.Tx) error {
	var exist int
	if err := tx.QueryRowContext(ctx, q.dialect.exists).Scan(&exist); err != nil || exist > 0 {
		return err
	}
	if q.settings.unmigrated {
		return errUnmigrated
	}
	for _, statement := range append(q.dialect.tables, openIndex) {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return q.adopt(ctx, tx)
}

// adoptPage is how many events adopt has in memory.
const adoptPage = 100

// adopt gives jobs of versions up to November 2026 a row in anymail_job. Such a job
// is one event for one receiver. It has the event in its arguments or in the table
// anymail_content, and a unique key, of which today's hash is the beginning.
func (q *Queue) adopt(ctx context.Context, tx *sql.Tx) error {
	const old = "kind = '" + deliveryKind + "' AND unique_key IS NOT NULL AND NOT EXISTS (SELECT 1 FROM anymail_job WHERE job_id = river_job.id)"
	if _, err := tx.ExecContext(ctx, "INSERT INTO anymail_key SELECT DISTINCT substr(unique_key, 1, 16) FROM river_job WHERE "+old+" ON CONFLICT DO NOTHING"); err != nil {
		return err
	}
	type oldJob struct {
		id             int64
		event, content sql.NullString
	}
	for {
		page, err := collect(ctx, sqlStatements{Tx: tx}, func(scan func(...any) error) (j oldJob, err error) {
			return j, scan(&j.id, &j.event, &j.content)
		}, "SELECT id, args ->> 'event', args ->> 'content' FROM river_job WHERE state <> 'completed' AND "+old+fmt.Sprintf(" ORDER BY id LIMIT %d", adoptPage))
		if err != nil {
			return err
		}
		for _, j := range page {
			event, err := base64.StdEncoding.DecodeString(j.event.String)
			if err == nil && j.content.String != "" {
				err = tx.QueryRowContext(ctx, "SELECT event FROM anymail_content WHERE id = $1", j.content.String).Scan(&event)
			}
			if err != nil {
				return fmt.Errorf("event of job %d: %w", j.id, err)
			}
			var batch int64
			if err := tx.QueryRowContext(ctx, "INSERT INTO anymail_batch (events) VALUES ($1) RETURNING id", event).Scan(&batch); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO anymail_job SELECT id, $1, 1, 1, substr(unique_key, 1, 16) FROM river_job WHERE id = $2", batch, j.id); err != nil {
				return err
			}
		}
		if len(page) < adoptPage {
			break
		}
	}
	for _, statement := range []string{
		"INSERT INTO anymail_job SELECT id, 0, 0, 1, substr(unique_key, 1, 16) FROM river_job WHERE state = 'completed' AND " + old,
		"DROP TABLE IF EXISTS anymail_content_job",
		"DROP TABLE IF EXISTS anymail_content",
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
