package sqlstore_test

import (
	"database/sql"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/sqlstore"
	"github.com/goanymail/anymail/suppress"
	"github.com/goanymail/anymail/suppress/suppresstest"
)

// openSuppression returns a store with a connection of its own, as in another
// process.
func openSuppression(t *testing.T, db database) (*sqlstore.SuppressionStore, *sql.DB) {
	t.Helper()
	handle, dialect := db.handle(t)
	store, err := sqlstore.NewSuppressionStore(handle, dialect, db.table)
	require.NoError(t, err)
	require.NoError(t, store.Migrate(t.Context()))
	return store, handle
}

func TestSuppressionStore(t *testing.T) {
	for name, on := range map[string]func(testing.TB) database{"sqlite": onSQLite, "postgres": onPostgres} {
		t.Run(name, func(t *testing.T) {
			databases := map[*testing.T]database{}
			suppresstest.Run(t, func(t *testing.T) suppress.Store {
				if _, ok := databases[t]; !ok {
					databases[t] = on(t)
				}
				store, _ := openSuppression(t, databases[t])
				return store
			})
		})
	}
}

// Several processes get the same webhooks, in different orders.
func TestSuppressionByProcesses(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		const ada = "ada@example.com"
		start := time.Now().AddDate(0, 0, -10).UTC().Truncate(time.Millisecond)
		day := func(n int) time.Time { return start.AddDate(0, 0, n) }
		event := func(typ anymail.EventType, n int) *anymail.TrackingEvent {
			return &anymail.TrackingEvent{Common: anymail.Common{ESP: "acme", Type: typ, Timestamp: day(n)}, Recipient: ada}
		}
		soft := func(n int) *anymail.TrackingEvent {
			ev := event(anymail.EventBounced, n)
			ev.Bounce.Category = anymail.BounceSoft
			return ev
		}
		events := []*anymail.TrackingEvent{
			event(anymail.EventUnsubscribed, 1), event(anymail.EventSubscribed, 2), event(anymail.EventComplained, 3), soft(4), soft(5), soft(6),
		}
		var wg sync.WaitGroup
		var lists []*suppress.List
		for first := range 4 {
			store, _ := openSuppression(t, db)
			list, err := suppress.New(store, suppress.WithSoftBounces(3, 30))
			require.NoError(t, err)
			lists = append(lists, list)
			wg.Go(func() {
				for i := range events {
					if err := list.Receive(t.Context(), events[(first+i)%len(events)]); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for _, list := range lists {
			found, err := list.Lookup(t.Context(), ada)
			require.NoError(t, err)
			require.Equal(t, []suppress.Entry{
				{Reason: suppress.Complained, Time: day(3), ESP: "acme"},
				{Reason: suppress.SoftBounced, Time: day(6), ESP: "acme"},
			}, found[ada])
		}
		require.NoError(t, lists[0].Add(t.Context(), suppress.Manual, ada, "ADA@example.com"), "twice in one statement")
		require.NoError(t, lists[0].Remove(t.Context(), ada))
		ok, err := lists[1].Allowed(t.Context(), ada)
		require.NoError(t, err)
		require.True(t, ok)
	})
}

func TestSuppressionStoreFails(t *testing.T) {
	store, handle := openSuppression(t, onSQLite(t))
	require.NoError(t, handle.Close())
	require.Error(t, store.Put(t.Context(), []suppress.Record{{Address: "ada@example.com"}}))
	_, err := store.Get(t.Context(), []string{"ada@example.com"})
	require.Error(t, err)
	require.Error(t, store.Migrate(t.Context()))
}

func TestSuppressionConfigurationErrors(t *testing.T) {
	handle, _ := onSQLite(t).handle(t)
	for name, make := range map[string]func() (*sqlstore.SuppressionStore, error){
		"no database": func() (*sqlstore.SuppressionStore, error) {
			return sqlstore.NewSuppressionStore(nil, sqlstore.SQLite, "")
		},
		"no dialect": func() (*sqlstore.SuppressionStore, error) { return sqlstore.NewSuppressionStore(handle, 0, "") },
		"table": func() (*sqlstore.SuppressionStore, error) {
			return sqlstore.NewSuppressionStore(handle, sqlstore.SQLite, "a; DROP TABLE b")
		},
	} {
		_, err := make()
		require.ErrorIs(t, err, anymail.ErrConfig, name)
	}
	store, err := sqlstore.NewSuppressionStore(handle, sqlstore.SQLite, "")
	require.NoError(t, err)
	require.Contains(t, store.Schema(), " "+sqlstore.DefaultSuppressionTable+" ")
}
