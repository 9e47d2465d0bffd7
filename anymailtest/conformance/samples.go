package conformance

import (
	"net/http"
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/simulator"
)

// testSimulator: sample names are unique, there is a sample of an event that the
// adapter does not know, and no endpoint turns an error into a success.
func testSimulator(t *testing.T, sim *simulator.Simulator) {
	seen := map[string]bool{}
	types := map[anymail.EventType]bool{}
	tracking := false
	for _, s := range sim.Samples {
		if seen[s.Name] {
			t.Errorf("two samples have the name %q", s.Name)
		}
		seen[s.Name] = true
		tracking = tracking || s.Endpoint == "tracking"
		for _, typ := range s.Types {
			types[typ] = true
		}
	}
	if tracking && !types[anymail.EventUnknown] {
		t.Error("no sample of an event that the adapter does not know")
	}
	adapter, _ := newAccount(t, sim)
	for _, ep := range adapter.Endpoints() {
		for from := http.StatusBadRequest; from < 600; from++ {
			if to := mapped(ep, from); to < http.StatusBadRequest {
				t.Errorf("endpoint %q answers %d instead of %d: the ESP would not know that something went wrong", ep.Path, to, from)
			}
		}
	}
}

// testSamples: the adapter authenticates and reads every sample.
func testSamples(t *testing.T, sim *simulator.Simulator) {
	for _, sample := range sim.Samples {
		adapter, credential := newAccount(t, sim)
		s := anymailtest.NewServerFor(t, sim, adapter)
		s.Credential = credential
		request := s.Prepare(t, sample, simulator.NewParams())
		if status, _ := s.Post(t, request); status != http.StatusOK {
			t.Errorf("sample %q: answered %d: %s%s", sample.Name, status, s.Rejections, compared(endpoint(t, adapter, sample.Endpoint).Verifier, request.Payload(sim.ESP)))
		}
	}
	if t.Failed() {
		t.Log("either the simulator does not make what the ESP posts, or the adapter does not read it; the other tests wait for that")
	}
}
