package gateway

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// Events and keys in a database are for the owner alone, whatever the umask allows.
func TestDatabasesAreForTheOwner(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	dir := t.TempDir()
	queue, err := OpenQueue(t.Context(), "sqlite:"+filepath.Join(dir, "queue.db"), new(anymail.Signals))
	require.NoError(t, err)
	defer queue.Close()
	_, db, err := openIdempotency(t.Context(), "sqlite:"+filepath.Join(dir, "done.db"))
	require.NoError(t, err)
	defer db.Close()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 6, "each has two more for its journal")
	for _, file := range files {
		info, err := file.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode(), file.Name())
	}
}
