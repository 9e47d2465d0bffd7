package anymailtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/goanymail/anymail"
)

// Parse gives a request to the parser of an adapter's endpoint, without a
// Dispatcher and unauthenticated, and returns the normalized events.
func Parse(adapter anymail.Adapter, r Request) ([]anymail.Event, error) {
	for _, ep := range adapter.Endpoints() {
		if ep.Path != r.Endpoint {
			continue
		}
		events, err := ep.Parser.ParseEvents(context.Background(), payload(adapter.ESP(), r))
		for _, ev := range events {
			anymail.Normalize(ev, adapter.ESP())
		}
		return events, err
	}
	return nil, fmt.Errorf("anymailtest: the adapter has no endpoint %q", r.Endpoint)
}

func payload(esp string, r Request) *anymail.Payload {
	return &anymail.Payload{
		ESP: esp, Name: esp, Endpoint: r.Endpoint, URL: r.URL,
		Header: r.Header, Body: r.Body, ReceivedAt: time.Now(),
	}
}

// Equal fails the test unless two events are equal but for Raw and Key. An
// expected event without a type is an [anymail.EventUnknown].
func Equal(t testing.TB, want, got anymail.Event) {
	t.Helper()
	if base := want.Base(); base.Type == "" {
		base.Type = anymail.EventUnknown
	}
	options := append(EventOptions(), cmpopts.IgnoreFields(anymail.Common{}, "Raw", "Key"))
	if diff := cmp.Diff(want, got, options...); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

// FuzzParser fuzzes the parser of an endpoint and its verifier, with the
// kit's samples as seeds. Nothing may panic, no mutation may verify, every
// event needs a type of the closed set, and its JSON form has to come back.
func FuzzParser(f *testing.F, kit *Kit, endpoint string) {
	f.Helper()
	contentTypes := map[string]bool{}
	for _, sample := range kit.Samples {
		if sample.Endpoint == endpoint {
			r := sample.Make(NewParams())
			contentTypes[r.Header.Get("Content-Type")] = true
			f.Add(r.Header.Get("Content-Type"), r.Body)
		}
	}
	if len(contentTypes) == 0 {
		f.Fatalf("the kit has no sample for endpoint %q", endpoint)
	}
	var trusted []Credential
	if kit.NewCredential != nil {
		trusted = append(trusted, kit.NewCredential())
	}
	adapter, err := kit.New(trusted...)
	if err != nil {
		f.Fatal(err)
	}
	known := map[anymail.EventType]bool{"": true}
	for _, typ := range anymail.EventTypes() {
		known[typ] = true
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		r := JSON(endpoint, body)
		r.Header.Set("Content-Type", contentType)
		for _, ep := range adapter.Endpoints() {
			if ep.Path == endpoint && ep.Verifier != nil {
				if _, err := ep.Verifier.Verify(context.Background(), payload(kit.ESP, r)); err == nil {
					t.Error("an unsigned body verifies")
				}
			}
		}
		events, err := Parse(adapter, r)
		if err != nil && len(events) > 0 {
			t.Errorf("%d events together with the error %v", len(events), err)
		}
		for _, ev := range events {
			if !known[ev.Base().Type] {
				t.Errorf("event type %q", ev.Base().Type)
			}
			RoundTrip(t, ev)
		}
	})
}
