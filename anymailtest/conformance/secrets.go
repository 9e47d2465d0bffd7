package conformance

import (
	"errors"
	"net/http"
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/simulator"
)

// testSharedSecret: a request with a wrong or no shared secret is refused.
func testSharedSecret(t *testing.T, sim *simulator.Simulator) {
	untilOneFails(t, sim, func(t *testing.T, s *anymailtest.Server, sample simulator.Sample) {
		request := s.Prepare(t, sample, simulator.NewParams())
		authorization := request.Header.Get("Authorization")
		request.Header.Set("Authorization", authorization[:len(authorization)-4]+"AAA=")
		expectRefused(t, s, request, http.StatusBadRequest, anymail.ErrUnauthenticated)

		request.Header.Del("Authorization")
		status := http.StatusBadRequest
		if endpointOf(t, sim, sample.Endpoint).Challenge {
			status = http.StatusUnauthorized
		}
		expectRefused(t, s, request, status, anymail.ErrUnauthenticated)
	})
}

// testOpenEndpoint: nothing starts without a key or a shared secret.
func testOpenEndpoint(t *testing.T, sim *simulator.Simulator) {
	adapter, err := sim.NewAdapter()
	if err != nil {
		if !errors.Is(err, anymail.ErrConfig) {
			t.Errorf("New without keys: %v, want ErrConfig", err)
		}
		return
	}
	d, err := anymail.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Register(sim.ESP, adapter); !errors.Is(err, anymail.ErrConfig) {
		t.Errorf("Register without a key or a secret: %v, want ErrConfig", err)
	}
}
