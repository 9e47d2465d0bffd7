package main

import (
	"context"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/newesp/pigeon"

	"github.com/goanymail/anymail"
)

// The tool posts an event of Pigeon, signed, to a server that receives it.
func TestTrigger(t *testing.T) {
	tool := filepath.Join(t.TempDir(), "anymail")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", tool, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)

	d, err := anymail.New()
	require.NoError(t, err)
	adapter, err := pigeon.New(pigeon.Config{SigningKeys: anymail.Keys("key-1")})
	require.NoError(t, err)
	require.NoError(t, d.Register("pigeon", adapter, anymail.WithoutSharedSecret()))
	got := make(chan *anymail.TrackingEvent, 1)
	require.NoError(t, d.Tracking.Connect("test", func(_ context.Context, ev *anymail.TrackingEvent) error {
		got <- ev
		return nil
	}))
	server := httptest.NewServer(d)
	defer server.Close()

	out, err = exec.CommandContext(t.Context(), tool, "trigger", "pigeon", "delivered", "--to", server.URL, "--key", "key-1", "--recipient", "ada@example.com").CombinedOutput()
	require.NoError(t, err, "%s", out)
	ev := <-got
	require.Equal(t, anymail.EventDelivered, ev.Type)
	require.Equal(t, "ada@example.com", ev.Recipient)
}
