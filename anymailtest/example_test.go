package anymailtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/mailgun"
	"github.com/goanymail/anymail/esp/mailgun/mailgunsim"
	"github.com/goanymail/anymail/esp/postmark"
	"github.com/goanymail/anymail/esp/postmark/postmarksim"
	"github.com/goanymail/anymail/simulator"
)

// exampleT replaces the *testing.T of a test.
type exampleT struct {
	testing.TB
	cleanups []func()
}

func (t *exampleT) Helper()                  {}
func (t *exampleT) Context() context.Context { return context.Background() }
func (t *exampleT) Cleanup(f func())         { t.cleanups = append(t.cleanups, f) }
func (t *exampleT) done() {
	for _, f := range t.cleanups {
		f()
	}
}
func (t *exampleT) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (t *exampleT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// newApp stands for your program: it is configured with a shared secret and a key,
// and hands invalid addresses to a function.
func newApp(secret, mailgunKey string, suppress func(address string)) (http.Handler, error) {
	d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.RequireTLS())
	if err != nil {
		return nil, err
	}
	adapter, err := mailgun.New(mailgun.Config{SigningKeys: anymail.Keys(mailgunKey)})
	if err != nil {
		return nil, err
	}
	bounced := func(_ context.Context, ev *anymail.TrackingEvent) error {
		if ev.RejectReason == anymail.RejectInvalid {
			suppress(ev.Recipient)
		}
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("/anymail/", http.StripPrefix("/anymail", d))
	return mux, errors.Join(d.Register("mailgun", adapter), d.Tracking.Connect("suppress", bounced))
}

// A test of your own router: what it does when Mailgun reports a bounce. Any
// [http.Handler] will do.
func ExamplePost() {
	t := new(exampleT) // in a test, its *testing.T
	defer t.done()

	webhook := anymailtest.NewWebhook(mailgunsim.New())
	app, err := newApp(webhook.Secret, webhook.Credential.Config, func(address string) { fmt.Println("no more mail to", address) })
	if err != nil {
		t.Fatalf("%v", err)
	}
	answer := anymailtest.Post(t, app, webhook, anymail.EventBounced,
		anymailtest.Recipient("grace@example.net"), anymailtest.Reason(anymail.RejectInvalid))
	fmt.Println(answer.Code)
	// Output:
	// no more mail to grace@example.net
	// 200
}

// A received message from a file.
func ExampleEML() {
	t := new(exampleT) // in a test, its *testing.T
	defer t.done()

	webhook := anymailtest.NewWebhook(postmarksim.New())
	d, err := anymail.New(anymail.WithSharedSecret(webhook.Secret))
	if err != nil {
		t.Fatalf("%v", err)
	}
	adapter, err := postmark.New(postmark.Config{})
	if err != nil {
		t.Fatalf("%v", err)
	}
	ticket := func(_ context.Context, ev *anymail.InboundEvent) error {
		fmt.Println(ev.Message.Subject, "with", len(ev.Message.Attachments), "files")
		return nil
	}
	if err := errors.Join(d.Register("postmark", adapter), d.Inbound.Connect("helpdesk", ticket)); err != nil {
		t.Fatalf("%v", err)
	}
	webhook.URL = "https://hooks.example.com" // d is not mounted below a path
	anymailtest.Post(t, d, webhook, anymail.EventInbound, anymailtest.EML("../testdata/mail/invoice.eml"))
	// Output: Invoice with 2 files
}

// A signed request of an ESP is posted to a Dispatcher with the receivers of your
// program.
func ExampleNewServer() {
	t := new(exampleT) // in a test, its *testing.T
	defer t.done()

	s := anymailtest.NewServer(t, mailgunsim.New())
	bounced := func(_ context.Context, ev *anymail.TrackingEvent) error {
		fmt.Println(ev.Recipient, "bounced:", ev.RejectReason, ev.Bounce.Category)
		return nil
	}
	if err := s.Dispatcher.Tracking.Connect("crm", bounced, anymail.ForTypes(anymail.EventBounced)); err != nil {
		t.Fatalf("%v", err)
	}
	sample, _ := s.Simulator.Sample("failed-bounce")
	p := simulator.NewParams()
	p.Recipient = "nobody@example.com"
	s.Send(t, sample, p)
	// Output: nobody@example.com bounced: invalid hard
}

// A recorder keeps events. It can fail, as a receiver does.
func ExampleRecorder() {
	t := new(exampleT) // in a test, its *testing.T
	defer t.done()

	s := anymailtest.NewServer(t, postmarksim.New())
	recorder := &anymailtest.Recorder{Err: func(anymail.Event) error { return errors.New("the database is down") }}
	if err := recorder.Connect(&s.Dispatcher.Signals, "orders"); err != nil {
		t.Fatalf("%v", err)
	}
	sample, _ := s.Simulator.Sample("Delivery")
	request := s.Prepare(t, sample, simulator.NewParams())
	status, _ := s.Post(t, request)
	fmt.Println(status, len(recorder.Events()), "event")

	recorder.Err = nil // it is up again, and Postmark retries
	status, _ = s.Post(t, request)
	fmt.Println(status, len(recorder.Events()), "events")
	// Output:
	// 500 1 event
	// 200 2 events
}

// Send posts a sample and returns the events that receivers were called with.
func ExampleServer_Send() {
	t := new(exampleT) // in a test, its *testing.T
	defer t.done()

	s := anymailtest.NewServer(t, postmarksim.New())
	sample, _ := s.Simulator.Sample("Click")
	p := simulator.NewParams()
	p.Recipient, p.Tag = "ada@example.com", "newsletter"
	for _, ev := range s.Send(t, sample, p) {
		clicked := ev.(*anymail.TrackingEvent)
		fmt.Println(clicked.Type, clicked.Recipient, clicked.Tags)
	}
	// Output: clicked ada@example.com [newsletter]
}

// The server refuses a request and reports the reason.
func ExampleServer_Post() {
	t := new(exampleT) // in a test, its *testing.T
	defer t.done()

	s := anymailtest.NewServer(t, mailgunsim.New())
	sample, _ := s.Simulator.Sample("opened")
	unsigned := s.Address(t, sample.Make(simulator.NewParams()))
	status, _ := s.Post(t, unsigned)
	fmt.Println(status)
	fmt.Println(errors.Is(s.Rejections.All()[0].Err, anymail.ErrUnauthenticated), len(s.Events()))
	// Output:
	// 400
	// true 0
}

// Equal compares events without Raw and Key, here those that an adapter makes of a
// body of your own.
func ExampleEqual() {
	t := new(exampleT) // in a test, its *testing.T
	defer t.done()

	adapter, err := postmark.New(postmark.Config{})
	if err != nil {
		t.Fatalf("%v", err)
	}
	body := `{"RecordType": "Delivery", "MessageID": "m-1", "Recipient": "ada@example.com", "DeliveredAt": "2026-09-21T14:13:20Z"}`
	events := anymailtest.Parse(t, adapter, simulator.JSON("tracking", []byte(body)))
	anymailtest.Equal(t, &anymail.TrackingEvent{
		Common: anymail.Common{
			ESP: postmark.ESP, Type: anymail.EventDelivered, Timestamp: time.Date(2026, time.September, 21, 14, 13, 20, 0, time.UTC),
		},
		MessageID: "m-1", Recipient: "ada@example.com",
	}, events[0])
	fmt.Println(len(events), "event, as it should be")
	// Output: 1 event, as it should be
}
