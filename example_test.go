package anymail_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/postmark"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

const exampleSecret = "postmark:x9Kq-27fh-Wm3T-pLz8"

// send posts a webhook as Postmark does, and returns the status of the response.
func send(handler http.Handler, path, secret, body string) int {
	r := httptest.NewRequest(http.MethodPost, "https://example.com"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(secret)))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Code
}

const aBounce = `{"RecordType":"Bounce","ID":42,"Type":"HardBounce","TypeCode":1,"Email":"ada@example.com",
	"MessageID":"883953f4-6105-42a2-a16a-77a8eac79483","BouncedAt":"2026-09-21T14:13:20Z","Description":"unknown user"}`

// A Dispatcher with one adapter and one receiver.
func Example() {
	d, err := anymail.New(anymail.WithSharedSecret(exampleSecret))
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
	err = d.Tracking.Connect("suppress", func(_ context.Context, ev *anymail.TrackingEvent) error {
		fmt.Println("no more mail to", ev.Recipient, "because it", ev.Type)
		return nil // an error makes Postmark retry
	}, anymail.ToSuppress)
	if err != nil {
		panic(err)
	}

	fmt.Println(send(d, "/postmark/tracking/", exampleSecret, aBounce))
	fmt.Println(send(d, "/postmark/tracking/", "postmark:a-wrong-password-1234", aBounce))
	fmt.Println(send(d, "/postmark/tracking/", exampleSecret, aBounce), "for a redelivery: the receiver does not run again")
	// Output:
	// no more mail to ada@example.com because it bounced
	// 200
	// 400
	// 200 for a redelivery: the receiver does not run again
}

// exampleDispatcher returns a Dispatcher with Postmark's adapter.
func exampleDispatcher(options ...anymail.Option) *anymail.Dispatcher {
	d, err := anymail.New(append([]anymail.Option{anymail.WithSharedSecret(exampleSecret)}, options...)...)
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
	return d
}

// Mount a Dispatcher on a chi router. Middlewares and URL parameters work as for any
// other handler.
func ExampleDispatcher_chi() {
	d := exampleDispatcher()
	r := chi.NewRouter()
	r.Route("/{tenant}", func(r chi.Router) {
		r.Mount("/anymail", d)
	})
	_ = d.Tracking.Connect("print", func(ctx context.Context, ev *anymail.TrackingEvent) error {
		fmt.Println(chi.URLParamFromCtx(ctx, "tenant"), ev.Type)
		return nil
	})

	fmt.Println(send(r, "/acme/anymail/postmark/tracking/", exampleSecret, aBounce))
	// Output:
	// acme bounced
	// 200
}

// Keep attachments in a directory. The name of a file is the same if the ESP retries.
func ExampleWithAttachmentStore() {
	dir, err := os.MkdirTemp("", "attachments")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	store := anymail.AttachmentStoreFunc(func(_ context.Context, info anymail.AttachmentInfo, content io.Reader) (string, error) {
		name := fmt.Sprintf("%s-%d", url.PathEscape(info.Key), info.Index)
		file, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		_, err = io.Copy(file, content)
		return name, errors.Join(err, file.Close())
	})
	d := exampleDispatcher(anymail.WithAttachmentStore(store, 3))
	_ = d.Inbound.Connect("print", func(_ context.Context, ev *anymail.InboundEvent) error {
		for _, a := range ev.Message.Attachments {
			content, err := os.ReadFile(filepath.Join(dir, a.Ref))
			fmt.Println(a.Filename, a.Size, string(content), err)
		}
		return nil
	})

	fmt.Println(send(d, "/postmark/inbound/", exampleSecret, `{"FromFull":{"Email":"ada@example.com"},"MessageID":"1",
		"Attachments":[{"Name":"note.txt","ContentType":"text/plain","Content":"aGVsbG8="}]}`))
	// Output:
	// note.txt 5 hello <nil>
	// 200
}

// On any other router, use http.StripPrefix to remove what precedes the adapter's
// name.
func ExampleDispatcher_serveMux() {
	mux := http.NewServeMux()
	mux.Handle("/anymail/", http.StripPrefix("/anymail", exampleDispatcher()))

	fmt.Println(send(mux, "/anymail/postmark/tracking/", exampleSecret, aBounce))
	fmt.Println(send(mux, "/anymail/postmark/nothing/", exampleSecret, aBounce))
	// Output:
	// 200
	// 404
}

// Replace a secret without a restart: accept both for a while, then only the new
// one. The signing keys of an adapter are replaced in the same way.
func ExampleKeyRing() {
	const older, newer = exampleSecret, "postmark:Vb6-yRt41-nQe0-cHu5"
	ring := anymail.NewKeyRing(older)
	d := exampleDispatcher(anymail.WithSharedSecretSource(ring))
	try := func() {
		fmt.Println(send(d, "/postmark/tracking/", older, aBounce), send(d, "/postmark/tracking/", newer, aBounce))
	}
	try()
	ring.Set(newer, older) // change it at the ESP now
	try()
	ring.Set(newer)
	try()
	// Output:
	// 200 400
	// 200 200
	// 400 200
}

// pigeon is the adapter of an ESP that signs with an HMAC and posts JSON arrays.
type pigeon struct{ keys anymail.KeySource }

func (pigeon) ESP() string { return "pigeon" }

func (p pigeon) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{{
		Path:         "tracking",
		ContentTypes: []string{"application/json"},
		Verifier: verify.HMAC{
			Keys:       p.keys,
			Signatures: verify.HexHeader("X-Pigeon-Signature"),
			Content:    verify.HeadersAndBody(".", "X-Pigeon-Time"),
			SignedAt:   verify.UnixHeader("X-Pigeon-Time"),
		}.Verifier(),
		Parser: anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
			type letter struct {
				ID, Event, To string
				At            wire.Unix
			}
			types := map[string]anymail.EventType{"landed": anymail.EventDelivered, "returned": anymail.EventBounced}
			return wire.Batch(p, func(w *letter, ev *anymail.TrackingEvent) {
				ev.Type = types[w.Event] // EventUnknown if the map does not have it
				ev.ID, ev.Recipient, ev.Timestamp = w.ID, w.To, w.At.Time
			})
		}),
	}}
}

// An adapter describes how an ESP's payloads authenticate and what they mean.
// examples/newesp has a complete one.
func ExampleAdapter() {
	adapter := pigeon{keys: anymail.Keys("the signing key")}
	p := &anymail.Payload{Body: []byte(`[{"ID":"1","Event":"landed","To":"ada@example.com","At":1790000000},{"ID":"2","Event":"lost its way"}]`)}
	events, err := adapter.Endpoints()[0].Parser.ParseEvents(context.Background(), p)
	for _, ev := range events {
		fmt.Println(ev.Base().ID, ev.Base().Type, ev.Base().Timestamp)
	}
	fmt.Println(err)

	_, err = adapter.Endpoints()[0].Verifier.Verify(context.Background(), p)
	fmt.Println(err)
	// The Dispatcher replaces the empty type of the second event by EventUnknown.

	// Output:
	// 1 delivered 2026-09-21 14:13:20 +0000 UTC
	// 2  0001-01-01 00:00:00 +0000 UTC
	// <nil>
	// not authenticated: no signature
}

// A Verifier can be a function. It returns ErrUnauthenticated for requests that are
// not the ESP's. Any other error makes the ESP retry.
func ExampleVerifierFunc() {
	v := anymail.VerifierFunc(func(_ context.Context, p *anymail.Payload) (anymail.Proof, error) {
		if !p.SecretProved {
			return anymail.Proof{}, anymail.Unauthenticated("no shared secret")
		}
		return anymail.Proof{}, nil
	})
	_, err := v.Verify(context.Background(), &anymail.Payload{})
	fmt.Println(errors.Is(err, anymail.ErrUnauthenticated), err)
	// Output: true not authenticated: no shared secret
}

// memoryQueue is a queue for this example. Package durable has real ones.
type memoryQueue struct{ forms [][]byte }

// Enqueue stores all events or none.
func (q *memoryQueue) Enqueue(_ context.Context, events []anymail.Event) error {
	for _, ev := range events {
		form, err := json.Marshal(ev)
		if err != nil {
			return err
		}
		q.forms = append(q.forms, form)
	}
	return nil
}

// With a queue, the ESP gets its response as soon as the events are stored. A worker,
// in this process or another one, reads them and runs the receivers.
func ExampleWithQueue() {
	queue := new(memoryQueue)
	d := exampleDispatcher(anymail.WithQueue(queue))
	fmt.Println(send(d, "/postmark/tracking/", exampleSecret, aBounce), len(queue.forms), "queued")

	var worker anymail.Signals
	_ = worker.Tracking.Connect("suppress", func(_ context.Context, ev *anymail.TrackingEvent) error {
		fmt.Println("suppress", ev.Recipient)
		return nil
	})
	for _, form := range queue.forms {
		ev, err := anymail.DecodeEvent(form)
		if err != nil {
			panic(err)
		}
		if err := worker.Deliver(context.Background(), nil, ev); err != nil {
			fmt.Println("will retry:", err)
		}
	}
	// Output:
	// 200 1 queued
	// suppress ada@example.com
}

// With a store, Deliver runs only the receivers that have not completed the event.
func ExampleSignals_Deliver() {
	var signals anymail.Signals
	available := false
	_ = signals.Tracking.Connect("count", func(context.Context, *anymail.TrackingEvent) error {
		fmt.Println("counted")
		return nil
	})
	_ = signals.Tracking.Connect("crm", func(context.Context, *anymail.TrackingEvent) error {
		if !available {
			return errors.New("no response")
		}
		fmt.Println("noted")
		return nil
	})

	ev := &anymail.TrackingEvent{Common: anymail.Common{ESP: "acme", Type: anymail.EventOpened, Key: "acme:1"}}
	store := anymail.NewMemoryStore(0)
	fmt.Println(signals.Deliver(context.Background(), store, ev))
	available = true
	fmt.Println(signals.Deliver(context.Background(), store, ev))
	// Output:
	// counted
	// receiver "crm" on acme opened event acme:1: no response
	// noted
	// <nil>
}

// Both kinds of events have a JSON form. DecodeEvent returns the kind that it finds.
func ExampleDecodeEvent() {
	form, err := json.Marshal(&anymail.TrackingEvent{
		Common:    anymail.Common{ESP: "acme", Type: anymail.EventClicked, Key: "acme:1"},
		Recipient: "ada@example.com",
		ClickURL:  "https://example.com/",
		Automated: anymail.Yes,
	})
	fmt.Println(string(form), err)

	ev, err := anymail.DecodeEvent(form)
	switch ev := ev.(type) {
	case *anymail.TrackingEvent:
		fmt.Println(ev.Recipient, "clicked, automated:", ev.Automated)
	case *anymail.InboundEvent:
		fmt.Println(ev.Message.From, "wrote")
	default:
		fmt.Println(errors.Is(err, anymail.ErrMalformed))
	}
	// Output:
	// {"kind":"tracking","esp":"acme","event_type":"clicked","key":"acme:1","recipient":"ada@example.com","click_url":"https://example.com/","automated":true} <nil>
	// ada@example.com clicked, automated: yes
}

// Every request that is not answered with success is logged and reported to a hook.
// The hook gets the details with errors.Is and errors.As.
func ExampleHooks() {
	d := exampleDispatcher(
		anymail.WithLogger(slog.New(slog.DiscardHandler)),
		anymail.WithHooks(anymail.Hooks{Rejected: func(_ context.Context, r anymail.Rejection) {
			var request *anymail.RequestError
			var receiver *anymail.ReceiverError
			switch {
			case errors.As(r.Err, &receiver): // first, since it wraps whatever the receiver returned
				fmt.Println(r.Status, "receiver", receiver.Receiver, "failed, no such file:", errors.Is(r.Err, os.ErrNotExist))
			case errors.Is(r.Err, anymail.ErrMalformed):
				fmt.Println(r.Status, "malformed, will not be retried:", string(r.Payload.Body))
			case errors.As(r.Err, &request):
				fmt.Println(r.Status, request.Name, request.Endpoint, request.Reason)
			}
		}}),
	)
	_ = d.Tracking.Connect("crm", func(context.Context, *anymail.TrackingEvent) error { return os.ErrNotExist })

	send(d, "/postmark/tracking/", "postmark:a-wrong-password-1234", aBounce)
	send(d, "/postmark/tracking/", exampleSecret, "{")
	send(d, "/postmark/tracking/", exampleSecret, aBounce)
	// Output:
	// 400 postmark tracking wrong shared secret
	// 400 malformed, will not be retried: {
	// 500 receiver crm failed, no such file: true
}

// Accounts that are in a database are looked up when a request for them comes.
func ExampleWithTenants() {
	secrets := map[string]string{"shop-17": "shop:k7Vd-93qs-Hc2M-wTz5"} // or a table
	lookUp := func(_ context.Context, name string) (anymail.Adapter, []anymail.Option, error) {
		secret, ok := secrets[name]
		if !ok {
			return nil, nil, anymail.ErrUnknownTenant
		}
		adapter, err := postmark.New(postmark.Config{})
		return adapter, []anymail.Option{anymail.WithSharedSecret(secret)}, err
	}
	d, err := anymail.New(
		anymail.WithTenants(lookUp, anymail.TenantCache{}),
		anymail.WithAccountKeys(),
		anymail.WithLogger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		panic(err)
	}
	err = d.Tracking.Connect("print", func(_ context.Context, ev *anymail.TrackingEvent) error {
		fmt.Println(ev.Account, ev.Type, ev.Recipient)
		return nil
	})
	if err != nil {
		panic(err)
	}

	fmt.Println(send(d, "/shop-17/tracking/", secrets["shop-17"], aBounce))
	fmt.Println(send(d, "/shop-18/tracking/", secrets["shop-17"], aBounce))

	delete(secrets, "shop-17")
	d.ForgetTenant("shop-17")
	fmt.Println(send(d, "/shop-17/tracking/", exampleSecret, aBounce))
	// Output:
	// shop-17 bounced ada@example.com
	// 200
	// 404
	// 404
}
