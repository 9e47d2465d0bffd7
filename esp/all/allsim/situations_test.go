package allsim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/all/allsim"
)

// A situation has the same meaning at every ESP that reports it.
func TestSituations(t *testing.T) {
	situations := allsim.AllSituations()
	excepted := map[string]bool{}
	for _, sim := range allsim.List() {
		meanings, err := allsim.Meanings(sim)
		require.NoError(t, err)
		for sample := range sim.Situations {
			require.Contains(t, meanings, sample, "%s names a situation of a sample that it does not have", sim.ESP)
		}
		for sample, m := range meanings {
			name := sim.ESP + "/" + sample
			situation := situations.Find(sim, sample, m)
			if situation == nil {
				require.Empty(t, sim.Situations[sample], "%s: there is no such situation", name)
				require.Equal(t, anymail.EventUnknown, m.Type, "%s is %s, which no situation is: write down which one it is", name, m)
				continue
			}
			_, other := situation.Except[name]
			require.Equal(t, other, !m.Like(situation.Meaning), "%s is %s; %q is %s", name, m, situation.Name, situation.Meaning)
			excepted[name] = other
		}
	}
	for _, situation := range situations {
		for name := range situation.Except {
			require.True(t, excepted[name], "%s is no exception", name)
		}
	}
}
