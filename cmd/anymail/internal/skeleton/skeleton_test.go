package skeleton_test

import (
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/cmd/anymail/internal/skeleton"
)

// The written package is formatted, compiles and conforms. It is written into
// this module, so that its dependencies need no network.
func TestWrite(t *testing.T) {
	dir, err := os.MkdirTemp(".", "written")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	files, err := skeleton.Write(dir, "pigeonpost", "Pigeon Post")
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, file := range files {
		code, err := os.ReadFile(file)
		require.NoError(t, err)
		formatted, err := format.Source(code)
		require.NoError(t, err)
		require.Equal(t, string(formatted), string(code), "gofmt")
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "./...")
	cmd.Dir = filepath.Join(dir, "pigeonpost")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)

	_, err = skeleton.Write(dir, "pigeonpost", "Pigeon Post")
	require.ErrorContains(t, err, "already exists")

	require.NoError(t, os.MkdirAll(filepath.Join(dir, "docs", "esps"), 0o750))
	files, err = skeleton.Write(filepath.Join(dir, "esp"), "dove", "Dove Post")
	require.NoError(t, err)
	require.Len(t, files, 5)
	page, err := os.ReadFile(filepath.Join(dir, "docs", "esps", "dove.md"))
	require.NoError(t, err)
	require.Contains(t, string(page), "# Dove Post\n")
	for _, name := range []string{"", "Pigeon", "pigeon-post", "../x", "1st"} {
		_, err = skeleton.Write(dir, name, "x")
		require.ErrorContains(t, err, "a name has", name)
	}
	for _, title := range []string{"", `"`, "a\nb", `\`} {
		_, err = skeleton.Write(dir, "dovepost", title)
		require.ErrorContains(t, err, "a title has", title)
	}
	_, err = skeleton.Write(t.TempDir(), "pigeonpost", "Pigeon Post")
	require.ErrorContains(t, err, "go mod init")
}
