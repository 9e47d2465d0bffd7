package command

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/cmd/anymail-gateway/internal/gateway"
	"github.com/goanymail/anymail/internal/cli"
)

// A gateway whose sink cannot work is alive, but not ready.
func TestHealth(t *testing.T) {
	t.Chdir(t.TempDir())
	config, err := gateway.Load("", []string{
		"ANYMAIL_LISTEN=127.0.0.1:0", "ANYMAIL_ADMIN=127.0.0.1:0",
		"ANYMAIL_SHARED_SECRETS=anymail:" + "0123456789abcdef",
		"ANYMAIL_SINKS=[{type: nats, name: crm, url: 'nats://127.0.0.1:1', topic: events}]",
	})
	require.NoError(t, err)
	g, err := gateway.New(t.Context(), config, t.Output(), t.Output())
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- g.Run(ctx) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-ended) })

	_, port, err := net.SplitHostPort(g.Admin())
	require.NoError(t, err)
	for _, address := range []string{g.Admin(), ":" + port} { // the second as in a container
		t.Setenv("ANYMAIL_ADMIN", address)
		out, err := run(t, "health")
		require.NoError(t, err)
		require.Equal(t, "ok\n", out)
		_, err = run(t, "health", "--ready")
		require.ErrorContains(t, err, "503 Service Unavailable: the sink crm cannot work: nats: ")
		require.Equal(t, 1, cli.ExitCode(err))
	}
}

func TestHealthOfNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	for admin, want := range map[string]int{"127.0.0.1:1": 1, "off": 2, "nowhere": 2} {
		t.Setenv("ANYMAIL_ADMIN", admin)
		_, err := run(t, "health")
		require.Error(t, err, admin)
		require.Equal(t, want, cli.ExitCode(err), "%s: %v", admin, err)
	}
}
