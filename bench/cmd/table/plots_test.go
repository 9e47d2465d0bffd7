package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDraw(t *testing.T) {
	fs, err := read(strings.NewReader(`
BenchmarkGrowth/events=1      100  10620 ns/op
BenchmarkGrowth/events=3000   100  17877511 ns/op
BenchmarkGrowth/receivers=1   100  11165 ns/op
BenchmarkGrowth/receivers=64  100  39232 ns/op
BenchmarkGrowth/accounts=1    100  12804 ns/op
BenchmarkGrowth/accounts=1000 100  17582 ns/op
BenchmarkGrowth/MiB=1         100  5752083 ns/op
BenchmarkGrowth/MiB=25        100  97108000 ns/op
BenchmarkKeys/1000            100  134 ns/op
BenchmarkKeys/1000000         100  938 ns/op
`))
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, fs.draw(folder))
	for _, curve := range curves {
		text, err := os.ReadFile(filepath.Join(folder, curve.file+".svg"))
		require.NoError(t, err)
		require.Contains(t, string(text), curve.x)
	}
	require.Error(t, (&figures{}).draw(folder), "a curve without points")
}
