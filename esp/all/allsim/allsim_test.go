package allsim_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/esp/all/allsim"
)

// The list of simulators and the list of ESPs name the same ESPs, in alphabetical
// order.
func TestList(t *testing.T) {
	var want, got [][2]string
	for _, e := range all.List() {
		want = append(want, [2]string{e.Name, e.Title})
	}
	for _, sim := range allsim.List() {
		got = append(got, [2]string{sim.ESP, sim.Title})
		require.Equal(t, sim.Title, allsim.Find(sim.ESP).Title)
	}
	require.Equal(t, want, got)
	require.True(t, slices.IsSortedFunc(got, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }))
	require.Nil(t, allsim.Find("nobody"))
}
