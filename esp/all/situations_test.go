package all_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/all/alltest"
)

// One situation has one outcome, whichever ESP reports it.
func TestSituations(t *testing.T) {
	outcomes := map[string]map[string]alltest.Outcome{}
	for _, kit := range alltest.Kits() {
		var err error
		outcomes[kit.ESP], err = alltest.Outcomes(kit)
		require.NoError(t, err)
	}
	var known []alltest.Outcome
	for _, situation := range alltest.Situations() {
		known = append(known, situation.Outcome)
		t.Run(situation.Name, func(t *testing.T) {
			for _, name := range situation.Samples {
				esp, sample, _ := strings.Cut(name, "/")
				got, ok := outcomes[esp][sample]
				require.True(t, ok, "there is no sample %q", name)
				if _, other := situation.Except[name]; other {
					require.False(t, got.Like(situation.Outcome), "%s is no exception", name)
				} else {
					require.True(t, got.Like(situation.Outcome), "%s is %s, but should be %s", name, got, situation.Outcome)
				}
			}
			for name := range situation.Except {
				require.Contains(t, situation.Samples, name)
			}
		})
	}
	for esp, samples := range outcomes {
		for sample, got := range samples {
			require.True(t, got.Type == anymail.EventUnknown || slices.ContainsFunc(known, got.Like),
				"%s/%s is %s, which no situation is: write down which one it is", esp, sample, got)
		}
	}
}
