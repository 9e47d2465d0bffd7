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

// A written package is formatted, compiles and conforms. Only the test that asks for a
// vector fails. It is written into this module, so that its dependencies need no
// network.
func TestWrite(t *testing.T) {
	dir, err := os.MkdirTemp(".", "written")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, scheme := range skeleton.Schemes() {
		t.Run(scheme, func(t *testing.T) {
			name := "pigeon" + scheme
			files, err := skeleton.Write(dir, name, "Pigeon Post", scheme)
			require.NoError(t, err)
			require.Len(t, files, 6)
			for _, file := range files {
				code, err := os.ReadFile(file)
				require.NoError(t, err)
				formatted, err := format.Source(code)
				require.NoError(t, err)
				require.Equal(t, string(formatted), string(code), "gofmt")
			}
			test := func(args ...string) ([]byte, error) {
				cmd := exec.CommandContext(t.Context(), "go", append([]string{"test"}, args...)...)
				cmd.Dir = filepath.Join(dir, name)
				return cmd.CombinedOutput()
			}
			out, err := test("-skip", "TestHasVector", "./...")
			require.NoError(t, err, "%s", out)
			out, err = test("-run", "TestHasVector", ".")
			require.Error(t, err)
			require.Contains(t, string(out), "TODO: Vectors")
		})
	}
}

func TestWriteRefuses(t *testing.T) {
	dir, err := os.MkdirTemp(".", "written")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	_, err = skeleton.Write(dir, "pigeonpost", "Pigeon Post", "hmac")
	require.NoError(t, err)
	_, err = skeleton.Write(dir, "pigeonpost", "Pigeon Post", "hmac")
	require.ErrorContains(t, err, "already exists")

	require.NoError(t, os.MkdirAll(filepath.Join(dir, "docs", "esps"), 0o750))
	files, err := skeleton.Write(filepath.Join(dir, "esp"), "dove", "Dove Post", "hmac")
	require.NoError(t, err)
	require.Len(t, files, 7)
	page, err := os.ReadFile(filepath.Join(dir, "docs", "esps", "dove.md"))
	require.NoError(t, err)
	require.Contains(t, string(page), "# Dove Post\n")
	for _, name := range []string{"", "Pigeon", "pigeon-post", "../x", "1st"} {
		_, err = skeleton.Write(dir, name, "x", "hmac")
		require.ErrorContains(t, err, "a name has", name)
	}
	for _, title := range []string{"", `"`, "a\nb", `\`} {
		_, err = skeleton.Write(dir, "dovepost", title, "hmac")
		require.ErrorContains(t, err, "a title has", title)
	}
	_, err = skeleton.Write(dir, "dovepost", "Dove Post", "carrier")
	require.ErrorContains(t, err, "one of hmac, standardwebhooks")
	_, err = skeleton.Write(t.TempDir(), "pigeonpost", "Pigeon Post", "hmac")
	require.ErrorContains(t, err, "go mod init")
}
