package conformance

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/simulator"
)

// testForged: a request that is not signed, signed with another key, or changed
// after it was signed is refused.
func testForged(t *testing.T, sim *simulator.Simulator) {
	forSigned(t, sim, func(t *testing.T, s *anymailtest.Server, sample simulator.Sample) {
		refused := func(name string, r simulator.Request) {
			t.Run(name, func(t *testing.T) {
				expectRefused(t, s, r, http.StatusBadRequest, anymail.ErrUnauthenticated)
			})
		}
		refused("unsigned", s.Address(t, sample.Make(simulator.NewParams())))

		wrong := s.Address(t, sample.Make(simulator.NewParams()))
		if err := sim.SignNow(&wrong, sim.NewCredential()); err != nil {
			t.Fatal(err)
		}
		refused("wrong key", wrong)

		if sim.BodyUnsigned {
			return
		}
		changed := s.Prepare(t, sample, simulator.NewParams())
		changed.Body = bytes.Clone(changed.Body)
		changed.Body[len(changed.Body)/2] ^= 1
		refused("changed body", changed)

		truncated := s.Prepare(t, sample, simulator.NewParams())
		truncated.Body = truncated.Body[:len(truncated.Body)-1]
		refused("truncated body", truncated)

		if sample.Endpoint != "" {
			empty := s.Prepare(t, sample, simulator.NewParams())
			empty.Body = nil
			refused("empty body", empty)
		}
	})
}

// testHeaders: a header that a signature needs is refused if it is missing, if
// something follows its value, and if another value comes before or after it. If it is
// not needed, leaving it out does not weaken the proof.
func testHeaders(t *testing.T, sim *simulator.Simulator) {
	forSigned(t, sim, func(t *testing.T, _ *anymailtest.Server, sample simulator.Sample) {
		adapter, credential := newAccount(t, sim)
		ep := endpoint(t, adapter, sample.Endpoint)
		unsigned := sample.Make(simulator.NewParams())
		unsigned.URL = "https://hooks.example.com/anymail/" + sim.ESP + "/" + unsigned.Endpoint + "/"
		signed := unsigned
		signed.Header = unsigned.Header.Clone()
		if err := sim.SignNow(&signed, credential); err != nil {
			t.Fatal(err)
		}
		verify := func(name string, values ...string) (anymail.Proof, error) {
			r := signed
			r.Header = signed.Header.Clone()
			delete(r.Header, name)
			for _, value := range values {
				r.Header.Add(name, value)
			}
			p := r.Payload(sim.ESP)
			p.SecretProved = true
			return ep.Verifier.Verify(context.Background(), p)
		}
		for name, values := range signed.Header {
			if slices.Equal(values, unsigned.Header[name]) {
				continue
			}
			good := values[0]
			if proof, err := verify(name); err == nil {
				if whole, err := verify(name, values...); err != nil || whole.SignedAt.IsZero() != proof.SignedAt.IsZero() || (whole.Fingerprint == nil) != (proof.Fingerprint == nil) {
					t.Errorf("without the header %s, the request proves less and is accepted", name)
				}
				continue // not needed
			}
			for what, values := range map[string][]string{
				"with something after its value": {good + "0x"},
				"with another value before it":   {"0", good},
				"with another value after it":    {good, "0"},
			} {
				if _, err := verify(name, values...); err == nil {
					t.Errorf("the header %s is accepted %s", name, what)
				}
			}
		}
	})
}

// testRotation: both keys of a rotation are accepted, and the older one is
// refused after it.
func testRotation(t *testing.T, sim *simulator.Simulator) {
	forSigned(t, sim, func(t *testing.T, _ *anymailtest.Server, sample simulator.Sample) {
		older, newer := sim.NewCredential(), sim.NewCredential()
		serve := func(trusted ...simulator.Credential) *anymailtest.Server {
			adapter, err := sim.NewAdapter(trusted...)
			if err != nil {
				t.Fatal(err)
			}
			return anymailtest.NewServerFor(t, sim, adapter)
		}
		s := serve(newer, older)
		for i, credential := range []simulator.Credential{newer, older} {
			s.Credential = credential
			if status, _ := s.Post(t, s.Prepare(t, sample, simulator.NewParams())); status != http.StatusOK {
				t.Fatalf("signed with key %d of 2: answered %d: %s", i+1, status, s.Rejections)
			}
		}
		s = serve(newer) // the rotation is over
		s.Credential = older
		expectRefused(t, s, s.Prepare(t, sample, simulator.NewParams()), http.StatusBadRequest, anymail.ErrUnauthenticated)
	})
}

// testReplay: a signed request is accepted once. If the ESP repeats its
// signature when it retries, the redelivery is accepted and runs no receiver.
func testReplay(t *testing.T, sim *simulator.Simulator) {
	forSigned(t, sim, func(t *testing.T, _ *anymailtest.Server, sample simulator.Sample) {
		s, request, proof := prove(t, sim, sample, time.Now())
		if proof.Fingerprint == nil {
			t.Fatal("the proof has no fingerprint: signed requests can be replayed")
		}
		if status, _ := s.Post(t, request); status != http.StatusOK {
			t.Fatalf("answered %d: %s", status, s.Rejections)
		}
		if endpointOf(t, sim, request.Endpoint).RepeatsSignature {
			s.Take()
			status, _ := s.Post(t, request)
			if events := s.Take(); status != http.StatusOK || len(events) > 0 {
				t.Errorf("redelivered, answered %d and ran %d events", status, len(events))
			}
			return
		}
		expectRefused(t, s, request, http.StatusBadRequest, anymail.ErrReplayed)
	})
}

// longestWindow is longer than any ESP retries with one signature.
const longestWindow = 8 * 24 * time.Hour

// testStale: a request signed long ago, or long in the future, is refused.
func testStale(t *testing.T, sim *simulator.Simulator) {
	forSigned(t, sim, func(t *testing.T, _ *anymailtest.Server, sample simulator.Sample) {
		for _, off := range []time.Duration{-longestWindow, longestWindow} {
			s, request, proof := prove(t, sim, sample, time.Now().Add(off))
			if proof.SignedAt.IsZero() {
				t.Skip("the ESP signs no time")
			}
			expectRefused(t, s, request, http.StatusBadRequest, anymail.ErrReplayed)
		}
	})
}

// prove signs a sample's request at a time. It returns the request, a server
// that accepts its signature, and what the adapter's verifier finds in it.
func prove(t *testing.T, sim *simulator.Simulator, sample simulator.Sample, at time.Time) (*anymailtest.Server, simulator.Request, anymail.Proof) {
	t.Helper()
	adapter, credential := newAccount(t, sim)
	s := anymailtest.NewServerFor(t, sim, adapter)
	s.Credential = credential
	r := s.Address(t, sample.Make(simulator.NewParams()))
	if err := sim.Sign(&r, credential, at); err != nil {
		t.Fatal(err)
	}
	p := r.Payload(sim.ESP)
	p.SecretProved = true
	proof, err := endpoint(t, adapter, r.Endpoint).Verifier.Verify(context.Background(), p)
	if err != nil {
		t.Fatalf("a signed sample does not verify: %v", err)
	}
	return s, r, proof
}
