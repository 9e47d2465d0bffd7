package all_test

import (
	"log/slog"
	"net/http"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

// For every ESP that signs, to refuse a forgery allocates less than to take the
// original does, if both have the shared secret. The line in the log comes on top.
func TestForgeriesAllocateLess(t *testing.T) {
	for _, sim := range allsim.List() {
		if sim.NewCredential == nil {
			continue
		}
		t.Run(sim.ESP, func(t *testing.T) {
			ours, theirs := sim.NewCredential(), sim.NewCredential()
			adapter, err := sim.NewAdapter(ours)
			require.NoError(t, err)
			d, err := anymail.New(anymail.WithSharedSecret(anymailtest.SharedSecret), anymail.WithLogger(slog.New(slog.DiscardHandler)))
			require.NoError(t, err)
			require.NoError(t, d.Register(sim.ESP, adapter))
			require.NoError(t, new(anymailtest.Recorder).Connect(&d.Signals, "recorder"))

			handle(t, d, sim, ours) // fetches certificates, fills caches and pools
			handle(t, d, sim, theirs)
			var accepted, forged outcome
			for range 5 { // what runs in the background allocates too
				accepted = handle(t, d, sim, ours)
				forged = handle(t, d, sim, theirs)
				require.Equal(t, http.StatusOK, accepted.status)
				require.Equal(t, http.StatusBadRequest, forged.status)
				if forged.bytes < accepted.bytes {
					break
				}
			}
			require.Less(t, forged.bytes, accepted.bytes)
			t.Logf("%d of %d bytes", forged.bytes, accepted.bytes)
		})
	}
}

type outcome struct {
	status int    // of all requests
	bytes  uint64 // that handling one of them allocates, on average
}

// handle makes some requests of a simulator's first signed sample and handles them.
func handle(t *testing.T, handler http.Handler, sim *simulator.Simulator, signer simulator.Credential) (o outcome) {
	t.Helper()
	const n = 20
	var requests []*http.Request
	for _, sample := range sim.Samples {
		if !sim.Signs(sample.Endpoint) || len(sample.Types) == 0 {
			continue
		}
		for range n {
			r := sample.Make(simulator.NewParams())
			var err error
			r.URL, err = simulator.EndpointURL("http://hooks.example.com", sim.ESP, r.Endpoint)
			require.NoError(t, err)
			r.Header = r.Header.Clone()
			simulator.SetSecret(&r, anymailtest.SharedSecret)
			require.NoError(t, sim.SignNow(&r, signer))
			request, err := r.HTTP()
			require.NoError(t, err)
			request.Host, request.RemoteAddr = "hooks.example.com", "192.0.2.1:1"
			requests = append(requests, request)
		}
		break
	}
	require.Len(t, requests, n)

	answers := make([]*answer, n)
	for i := range answers {
		answers[i] = &answer{header: http.Header{}}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i, r := range requests {
		handler.ServeHTTP(answers[i], r)
	}
	runtime.ReadMemStats(&after)
	for _, a := range answers {
		require.Equal(t, answers[0].status, a.status)
	}
	return outcome{answers[0].status, (after.TotalAlloc - before.TotalAlloc) / n}
}

// answer is a ResponseWriter that costs nothing itself.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header          { return a.header }
func (a *answer) WriteHeader(status int)       { a.status = status }
func (*answer) Write(text []byte) (int, error) { return len(text), nil }
