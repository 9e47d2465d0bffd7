package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/relay/relaysim"
	"github.com/goanymail/anymail/internal/cli"
	"github.com/goanymail/anymail/mailtoken"
	"github.com/goanymail/anymail/simulator"
)

const tokenKey = "correct-horse-battery"

// returnPath is an envelope sender with a token.
func returnPath(t *testing.T) string {
	t.Helper()
	tokens, err := mailtoken.New(mailtoken.Config{Keys: anymail.Keys(tokenKey)})
	require.NoError(t, err)
	address, err := tokens.ReturnPath(t.Context(), mailtoken.Message{ID: "welcome-1", Recipient: "ada@example.com"}, "bounce+@example.com")
	require.NoError(t, err)
	return address
}

// A message in a file is inspected as a report, and its token verified.
func TestInspectMessage(t *testing.T) {
	p := simulator.NewParams()
	p.Sender = returnPath(t)
	sample, ok := relaysim.New().Sample("dsn")
	require.True(t, ok)
	dir := t.TempDir()
	file, keyFile := filepath.Join(dir, "bounce.eml"), filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(file, sample.Make(p).Body, 0o600))
	require.NoError(t, os.WriteFile(keyFile, []byte(tokenKey+"\n"), 0o600))

	out, err := inspectCommand(t, "", file, "--token-key", "@"+keyFile, "--json")
	require.ErrorIs(t, err, cli.ErrReported, "no key of the relay was given")
	var report struct {
		Checks []struct{ Name, Result, Reason string }
		Events []struct {
			Event json.RawMessage
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.Equal(t, struct{ Name, Result, Reason string }{"report", "ok", "verified by a token of the message that was sent"}, report.Checks[len(report.Checks)-1])
	require.Len(t, report.Events, 2)
	ev, err := anymail.DecodeEvent(report.Events[1].Event)
	require.NoError(t, err)
	bounced := ev.(*anymail.TrackingEvent)
	require.Equal(t, anymail.EventBounced, bounced.Type)
	require.Equal(t, "ada@example.com", bounced.Recipient)
	require.Equal(t, "welcome-1", bounced.MessageID)
	require.Equal(t, anymail.VerifiedToken, bounced.Verified)

	out, _ = inspectCommand(t, "", file)
	require.Contains(t, out, "read as   a message")
	require.Contains(t, out, "nothing verifies it: no key of tokens was given (--token-key)")
	out, _ = inspectCommand(t, "", file, "--token-key", "another-correct-horse")
	require.Contains(t, out, "nothing verifies it: it has no valid token")
	_, err = inspectCommand(t, "", file, "--token-key", "short")
	require.Equal(t, 2, cli.ExitCode(err))
}

// Reports that trigger makes arrive at listen as what they are.
func TestListenShowsReports(t *testing.T) {
	url, stop := startListen(t, "--token-key", tokenKey)
	defer stop()
	for sample, want := range map[string]string{"dsn": "bounced", "arf": "complained", "autoreply": "autoresponded", "unsubscribe": "unsubscribed"} {
		out, _, err := run(t, "trigger", "relay", sample, "--to", url+"/anymail", "--sender", returnPath(t))
		require.NoError(t, err, out)
		var events struct {
			Events []struct {
				Event struct {
					Type      string `json:"event_type"`
					MessageID string `json:"message_id"`
					Verified  string
				}
			}
		}
		getJSON(t, url+"/api/events?type="+want, &events)
		require.Len(t, events.Events, 1, want)
		got := events.Events[0].Event
		require.Equal(t, want, got.Type)
		if sample == "unsubscribe" { // a return path cannot unsubscribe
			require.Equal(t, "none", got.Verified)
			continue
		}
		require.Equal(t, "token", got.Verified, sample)
		require.Equal(t, "welcome-1", got.MessageID, sample)
	}
}
