package main

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/internal/postfixtest"
)

// Postfix bounces a message to a user that it does not have, and the program says
// which one that was.
func TestBounce(t *testing.T) {
	postfixtest.Skip(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	const key = "some-key-of-16-bytes"
	mailServer := postfixtest.Start(t, "../../cmd/anymail", "http://"+address+"/relay/inbound/", key)

	program := filepath.Join(t.TempDir(), "bounces")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	run := exec.CommandContext(t.Context(), program, mailServer, "nobody.here@local.test")
	run.Env = append(os.Environ(), "KEY="+key, "ADDRESS="+address)
	run.Stderr = os.Stderr
	stdout, err := run.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, run.Start())
	defer func() { _ = run.Process.Kill(); _ = run.Wait() }()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "bounced invalid nobody.here@local.test welcome-4711 token\n", line)
}
