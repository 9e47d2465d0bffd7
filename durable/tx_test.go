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

func TestTxCommitsOnlyIfReceiverSucceeds(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		w := newSandbox(t, db)
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
				return durable.Permanent(errors.New("want the same transaction"))
			}
			if _, err := durable.PgxTx(ctx); !errors.Is(err, anymail.ErrConfig) {
				return durable.Permanent(errors.New("want an error: a job has one transaction"))
			}
			switch calls.add(ev.Key) {
			case 1:
				return errors.New("fails after it wrote")
			case 2:
				panic("panics after it wrote")
			case 3:
				<-ctx.Done() // hangs after it wrote, and ignores the timeout
			}
			return nil
		})
		q := database{kind: w.Kind, dsn: w.DSN}.open(t, &signals, durable.WithBackoff(soon), durable.WithTimeout(time.Second))
		start(t, q)
		require.NoError(t, q.Enqueue(t.Context(), events("e", 3)))
		settle(t, q)
		for key, n := range calls.all() {
			require.GreaterOrEqual(t, n, 4, key) // on a busy machine the fourth may time out as well
		}
		require.Empty(t, cmp.Diff(once("e", 3), effects(t, q)))
		done, err := q.List(t.Context(), durable.Filter{State: durable.Done})
		require.NoError(t, err)
		require.Len(t, done, 3)
	})
}

func TestPgxTx(t *testing.T) {
	t.Parallel()
	w := newSandbox(t, onPostgres(t))
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
	settle(t, q)
	require.Empty(t, cmp.Diff(once("e", 3), effects(t, q)))
}

// A worker that was presumed dead may finish while another worker runs its job,
// or after that.
func TestOneOfTwoWorkersOnAJobCommits(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sql", "pgx"} {
		for _, first := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s, %d ends first", kind, first), func(t *testing.T) {
				t.Parallel()
				w := newSandbox(t, onPostgres(t))
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
					require.Error(t, err, "another worker has the job")
				} else {
					require.NoError(t, err)
					require.Error(t, <-ended, "another worker has the job")
				}
				// River may take the failure of the first worker for that of the
				// second, and run the job a third time.
				settle(t, q)
				require.NoError(t, q.Stop(t.Context()))
				require.Empty(t, cmp.Diff(once("e", 1), effects(t, q)))
				done, err := q.List(t.Context(), durable.Filter{State: durable.Done})
				require.NoError(t, err)
				require.Len(t, done, 1)
			})
		}
	}
}

func TestTxOutsideQueue(t *testing.T) {
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
	settle(t, q)
	_, err = durable.Tx(<-kept)
	require.Error(t, err, "the receiver has returned")
}
