// Package simulator plays an e-mail service provider (ESP): it makes the ESP's
// keys, its adapter, and signed requests of every event type that the ESP has.
// Programs use it for demonstrations and to send test events. Tests use it
// together with package anymailtest.
//
// The simulator of an ESP is in that ESP's folder, such as
// esp/mailgun/mailgunsim. Package esp/all/allsim lists all of them.
package simulator

import (
	"net/http"
	"slices"
	"time"

	"github.com/goanymail/anymail"
)

// Simulator plays one ESP.
type Simulator struct {
	// ESP is the canonical name, Title what people call it.
	ESP   string
	Title string
	// NewCredential makes a new key, as the ESP shows it or is given it. It is
	// nil if the ESP signs nothing.
	NewCredential func() Credential
	// NewAdapter makes the adapter that trusts these credentials. An adapter
	// that fetches something from its ESP is connected to an [API] that holds
	// what the samples refer to.
	NewAdapter func(trusted ...Credential) (anymail.Adapter, error)
	// Client reaches the [API] to which NewAdapter connects adapters, for those
	// that are made otherwise. It is nil if the adapter fetches nothing.
	Client *http.Client
	// Sign signs a request as the ESP does at that time. It may change
	// everything but the meaning of the request. It is nil if the ESP signs
	// nothing.
	Sign func(r *Request, c Credential, at time.Time) error
	// Vectors are signed requests that neither this simulator nor the adapter made.
	// They keep the two from sharing a mistake.
	Vectors []Vector
	// Samples holds one or more for every event type that the ESP has.
	Samples []Sample
	// Situations names the situation of a sample, by the sample's name, if its
	// meaning does not tell: see package esp/all/allsim.
	Situations map[string]string
	// Batch joins the events of several unsigned requests, made by tracking
	// samples of one endpoint, into one request. It is nil if the ESP has no
	// batches.
	Batch func(requests []Request) (Request, error)
	// Malformed makes an unsigned batch of three events, the second of which
	// is malformed. It is nil if the ESP has no batches.
	Malformed func(Params) Request
	// UnsignedEndpoints are the endpoints whose requests the ESP does not sign,
	// although it signs others.
	UnsignedEndpoints []string
	// BodyUnsigned reports that signatures do not cover the body.
	BodyUnsigned bool
}

// Vector is a request with a genuine signature.
type Vector struct {
	// Source is where it is from: a page of the ESP, or the program that signed it.
	Source string
	// Credential is what the user configures.
	Credential string
	// At is the signed time. It is zero if none is signed.
	At      time.Time
	Request Request
}

// Sample makes one kind of request.
type Sample struct {
	// Name is unique in the simulator. It is the ESP's own name of the event
	// if that is enough, for example "bounce" or "bounce-blocked".
	Name string
	// Endpoint is the path of the adapter's endpoint that receives the request.
	Endpoint string
	// Events returns the events that the request becomes, in order and whole: all
	// but ESP, Key and Raw. A ping becomes none. What an event has is a matter of the
	// ESP's documentation, not of the adapter.
	Events func(Params) []anymail.Event
	// Types are the types of the request's events, in order. A ping has none.
	Types []anymail.EventType
	// Reason is the reject reason of the first event.
	Reason anymail.RejectReason
	// Untimed reports that the ESP gives no time with this event.
	Untimed bool
	// TakesMIME reports that the event's message is [Params].MIME. At least one
	// inbound sample of every ESP takes it.
	TakesMIME bool
	// Fetched reports that the adapter fetches a part of the event from the ESP's
	// web API. Only Client of the [Simulator] reaches the [API] that has it.
	Fetched bool
	// Make makes the request, not yet signed.
	Make func(Params) Request
}

// Sample returns the sample of that name, and whether there is one.
func (s *Simulator) Sample(name string) (Sample, bool) {
	return s.first(func(sample Sample) bool { return sample.Name == name })
}

// SampleOf returns the first sample whose first event has that type and that
// meets all conditions, and whether there is one.
func (s *Simulator) SampleOf(typ anymail.EventType, conditions ...func(Sample) bool) (Sample, bool) {
	return s.first(func(sample Sample) bool {
		if len(sample.Types) == 0 || sample.Types[0] != typ {
			return false
		}
		return !slices.ContainsFunc(conditions, func(meets func(Sample) bool) bool { return !meets(sample) })
	})
}

func (s *Simulator) first(match func(Sample) bool) (Sample, bool) {
	if i := slices.IndexFunc(s.Samples, match); i >= 0 {
		return s.Samples[i], true
	}
	return Sample{}, false
}

// NewAccount makes an adapter that trusts one new credential, and returns both.
// The credential is the zero value if the ESP signs nothing.
func (s *Simulator) NewAccount() (anymail.Adapter, Credential, error) {
	if s.NewCredential == nil {
		adapter, err := s.NewAdapter()
		return adapter, Credential{}, err
	}
	credential := s.NewCredential()
	adapter, err := s.NewAdapter(credential)
	return adapter, credential, err
}

// SignNow signs a request, if the ESP signs requests to its endpoint.
func (s *Simulator) SignNow(r *Request, c Credential) error {
	if !s.Signs(r.Endpoint) {
		return nil
	}
	return s.Sign(r, c, time.Now())
}

// Signs reports whether the ESP signs requests to an endpoint.
func (s *Simulator) Signs(endpoint string) bool {
	return s.Sign != nil && !slices.Contains(s.UnsignedEndpoints, endpoint)
}
