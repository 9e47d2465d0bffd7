package inspect_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/cmd/anymail/internal/capture"
	"github.com/goanymail/anymail/cmd/anymail/internal/inspect"
	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

// Every event of every ESP is recognized without the URL.
func TestDetect(t *testing.T) {
	sims := allsim.List()
	detector, err := inspect.NewDetector(all.Specs(), sims)
	require.NoError(t, err)
	for _, sim := range sims {
		t.Run(sim.ESP, func(t *testing.T) {
			_, credential, err := sim.NewAccount()
			require.NoError(t, err)
			for _, sample := range sim.Samples {
				r := sample.Make(simulator.NewParams())
				r.URL = "https://hooks.example.com/webhook"
				r.Header = r.Header.Clone()
				require.NoError(t, sim.SignNow(&r, credential))
				spec, _, err := detector.Detect(&capture.Request{URL: r.URL, Header: r.Header, Body: r.Body})
				if len(sample.Types) == 0 && errors.Is(err, inspect.ErrUndetected) {
					continue // a ping may have nothing in it
				}
				if err != nil || spec.Name != sim.ESP {
					t.Errorf("%s: %s %v", sample.Name, spec.Name, err)
				}
			}
		})
	}
}
