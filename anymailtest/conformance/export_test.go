package conformance

import (
	"strings"
	"testing"

	"github.com/goanymail/anymail/simulator"
)

// RunGroup runs the group of the suite that a test belongs to.
func RunGroup(t *testing.T, sim *simulator.Simulator, test string) {
	name, _, _ := strings.Cut(strings.ReplaceAll(test, "_", " "), "/")
	for _, g := range groups {
		if g.name == name {
			t.Run(g.name, func(t *testing.T) { g.test(t, sim) })
			return
		}
	}
	t.Fatalf("the suite has no group %q", name)
}
