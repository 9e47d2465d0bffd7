package allsim_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/esp/all/allsim"
)

// The list of simulators and the list of ESPs name the same ESPs, in alphabetical
// order.
func TestList(t *testing.T) {
	var want, got [][2]string
	for _, e := range all.Specs() {
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

// Shipped programs use simulators. They must not link what only tests need.
func TestDependencies(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	packages := strings.Fields(string(out))
	require.Contains(t, packages, "github.com/goanymail/anymail/simulator")
	for _, unwanted := range []string{"testing", "net/http/httptest", "github.com/google/go-cmp/cmp", "github.com/stretchr/testify/require"} {
		require.NotContains(t, packages, unwanted)
	}
}
