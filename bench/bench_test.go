package bench

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSubjects runs each subject once, so that the benchmarks keep working. If it
// fails, "go test -bench Request" prints the reason.
func TestSubjects(t *testing.T) {
	require.NoError(t, flag.Set("test.benchtime", "1x"))
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t, s.sim(), 1, min(s.batch, len(s.samples)), s.samples...)
			steps := append([]peer{{"floor", s.floor}, {"stages", func(b *testing.B, w *world) { w.runStages(b) }}}, s.peers...)
			steps = append(steps, peer{"anymail", func(b *testing.B, w *world) { w.run(b) }})
			for _, step := range steps {
				ran := testing.Benchmark(func(b *testing.B) { step.run(b, w) })
				require.NotZero(t, ran.N, step.name)
			}
		})
	}
}
