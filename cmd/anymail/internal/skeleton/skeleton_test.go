package skeleton_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/cmd/anymail/internal/skeleton"
)

// What is written compiles and conforms. The directory stands in this module
// so that the library is found without a network.
func TestWrite(t *testing.T) {
	dir, err := os.MkdirTemp(".", "written")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	files, err := skeleton.Write(dir, "pigeonpost", "Pigeon Post")
	require.NoError(t, err)
	require.Len(t, files, 3)
	cmd := exec.CommandContext(t.Context(), "go", "test", "./...")
	cmd.Dir = filepath.Join(dir, "pigeonpost")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)

	_, err = skeleton.Write(dir, "pigeonpost", "Pigeon Post")
	require.ErrorContains(t, err, "there already")
	for _, name := range []string{"", "Pigeon", "pigeon-post", "../x", "1st"} {
		_, err = skeleton.Write(dir, name, "x")
		require.ErrorContains(t, err, "not a name", name)
	}
	_, err = skeleton.Write(t.TempDir(), "pigeonpost", "Pigeon Post")
	require.ErrorContains(t, err, "go mod init")
}
