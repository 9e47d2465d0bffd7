package allsim_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/all/allsim"
)

// A situation has the same meaning at every ESP that reports it.
func TestSituations(t *testing.T) {
	meanings := map[string]map[string]allsim.Meaning{}
	for _, sim := range allsim.List() {
		var err error
		meanings[sim.ESP], err = allsim.Meanings(sim)
		require.NoError(t, err)
	}
	var known []allsim.Meaning
	for _, situation := range allsim.Situations() {
		known = append(known, situation.Meaning)
		t.Run(situation.Name, func(t *testing.T) {
			for _, name := range situation.Samples {
				esp, sample, _ := strings.Cut(name, "/")
				got, ok := meanings[esp][sample]
				require.True(t, ok, "there is no sample %q", name)
				if _, other := situation.Except[name]; other {
					require.False(t, got.Like(situation.Meaning), "%s is no exception", name)
				} else {
					require.True(t, got.Like(situation.Meaning), "%s is %s, but should be %s", name, got, situation.Meaning)
				}
			}
			for name := range situation.Except {
				require.Contains(t, situation.Samples, name)
			}
		})
	}
	for esp, samples := range meanings {
		for sample, got := range samples {
			require.True(t, got.Type == anymail.EventUnknown || slices.ContainsFunc(known, got.Like),
				"%s/%s is %s, which no situation is: write down which one it is", esp, sample, got)
		}
	}
}
