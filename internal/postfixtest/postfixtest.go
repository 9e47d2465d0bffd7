// Package postfixtest runs Postfix for tests.
package postfixtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const variable = "ANYMAIL_TEST_POSTFIX"

// Skip skips a test if no Postfix is configured.
func Skip(t *testing.T) {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Skip(variable + ", the path of the program postfix, is not set")
	}
}

// Start runs a Postfix of its own, which pipes all mail for in.test to the command
// "anymail relay", built from the sources in dir, and that to the URL, signed with the key.
// The domain local.test is its own, and has the users of the machine. It returns the
// address of its SMTP server.
func Start(t *testing.T, dir, to, key string) string {
	t.Helper()
	source, program := dir, os.Getenv(variable)
	dir, err := os.MkdirTemp("", "postfix") // t.TempDir is closed to Postfix's users
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())

	write := func(name, text string, mode os.FileMode) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), mode))
		return file
	}
	require.NoError(t, os.Chmod(dir, 0o755))
	binary := filepath.Join(dir, "anymail")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	build.Dir = source
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	keyFile := write("key", key, 0o644) // for the user of the pipe
	for _, name := range []string{"queue", "data"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	out, err = exec.CommandContext(t.Context(), "chown", "postfix", filepath.Join(dir, "data")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	write("config/main.cf", fmt.Sprintf(`
compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.in.test
mydestination = local.test
mynetworks = 127.0.0.1/32
alias_maps =
alias_database =
relay_domains = in.test
transport_maps = inline:{ in.test=anymail: }
fast_flush_domains =
bounce_size_limit = 1000
minimal_backoff_time = 1s
queue_run_delay = 1s
local_recipient_maps =
`, dir), 0o644)
	master := address + ` inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
showq unix n - n - - showq
pickup unix n - n 60 1 pickup
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
local unix - n n - - local
postlog unix-dgram n - n - 1 postlogd
anymail unix - n n - 10 pipe
  flags=q user=nobody null_sender=
  argv=` + binary + " relay --to " + to + " --key @" + keyFile + " --max-size 20000 -f ${sender} -- ${recipient}\n"
	write("config/master.cf", master, 0o644)

	control := func(command string) ([]byte, error) {
		return exec.Command(program, "-c", filepath.Join(dir, "config"), command).CombinedOutput()
	}
	out, err = control("start")
	t.Cleanup(func() {
		if log, err := os.ReadFile(filepath.Join(dir, "log")); err == nil && t.Failed() {
			t.Logf("Postfix:\n%s", log)
		}
		_, _ = control("stop")
	})
	require.NoError(t, err, "%s", out)
	require.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	}, 20*time.Second, 50*time.Millisecond, "Postfix does not listen")
	return address
}
