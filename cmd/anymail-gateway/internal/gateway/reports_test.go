package gateway_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/cmd/anymail-gateway/internal/gateway"
)

func TestReportsConfig(t *testing.T) {
	dir := t.TempDir()
	keys := write(t, dir, "keys", "correct-horse-battery\n")
	file := write(t, dir, "anymail.yaml", `
shared_secrets: `+sharedSecret+`
reports: {token_keys_file: `+keys+`, one_click: true, reporters: [fbl.provider.example], own_requests: true, unverified: true, replace: true}
`)
	config, err := gateway.Load(file, nil)
	require.NoError(t, err)
	require.Equal(t, gateway.Reports{
		TokenKeys: []string{"correct-horse-battery"}, OneClick: true, Reporters: []string{"fbl.provider.example"},
		OwnRequests: true, Unverified: true, Replace: true,
	}, config.Reports)
	require.NoError(t, gateway.Check(config))

	for text, key := range map[string]string{
		"reports: {one_click: true}":         "reports.one_click",
		"reports: {token_keys: [short-key]}": "reports.token_keys[0]",
		"reports: {reporters: [' ']}":        "reports.reporters",
	} {
		_, err := gateway.Load(write(t, dir, "wrong.yaml", text+"\n"), nil)
		require.ErrorContains(t, err, key)
		require.False(t, strings.Contains(err.Error(), "short-key"), "a secret is not quoted")
	}
}
