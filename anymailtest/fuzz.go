package anymailtest

import (
	"context"
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/simulator"
)

// FuzzParser fuzzes the parser and the verifier of an endpoint. The simulator's
// samples are the seeds. The test fails if anything panics, if a body verifies,
// if a parser returns both events and an error, if an event has a type that
// [anymail.EventTypes] does not list, or if an event does not pass [RoundTrip].
func FuzzParser(f *testing.F, sim *simulator.Simulator, endpoint string) {
	f.Helper()
	seeds := 0
	for _, sample := range sim.Samples {
		if sample.Endpoint == endpoint {
			r := sample.Make(simulator.NewParams())
			f.Add(r.Header.Get("Content-Type"), r.Body)
			seeds++
		}
	}
	if seeds == 0 {
		f.Fatalf("the simulator has no sample for endpoint %q", endpoint)
	}
	adapter, _, err := sim.NewAccount()
	if err != nil {
		f.Fatal(err)
	}
	known := map[anymail.EventType]bool{"": true}
	for _, typ := range anymail.EventTypes() {
		known[typ] = true
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		r := simulator.JSON(endpoint, body)
		r.Header.Set("Content-Type", contentType)
		for _, ep := range adapter.Endpoints() {
			if ep.Path == endpoint && ep.Verifier != nil {
				if _, err := ep.Verifier.Verify(context.Background(), r.Payload(sim.ESP)); err == nil {
					t.Error("an unsigned body verifies")
				}
			}
		}
		events, err := simulator.Parse(adapter, r)
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
