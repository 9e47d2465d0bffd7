package suppress_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/postmark"
	"github.com/goanymail/anymail/suppress"
)

// A list that the webhooks of Postmark fill.
func Example() {
	ctx := context.Background()
	list, err := suppress.New(new(suppress.MemoryStore)) // or a sqlstore.SuppressionStore
	if err != nil {
		panic(err)
	}
	d, err := anymail.New(anymail.WithSharedSecret("postmark:x9Kq-27fh-Wm3T-pLz8"))
	if err != nil {
		panic(err)
	}
	adapter, err := postmark.New(postmark.Config{})
	if err != nil {
		panic(err)
	}
	if err := d.Register("postmark", adapter); err != nil {
		panic(err)
	}
	if err := d.Tracking.Connect("suppress", list.Receive, list.Wants); err != nil {
		panic(err)
	}

	for _, body := range []string{
		`{"RecordType":"Bounce","ID":1,"Type":"HardBounce","Email":"ada@example.com","BouncedAt":"2026-09-21T14:13:20Z"}`,
		`{"RecordType":"Bounce","ID":2,"Type":"SoftBounce","Email":"bob@example.com","BouncedAt":"2026-09-21T14:13:20Z"}`,
	} {
		r := httptest.NewRequest(http.MethodPost, "https://example.com/postmark/tracking/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.SetBasicAuth("postmark", "x9Kq-27fh-Wm3T-pLz8")
		d.ServeHTTP(httptest.NewRecorder(), r)
	}
	for _, address := range []string{"Ada@Example.com", "bob@example.com"} {
		ok, err := list.Allowed(ctx, address)
		fmt.Println(address, ok, err)
	}
	// Output:
	// Ada@Example.com false <nil>
	// bob@example.com true <nil>
}

// A receipt goes to a recipient who unsubscribed, but not to an address that bounced.
func ExampleList_Allowed() {
	ctx := context.Background()
	list, err := suppress.New(new(suppress.MemoryStore))
	if err != nil {
		panic(err)
	}
	_ = list.Add(ctx, suppress.Unsubscribed, "ada@example.com")
	_ = list.Add(ctx, suppress.Bounced, "bob@example.com")
	for _, address := range []string{"ada@example.com", "bob@example.com"} {
		newsletter, err := list.Allowed(ctx, address)
		if err != nil {
			panic(err)
		}
		receipt, err := list.Allowed(ctx, address, suppress.Unsubscribed)
		fmt.Println(address, newsletter, receipt, err)
	}
	// Output:
	// ada@example.com false true <nil>
	// bob@example.com false false <nil>
}

// Before a campaign, ask for all recipients at once.
func ExampleList_Lookup() {
	ctx := context.Background()
	list, err := suppress.New(new(suppress.MemoryStore))
	if err != nil {
		panic(err)
	}
	_ = list.Add(ctx, suppress.Manual, "bob@example.com")
	recipients := []string{"ada@example.com", "bob@example.com"}
	found, err := list.Lookup(ctx, recipients...)
	if err != nil {
		panic(err)
	}
	for _, address := range recipients {
		if entries := found[address]; len(entries) > 0 {
			fmt.Println(address, "is left out:", entries[0].Reason)
			continue
		}
		fmt.Println("send to", address)
	}
	// Output:
	// send to ada@example.com
	// bob@example.com is left out: manual
}
