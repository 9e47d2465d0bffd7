package oneclick_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/mailtoken"
	"github.com/goanymail/anymail/oneclick"
)

func Example() {
	tokens, err := mailtoken.New(mailtoken.Config{Keys: anymail.Keys("key-of-16-bytes-or-more")})
	if err != nil {
		panic(err)
	}
	adapter, err := oneclick.New(oneclick.Config{Tokens: tokens})
	if err != nil {
		panic(err)
	}
	d, err := anymail.New()
	if err != nil {
		panic(err)
	}
	// The token is the proof, so there is no shared secret.
	if err := d.Register("oneclick", adapter, anymail.WithoutSharedSecret()); err != nil {
		panic(err)
	}
	_ = d.Tracking.Connect("print", func(_ context.Context, ev *anymail.TrackingEvent) error {
		fmt.Println(ev.Type, ev.Recipient, ev.MessageID, ev.Verified)
		return nil
	})

	// What goes into the message, and what the recipient's mail program does with it.
	headers, err := tokens.ListUnsubscribe(context.Background(),
		mailtoken.Message{ID: "news", Recipient: "ada@example.net"}, "https://example.com/oneclick/", "")
	if err != nil {
		panic(err)
	}
	url := strings.Trim(headers.Get("List-Unsubscribe"), "<>")
	r := httptest.NewRequest(http.MethodPost, url, strings.NewReader(headers.Get("List-Unsubscribe-Post")))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	d.ServeHTTP(httptest.NewRecorder(), r)
	// Output: unsubscribed ada@example.net news token
}
