package durable_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

// benchEvents makes events of about 1 KiB of JSON with keys of their own.
func benchEvents(n int) []anymail.Event {
	run := rand.Text()
	evs := make([]anymail.Event, n)
	for i := range evs {
		ev := event(fmt.Sprintf("example:%s%06d", run, i))
		ev.Raw = anymail.Raw(`{"event":"delivered","padding":"` + strings.Repeat("0123456789", 78) + `"}`)
		evs[i] = ev
	}
	return evs
}

func onEachBench(b *testing.B, bench func(*testing.B, database)) {
	b.Run("db=sqlite", func(b *testing.B) { bench(b, onSQLite(b)) })
	b.Run("db=postgres", func(b *testing.B) { bench(b, onPostgres(b)) })
}

// latencies reports the median and 99th percentile of what is measured, and
// events per second. The events are made outside of the time.
func latencies(b *testing.B, batch int, insert func([]anymail.Event) error) {
	b.Helper()
	took := make([]time.Duration, 0, b.N)
	var all time.Duration
	for range b.N {
		evs := benchEvents(batch)
		start := time.Now()
		err := insert(evs)
		d := time.Since(start)
		require.NoError(b, err)
		took = append(took, d)
		all += d
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(b.N*batch)/all.Seconds(), "events/s")
	b.ReportMetric(residentMiB(), "rss-MiB")
}

// residentMiB is the memory that the process has from the system; 0 where that
// cannot be read.
func residentMiB() float64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(statm))[1])
	return float64(pages*os.Getpagesize()) / (1 << 20)
}

// BenchmarkEnqueue is the way to the answer: events for one receiver into an
// otherwise idle queue, one request after the other. floor is the same rows of
// river_job, with their unique keys and all indexes, by the quickest bare insert
// there is: one INSERT over a JSON array (SQLite), COPY (PostgreSQL).
func BenchmarkEnqueue(b *testing.B) {
	onEachBench(b, func(b *testing.B, db database) {
		for _, batch := range []int{1, 1000} {
			b.Run(fmt.Sprintf("batch=%d/floor", batch), func(b *testing.B) {
				q, insert := floor(b, db)
				defer q.Close()
				latencies(b, batch, insert)
			})
			b.Run(fmt.Sprintf("batch=%d/durable", batch), func(b *testing.B) {
				var signals anymail.Signals
				require.NoError(b, signals.Tracking.Connect("crm", new(counter).receive))
				q := db.open(b, &signals, durable.WithMaxPending(1<<30))
				defer q.Close()
				latencies(b, batch, func(evs []anymail.Event) error { return q.Enqueue(b.Context(), evs) })
			})
		}
	})
}

// BenchmarkEnqueueParallel is the same from 16 requests at once, single events.
func BenchmarkEnqueueParallel(b *testing.B) {
	onEachBench(b, func(b *testing.B, db database) {
		for _, what := range []string{"floor", "durable"} {
			b.Run(what, func(b *testing.B) {
				q, insert := floor(b, db)
				defer q.Close()
				if what == "durable" {
					var signals anymail.Signals
					require.NoError(b, signals.Tracking.Connect("crm", new(counter).receive))
					q := db.open(b, &signals, durable.WithMaxPending(1<<30))
					defer q.Close()
					insert = func(evs []anymail.Event) error { return q.Enqueue(b.Context(), evs) }
				}
				b.SetParallelism(16 / runtime.GOMAXPROCS(0))
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := insert(benchEvents(1)); err != nil {
							b.Error(err)
						}
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	})
}

// BenchmarkWork is the way from the queue to a receiver that does nothing, and
// to one that writes a row in the job's transaction.
func BenchmarkWork(b *testing.B) {
	onEachBench(b, func(b *testing.B, db database) {
		for _, workers := range []int{durable.DefaultWorkers, 200} {
			b.Run(fmt.Sprintf("workers=%d/plain", workers), func(b *testing.B) {
				benchWork(b, db, workers, func(context.Context, *anymail.TrackingEvent) error { return nil })
			})
		}
		b.Run(fmt.Sprintf("workers=%d/tx", durable.DefaultWorkers), func(b *testing.B) {
			benchWork(b, db, durable.DefaultWorkers, func(ctx context.Context, ev *anymail.TrackingEvent) error {
				tx, err := durable.Tx(ctx)
				if err != nil {
					return err
				}
				_, err = tx.ExecContext(ctx, "INSERT INTO effects (key) VALUES ($1)", ev.Key)
				return err
			})
		})
	})
}

func benchWork(b *testing.B, db database, workers int, receive func(context.Context, *anymail.TrackingEvent) error) {
	var signals anymail.Signals
	require.NoError(b, signals.Tracking.Connect("crm", receive))
	q := db.open(b, &signals, durable.WithMaxPending(1<<30), durable.WithWorkers(workers))
	defer q.Close()
	_, err := q.DB().ExecContext(b.Context(), "CREATE TABLE IF NOT EXISTS effects (key text NOT NULL)")
	require.NoError(b, err)
	for left := b.N; left > 0; left -= 1000 {
		require.NoError(b, q.Enqueue(b.Context(), benchEvents(min(left, 1000))))
	}
	b.ResetTimer()
	require.NoError(b, q.Start(b.Context()))
	for {
		stats, err := q.Stats(b.Context())
		require.NoError(b, err)
		if stats.Pending+stats.Running == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(residentMiB(), "rss-MiB")
}

// floor inserts rows as Enqueue does, without anything around it.
func floor(b *testing.B, db database) (*durable.Queue, func([]anymail.Event) error) {
	q := db.open(b, new(anymail.Signals)) // makes the tables
	ctx := b.Context()
	if db.kind == "sqlite" {
		handle, err := sql.Open("sqlite", "file:"+db.dsn+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=synchronous(FULL)")
		require.NoError(b, err)
		handle.SetMaxOpenConns(1)
		b.Cleanup(func() { _ = handle.Close() })
		return q, func(evs []anymail.Event) error {
			_, err := handle.ExecContext(ctx, `INSERT INTO river_job (args, kind, max_attempts, queue, state, unique_key, unique_states)
				SELECT jsonb(value ->> 'args'), 'anymail_delivery', 15, 'anymail-crm', 'available', unhex(value ->> 'key'), 255 FROM json_each($1)`, durable.FloorJSON(evs))
			return err
		}
	}
	config, err := pgx.ParseConfig(db.dsn)
	require.NoError(b, err)
	conns := make(chan *pgx.Conn, 16)
	for range cap(conns) {
		conn, err := pgx.ConnectConfig(ctx, config)
		require.NoError(b, err)
		b.Cleanup(func() { _ = conn.Close(context.Background()) })
		conns <- conn
	}
	columns := []string{"args", "kind", "max_attempts", "queue", "state", "unique_key", "unique_states"}
	return q, func(evs []anymail.Event) error {
		conn := <-conns
		defer func() { conns <- conn }()
		rows := durable.FloorRows(evs)
		_, err := conn.CopyFrom(ctx, pgx.Identifier{"river_job"}, columns, pgx.CopyFromRows(rows))
		return err
	}
}
