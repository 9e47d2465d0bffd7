package conformance

import (
	"errors"
	"net/http"
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/simulator"
)

// testFailingReceiver: the answer to a request whose receiver failed makes the
// ESP retry, and the identical request is accepted then.
func testFailingReceiver(t *testing.T, sim *simulator.Simulator) {
	untilOneFails(t, sim, func(t *testing.T, s *anymailtest.Server, sample simulator.Sample) {
		if len(sample.Types) == 0 {
			t.Skip("a ping")
		}
		fail := true
		s.Err = func(anymail.Event) error {
			if fail {
				return errors.New("out of order")
			}
			return nil
		}
		request := s.Prepare(t, sample, simulator.NewParams())
		want := mapped(endpointOf(t, sim, request.Endpoint), http.StatusInternalServerError)
		if status, _ := s.Post(t, request); status != want {
			t.Errorf("answered %d to a failing receiver, want %d", status, want)
		}
		s.Take()
		fail = false
		if status, _ := s.Post(t, request); status != http.StatusOK {
			t.Errorf("answered %d to the identical request: %s", status, s.Rejections)
		}
		if n := len(s.Take()); n != len(sample.Types) {
			t.Errorf("ran %d events then, want %d", n, len(sample.Types))
		}
	})
}
