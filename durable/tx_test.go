package durable_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

func TestWhatAReceiverWritesIsKeptOnlyIfItSucceeds(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		w := newWorld(t, db)
		var signals anymail.Signals
		var calls counter
		connect(t, &signals, "sql", func(ctx context.Context, ev *anymail.TrackingEvent) error {
			tx, err := durable.Tx(ctx)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO effects (key) VALUES ($1)", ev.Key); err != nil {
				return err
			}
			again, err := durable.Tx(ctx)
			if err != nil || again != tx {
				return durable.Permanent(errors.New("it is the same transaction"))
			}
			if _, err := durable.PgxTx(ctx); !errors.Is(err, anymail.ErrConfig) {
				return durable.Permanent(errors.New("there cannot be two"))
			}
			switch calls.add(ev.Key) {
			case 1:
				return errors.New("fails after it wrote")
			case 2:
				panic("panics after it wrote")
			case 3:
				<-ctx.Done() // hangs after it wrote, and takes no notice
			}
			return nil
		})
		q := database{kind: w.Kind, dsn: w.DSN}.open(t, &signals, durable.WithBackoff(soon), durable.WithTimeout(time.Second))
		start(t, q)
		require.NoError(t, q.Enqueue(t.Context(), events("e", 3)))
		settled(t, q)
		for key, n := range calls.all() {
			require.GreaterOrEqual(t, n, 4, key) // on a busy machine the fourth may run out of time as well
		}
		require.Empty(t, cmp.Diff(once("e", 3), effects(t, q)))
		done, err := q.List(t.Context(), durable.Filter{State: durable.Done})
		require.NoError(t, err)
		require.Len(t, done, 3)
	})
}

func TestPgxTx(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onPostgres(t))
	var signals anymail.Signals
	var calls counter
	connect(t, &signals, "pgx", func(ctx context.Context, ev *anymail.TrackingEvent) error {
		tx, err := durable.PgxTx(ctx)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO effects (key) VALUES ($1)", ev.Key); err != nil {
			return err
		}
		if calls.add(ev.Key) == 1 {
			return errors.New("fails after it wrote")
		}
		return nil
	})
	q := database{kind: w.Kind, dsn: w.DSN}.open(t, &signals, durable.WithBackoff(soon))
	start(t, q)
	require.NoError(t, q.Enqueue(t.Context(), events("e", 3)))
	settled(t, q)
	require.Empty(t, cmp.Diff(once("e", 3), effects(t, q)))
}

// A worker that was taken for dead may come to its end while another is at its
// job, or after it.
func TestOfTwoWorkersAtOneJobOneCommits(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sql", "pgx"} {
		for _, first := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s, %d ends first", kind, first), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, onPostgres(t))
				var signals anymail.Signals
				var calls counter
				begun := map[int]chan struct{}{1: make(chan struct{}), 2: make(chan struct{})}
				release := map[int]chan struct{}{1: make(chan struct{}), 2: make(chan struct{})}
				ended := make(chan error, 10)
				connect(t, &signals, "tx", func(ctx context.Context, ev *anymail.TrackingEvent) error {
					const insert = "INSERT INTO effects (key) VALUES ($1)"
					if kind == "sql" {
						tx, err := durable.Tx(ctx)
						if err != nil {
							return err
						}
						if _, err := tx.ExecContext(ctx, insert, ev.Key); err != nil {
							return err
						}
					} else {
						tx, err := durable.PgxTx(ctx)
						if err != nil {
							return err
						}
						if _, err := tx.Exec(ctx, insert, ev.Key); err != nil {
							return err
						}
					}
					if n := calls.add(ev.Key); n <= 2 {
						close(begun[n])
						<-release[n]
					}
					return nil
				})
				q := database{kind: w.Kind, dsn: w.DSN}.open(t, &signals, durable.WithBackoff(soon), durable.WithTimeout(patience), durable.Quick(2*patience), durable.WithHooks(anymail.Hooks{
					Receiver: func(ctx context.Context, _ string, _ anymail.Event) (context.Context, func(error)) {
						return ctx, func(err error) { ended <- err }
					},
				}))
				start(t, q)
				require.NoError(t, q.Enqueue(t.Context(), events("e", 1)))
				<-begun[1]
				_, err := q.DB().ExecContext(t.Context(), "UPDATE river_job SET state = 'available' WHERE queue = $1", durable.QueueName("tx"))
				require.NoError(t, err)
				<-begun[2]
				close(release[first])
				err = <-ended
				close(release[3-first])
				if first == 1 {
					require.Error(t, err, "it was overtaken")
				} else {
					require.NoError(t, err)
					require.Error(t, <-ended, "it was overtaken")
				}
				// River may take the first one's failure for the second's, and
				// have the job done a third time.
				settled(t, q)
				require.NoError(t, q.Stop(t.Context()))
				require.Empty(t, cmp.Diff(once("e", 1), effects(t, q)))
				done, err := q.List(t.Context(), durable.Filter{State: durable.Done})
				require.NoError(t, err)
				require.Len(t, done, 1)
			})
		}
	}
}

func TestTxOutsideOfAQueue(t *testing.T) {
	t.Parallel()
	_, err := durable.Tx(t.Context())
	require.ErrorIs(t, err, anymail.ErrConfig)
	_, err = durable.PgxTx(t.Context())
	require.ErrorIs(t, err, anymail.ErrConfig)

	var signals anymail.Signals
	kept := make(chan context.Context, 1)
	connect(t, &signals, "crm", func(ctx context.Context, _ *anymail.TrackingEvent) error { kept <- ctx; return nil })
	q := database{kind: "sqlite", dsn: ":memory:"}.open(t, &signals)
	start(t, q)
	require.NoError(t, q.Enqueue(t.Context(), events("e", 1)))
	settled(t, q)
	_, err = durable.Tx(<-kept)
	require.Error(t, err, "the receiver has returned")
}
