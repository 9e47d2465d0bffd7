package conformance

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/simulator"
)

// testMutations: no mutation of a sample's body verifies, and none makes the
// adapter panic or write to the body.
func testMutations(t *testing.T, sim *simulator.Simulator) {
	adapter, _ := newAccount(t, sim)
	random := rand.New(rand.NewPCG(1, 2)) // the same in each run
	for _, sample := range sim.Samples {
		request := sample.Make(simulator.NewParams())
		ep := endpoint(t, adapter, sample.Endpoint)
		for range 100 {
			mutation := request
			mutation.Endpoint, mutation.Header = sample.Endpoint, request.Header.Clone()
			mutation.Body = mutate(random, request.Body)
			testMutation(t, ep, sample, mutation.Payload(sim.ESP))
			if t.Failed() {
				return // one example is enough
			}
		}
	}
}

func testMutation(t *testing.T, ep anymail.Endpoint, sample simulator.Sample, p *anymail.Payload) {
	t.Helper()
	defer func() {
		if v := recover(); v != nil {
			t.Errorf("%s: panic: %v on body\n%q", sample.Name, v, p.Body)
		}
	}()
	body := bytes.Clone(p.Body)
	if ep.Verifier != nil {
		if _, err := ep.Verifier.Verify(context.Background(), p); err == nil {
			t.Errorf("%s: an unsigned mutation verifies", sample.Name)
		}
	}
	_, _ = ep.Parser.ParseEvents(context.Background(), p)
	if !bytes.Equal(body, p.Body) {
		t.Errorf("%s: the body was changed from\n%q\nto\n%q", sample.Name, body, p.Body)
	}
}

// mutate changes, removes or repeats a part of body.
func mutate(random *rand.Rand, body []byte) []byte {
	out := bytes.Clone(body)
	if len(out) < 2 {
		return out
	}
	from := random.IntN(len(out) - 1)
	to := from + 1 + random.IntN(min(len(out)-from-1, 40))
	switch random.IntN(5) {
	case 0:
		return out[:from]
	case 1:
		return append(out[:from], out[to:]...)
	case 2:
		return append(bytes.Clone(out[:to]), out[from:]...)
	case 3:
		for i := from; i < to; i++ {
			out[i] = byte(random.IntN(256))
		}
	case 4:
		interesting := []string{"null", "[]", "{}", `""`, "-1", "1e999", `"\ud800"`, "99999999999999999999", "true", "[[[["}
		return append(append(bytes.Clone(out[:from]), interesting[random.IntN(len(interesting))]...), out[to:]...)
	}
	return out
}
