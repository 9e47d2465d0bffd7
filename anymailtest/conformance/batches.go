package conformance

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/simulator"
)

// testBatch: events in one request have the types and keys that they have in
// requests of their own. An ESP that batches its events differently when it
// retries has each of them processed once.
func testBatch(t *testing.T, sim *simulator.Simulator) {
	if sim.Batch == nil {
		t.Skip("the ESP has no batches")
	}
	together := map[string][]simulator.Request{} // by endpoint
	alone := map[string][]anymail.Event{}
	for _, sample := range sim.Samples {
		if len(sample.Types) != 1 || sample.Types[0] == anymail.EventInbound || sample.Types[0] == anymail.EventInboundFailed {
			continue
		}
		p := simulator.NewParams()
		together[sample.Endpoint] = append(together[sample.Endpoint], sample.Make(p))
		alone[sample.Endpoint] = append(alone[sample.Endpoint], anymailtest.NewServer(t, sim).Send(t, sample, p)...)
	}
	for endpoint, requests := range together {
		s := anymailtest.NewServer(t, sim)
		batch, err := sim.Batch(requests)
		if err != nil {
			t.Fatalf("endpoint %q: %v", endpoint, err)
		}
		if status, _ := s.Post(t, s.Sign(t, batch)); status != http.StatusOK {
			t.Fatalf("endpoint %q: answered %d to a batch: %s", endpoint, status, s.Rejections)
		}
		if diff := cmp.Diff(typesAndKeys(alone[endpoint]), typesAndKeys(s.Take())); diff != "" {
			t.Errorf("endpoint %q: types and keys of events (-posted alone +posted together):\n%s", endpoint, diff)
		}
	}
}

func typesAndKeys(events []anymail.Event) (list []string) {
	for _, ev := range events {
		list = append(list, string(ev.Base().Type)+" "+ev.Base().Key)
	}
	return list
}
