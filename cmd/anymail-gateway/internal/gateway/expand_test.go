package gateway_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/cmd/anymail-gateway/internal/gateway"
)

func TestVariablesInTheFile(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "anymail.yaml", `
listen: ${HOST:-127.0.0.1}:${PORT}
path: /${NONE:-mail}
reject_status: ${STATUS:-404}
require_tls: ${TLS}
shared_secrets: ["anymail:${PASSWORD}", "anymail:a$$${PASSWORD}$$x"]
queue: sqlite:${DIR}/events.db
adapters:
  - {esp: "${ESP}", settings: {signing_keys_file: "${DIR}/key"}}
sinks:
  - type: webhook
    url: ${URL:-https://example.com/:in}
    headers: {Authorization: "Bearer ${PASSWORD}"}
`)
	write(t, dir, "key", "key-0123456789\n")
	const password = "a: [b]\t#'{" // nothing of which is YAML
	config, err := gateway.Load(file, []string{"PORT=1", "TLS=true", "PASSWORD=Yk3vQ8sZ1mB6tR9w", "DIR=" + dir, "ESP=mailgun", "STATUS=", "URL=https://other.example.com/" + "?q=: [x]"})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:1", config.Listen)
	require.Equal(t, "/mail", config.Path)
	require.Equal(t, 404, config.RejectStatus, "an empty variable is like none")
	require.True(t, config.RequireTLS)
	require.Equal(t, []string{"anymail:Yk3vQ8sZ1mB6tR9w", "anymail:a$Yk3vQ8sZ1mB6tR9w$x"}, config.SharedSecrets)
	require.Equal(t, "sqlite:"+dir+"/events.db", config.Queue)
	require.Equal(t, map[string][]string{"signing_keys": {"key-0123456789"}}, config.Adapters[0].Settings)
	require.Equal(t, "https://other.example.com/?q=: [x]", config.Sinks[0].URL)
	require.Equal(t, []string{"Bearer Yk3vQ8sZ1mB6tR9w"}, config.Sinks[0].Headers["Authorization"])

	file = write(t, dir, "null.yaml", "adapters:\n- esp: mailgun\n  name: ${NAME}\n  settings: {signing_keys: key-1}\n")
	config, err = gateway.Load(file, []string{"NAME=null"})
	require.NoError(t, err)
	require.Equal(t, "null", config.Adapters[0].Name)

	// What looks like YAML stays a text.
	for _, value := range []string{"[a, b]", "{a: b}", "null", "*anchor", "true", password} {
		file := write(t, dir, "structure.yaml", "adapters: [{esp: mailgun, settings: {signing_keys: 'x${VALUE}'}}]\n")
		config, err := gateway.Load(file, []string{"VALUE=" + value})
		if value == password {
			require.ErrorContains(t, err, "control characters")
			require.NotContains(t, err.Error(), value)
			continue
		}
		require.NoError(t, err, value)
		require.Equal(t, []string{"x" + value}, config.Adapters[0].Settings["signing_keys"])
	}
}

func TestWrongVariables(t *testing.T) {
	environ := []string{"SECRET_VALUE=vPq8sZ1mB6", "EMPTY=", "DIR=/nowhere"}
	for _, test := range []struct{ name, yaml, want string }{
		{"unknown", "listen: ':${PORT}'", "anymail.yaml:1: listen: the environment variable PORT is not set"},
		{"empty", "listen: ':${EMPTY}'", "anymail.yaml:1: listen: the environment variable EMPTY is not set"},
		{"in a list", "trusted_proxies:\n- 192.0.2.1\n- ${PROXY}", "anymail.yaml:3: trusted_proxies[1]: the environment variable PROXY is not set"},
		{"in a number", "limits: {body: '${SIZE}'}", "limits.body: the environment variable SIZE is not set"},
		{"in settings", "adapters: [{esp: mailgun, settings: {signing_keys: '${KEY}'}}]", "adapters[0].settings.signing_keys: the environment variable KEY is not set"},
		{"in the name of a file", "queue_file: ${KEY}", "queue_file: the environment variable KEY is not set"},
		{"without an end", "path: /${A", "path: a variable must be written ${NAME} or ${NAME:-default}"},
		{"without a name", "path: /${}", "path: a variable must be written"},
		{"of another form", "path: /${A-b}", "path: a variable must be written"},
		{"empty default", "path: ${A:-}", "path: must not be empty"},
		{"null", "path: ${A:-null}", "path: must be a plain path"},
		{"a list for a text", "sinks: '${A:-[]}'", "sinks: must be a list"},
		{"secret in a wrong place", "adapters: [{esp: '${SECRET_VALUE}'}]", `adapters[0].esp: unknown ESP "${SECRET_VALUE}"; known are`},
		{"secret in the name of a file", "shared_secrets_file: /nowhere/${SECRET_VALUE}", "shared_secrets_file: open /nowhere/${SECRET_VALUE}:"},
		{"key", "'${SECRET_VALUE}': a", "${SECRET_VALUE}: unknown key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, ".", "anymail.yaml", test.yaml)
			_, err := gateway.Load("anymail.yaml", environ)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "\n", "one mistake is one line")
			require.NotContains(t, err.Error(), "vPq8sZ1mB6")
		})
	}
}
