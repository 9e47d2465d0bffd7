package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"

	_ "modernc.org/sqlite"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/sqlstore"
	"github.com/goanymail/anymail/suppress"
)

func Example() {
	ctx := context.Background()
	// On PostgreSQL: sql.Open("pgx", url) and sqlstore.Postgres.
	db, err := sql.Open("sqlite", "file:done?mode=memory&cache=shared&_pragma=busy_timeout(5000)")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	store, err := sqlstore.New(db, sqlstore.SQLite)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := store.Migrate(ctx); err != nil {
		fmt.Println(err)
		return
	}
	d, err := anymail.New(anymail.WithIdempotencyStore(store))
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = d // connect receivers, register adapters, serve

	// What the Dispatcher does for each event and receiver:
	for range 2 {
		claims, err := store.Claim(ctx, "crm", []string{"example:42"})
		if err != nil {
			fmt.Println(err)
			return
		}
		if claims[0] != anymail.ClaimGranted {
			fmt.Println("done before")
			continue
		}
		fmt.Println("call the receiver")
		if err := store.Finish(ctx, "crm", "example:42", true); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// call the receiver
	// done before
}

// A suppression list in a database.
func ExampleSuppressionStore() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:suppressed?mode=memory&cache=shared&_pragma=busy_timeout(5000)")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	store, err := sqlstore.NewSuppressionStore(db, sqlstore.SQLite, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := store.Migrate(ctx); err != nil {
		fmt.Println(err)
		return
	}
	list, err := suppress.New(store)
	if err != nil {
		fmt.Println(err)
		return
	}
	// d.Tracking.Connect("suppress", list.Receive, list.Wants) fills it.
	if err := list.Add(ctx, suppress.Unsubscribed, "ada@example.com"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(list.Allowed(ctx, "Ada <ADA@example.com>"))
	// Output: false <nil>
}
