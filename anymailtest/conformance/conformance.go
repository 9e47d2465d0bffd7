// Package conformance is the test suite that every adapter passes. [Run] runs it
// over real HTTP, with an adapter and requests of the ESP's simulator. Its
// groups, each a file of this package:
//
//	simulator   the simulator itself: sample names, an unknown event, answers
//	samples     every sample is accepted
//	times       times depend neither on the local zone nor on the time of receipt
//	events      every sample becomes the events that it promises; their time, raw
//	            and JSON form are right; each has the fields of its type only
//	keys        a redelivered event keeps its key, any other event has another
//	batches     a batch becomes the events of its parts
//	receivers   the ESP retries after a receiver failed
//	secrets     the shared secret is checked; nothing starts without a key or a secret
//	malformed   malformed events are delivered as unknown; malformed and oversized
//	            bodies are refused; nothing is lost of a body that is not recognized
//	mutations   no mutation of a sample verifies or makes the adapter panic
//	vectors     signatures that the ESP published, or that another program made, verify
//	signatures  forged, replayed and stale requests are refused; every key of a
//	            rotation is accepted
package conformance

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/simulator"
)

// Run runs the suite for the adapter of a simulator. It stops after the samples
// if one of them is refused, because everything else would fail for the same
// reason.
//
// Run sets time.Local for a moment, so no other test may run at the same time.
func Run(t *testing.T, sim *simulator.Simulator) {
	t.Helper()
	for _, g := range groups {
		if g.signed && sim.NewCredential == nil {
			continue
		}
		if ok := t.Run(g.name, func(t *testing.T) { g.test(t, sim) }); !ok && g.name == "samples" {
			return
		}
	}
}

// groups are the tests of the suite, in order.
var groups = []struct {
	name   string
	test   func(*testing.T, *simulator.Simulator)
	signed bool // of signatures only
}{
	{"simulator", testSimulator, false},
	{"samples", testSamples, false},
	{"times", testTimes, false},
	{"events", testEvents, false},
	{"keys", testKeys, false},
	{"batch", testBatch, false},
	{"failing receiver", testFailingReceiver, false},
	{"shared secret", testSharedSecret, false},
	{"open endpoint", testOpenEndpoint, false},
	{"malformed batch", testMalformedBatch, false},
	{"malformed body", testMalformedBody, false},
	{"unrecognized", testUnrecognized, false},
	{"too large", testTooLarge, false},
	{"mutations", testMutations, false},
	{"vectors", testVectors, true},
	{"forged", testForged, true},
	{"headers", testHeaders, true},
	{"rotation", testRotation, true},
	{"replay", testReplay, true},
	{"stale", testStale, true},
}

// A check tests one sample on a server of its own.
type check func(t *testing.T, s *anymailtest.Server, sample simulator.Sample)

// forEach runs a check for every sample.
func forEach(t *testing.T, sim *simulator.Simulator, run check) {
	t.Helper()
	for _, sample := range sim.Samples {
		t.Run(sample.Name, func(t *testing.T) { run(t, anymailtest.NewServer(t, sim), sample) })
	}
}

// untilOneFails runs a check for every sample until it fails: the other samples
// would most likely fail for the same reason.
func untilOneFails(t *testing.T, sim *simulator.Simulator, run check) {
	t.Helper()
	for _, sample := range sim.Samples {
		if !t.Run(sample.Name, func(t *testing.T) { run(t, anymailtest.NewServer(t, sim), sample) }) {
			t.Log("the other samples were not tried: they would most likely fail for the same reason")
			return
		}
	}
}

// forSigned does what untilOneFails does, for the samples that the ESP signs.
func forSigned(t *testing.T, sim *simulator.Simulator, run check) {
	t.Helper()
	untilOneFails(t, sim, func(t *testing.T, s *anymailtest.Server, sample simulator.Sample) {
		if !sim.Signs(sample.Endpoint) {
			t.Skip("the ESP does not sign this endpoint")
		}
		run(t, s, sample)
	})
}

func newAccount(t *testing.T, sim *simulator.Simulator) (anymail.Adapter, simulator.Credential) {
	t.Helper()
	adapter, credential, err := sim.NewAccount()
	if err != nil {
		t.Fatal(err)
	}
	return adapter, credential
}

func endpoint(t *testing.T, adapter anymail.Adapter, path string) anymail.Endpoint {
	t.Helper()
	for _, ep := range adapter.Endpoints() {
		if ep.Path == path {
			return ep
		}
	}
	t.Fatalf("the adapter has no endpoint %q", path)
	return anymail.Endpoint{}
}

// endpointOf returns an endpoint of a new adapter.
func endpointOf(t *testing.T, sim *simulator.Simulator, path string) anymail.Endpoint {
	t.Helper()
	adapter, _ := newAccount(t, sim)
	return endpoint(t, adapter, path)
}

// mapped returns what an endpoint answers instead of a status.
func mapped(ep anymail.Endpoint, status int) int {
	if ep.MapStatus == nil {
		return status
	}
	return ep.MapStatus(status)
}

// expectRefused posts a request. It fails the test unless the answer is what the
// ESP is told instead of status, no event was delivered, and one rejection of
// that kind was reported. Neither the answer nor the error may help an attacker.
func expectRefused(t *testing.T, s *anymailtest.Server, r simulator.Request, status int, kind error) {
	t.Helper()
	status = mapped(endpointOf(t, s.Simulator, r.Endpoint), status)
	s.Take()
	before := len(s.Rejections.All())
	got, body := s.Post(t, r)
	events, rejections := s.Take(), s.Rejections.All()[before:]
	switch {
	case len(events) > 0:
		t.Fatalf("accepted: answered %d, and %d events were delivered; want %d and none", got, len(events), status)
	case len(rejections) != 1:
		t.Fatalf("answered %d, want %d; %d rejections were reported, want 1", got, status, len(rejections))
	case !errors.Is(rejections[0].Err, kind):
		t.Fatalf("refused for another reason than %q: %v", kind, rejections[0].Err)
	case got != status:
		t.Errorf("answered %d, want %d", got, status)
	}
	if strings.TrimSpace(body) != http.StatusText(status) {
		t.Errorf("the answer is %q, want %q: more may help an attacker", body, http.StatusText(status))
	}
	text := rejections[0].Err.Error()
	if key := s.Credential.Config; key != "" && strings.Contains(text, key) {
		t.Errorf("the error contains the key: %s", text)
	}
	for name, values := range rejections[0].Received.Header {
		if key := s.Credential.Config; key != "" && strings.Contains(strings.Join(values, "\n"), key) {
			t.Errorf("Rejection.Received has header %s, which holds the key: SecretHeaders must name it", name)
		}
	}
	if rejections[0].Payload != nil && errors.Is(kind, anymail.ErrUnauthenticated) {
		t.Error("the payload of an unauthenticated request was reported")
	}
}
