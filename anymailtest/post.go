package anymailtest

import (
	"bytes"
	"cmp"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/simulator"
)

// NewWebhook returns a webhook of a simulator's ESP with the URL
// https://hooks.example.com/anymail, [SharedSecret] and a new key, of which
// Credential.Config is the part that a program is configured with. Change its
// fields if your program is mounted elsewhere or has keys of its own.
func NewWebhook(sim *simulator.Simulator) simulator.Webhook {
	w := simulator.Webhook{Simulator: sim, URL: "https://hooks.example.com/anymail", Secret: SharedSecret}
	if sim.NewCredential != nil {
		w.Credential = sim.NewCredential()
	}
	return w
}

// Post passes to a handler of your own, such as your program's router, a signed
// request of an event type, and returns the answer. The request comes from a
// loopback address, and over TLS if the webhook's URL begins with https. Post fails
// the test if the ESP has no such event.
//
// The request is that of the ESP's first sample of the type: see
// [simulator.Simulator.SampleOf]. Each has new ids, so none is a redelivery, except
// that some ESPs have no id for received mail but that of the message.
func Post(t testing.TB, handler http.Handler, w simulator.Webhook, typ anymail.EventType, options ...Option) *httptest.ResponseRecorder {
	t.Helper()
	c := choice{t: t, params: simulator.NewParams()}
	for _, option := range options {
		option(&c)
	}
	sample, ok := w.Simulator.SampleOf(typ, c.conditions...)
	if !ok {
		t.Fatalf("anymailtest: %s has no sample of %s with these options", w.Simulator.Title, typ)
	}
	request, err := w.Sign(sample.Make(c.params))
	if err != nil {
		t.Fatalf("anymailtest: %v", err)
	}
	r := httptest.NewRequestWithContext(t.Context(), cmp.Or(request.Method, http.MethodPost), request.URL, bytes.NewReader(request.Body))
	maps.Copy(r.Header, request.Header)
	r.RequestURI = r.URL.RequestURI() // without the host, as clients send it
	r.RemoteAddr = "127.0.0.1:1024"   // test certificates count only for such clients
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, r)
	return answer
}

// Option selects what the event of [Post] is about.
type Option func(*choice)

// choice is what options select.
type choice struct {
	t          testing.TB
	params     simulator.Params
	conditions []func(simulator.Sample) bool
}

// Recipient is the address of the recipient of the message that a tracking event is
// about.
func Recipient(address string) Option {
	return func(c *choice) { c.params.Recipient = address }
}

// MessageID is the id of the message, as the send API returned it.
func MessageID(id string) Option {
	return func(c *choice) { c.params.MessageID = id }
}

// Tag is the tag of the message.
func Tag(tag string) Option {
	return func(c *choice) { c.params.Tag = tag }
}

// Metadata is the metadata of the message.
func Metadata(metadata map[string]string) Option {
	return func(c *choice) { c.params.Metadata = metadata }
}

// Reason selects a sample with a reject reason. There are several bounces, for
// example, and the first need not be one of an invalid address.
func Reason(reason anymail.RejectReason) Option {
	return func(c *choice) {
		c.conditions = append(c.conditions, func(s simulator.Sample) bool { return s.Reason == reason })
	}
}

// Message is the received message of an inbound event, as raw MIME. If the ESP does
// not post it, the adapter fetches it: connect yours to Client of the simulator.
func Message(mime []byte) Option {
	return func(c *choice) {
		c.params.SetMIME(mime)
		c.conditions = append(c.conditions, func(s simulator.Sample) bool { return s.TakesMIME })
	}
}

// EML is the [Message] in a file. Post fails the test if it cannot be read.
func EML(file string) Option {
	return func(c *choice) {
		c.t.Helper()
		mime, err := os.ReadFile(file)
		if err != nil {
			c.t.Fatalf("anymailtest: %v", err)
		}
		Message(mime)(c)
	}
}
