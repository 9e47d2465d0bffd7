package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail-gateway/internal/gateway"
	"github.com/goanymail/anymail/mailtoken"
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

// A bounce that comes as mail, with the token of the message, and an unsubscription by
// one click are events of the sinks.
func TestServeReports(t *testing.T) {
	const key = "correct-horse-battery"
	dir := t.TempDir()
	write(t, dir, "anymail.yaml", "reports: {token_keys: "+key+", one_click: true, replace: true}\nadapters: [{esp: relay, shared_secrets: '"+sharedSecret+"'}]\n")
	p := serve(t, dir)
	tokens, err := mailtoken.New(mailtoken.Config{Keys: anymail.Keys(key)})
	require.NoError(t, err)
	sent := mailtoken.Message{ID: "welcome-1", Recipient: "ada@example.net"}
	sender, err := tokens.ReturnPath(t.Context(), sent, "bounce+@example.com")
	require.NoError(t, err)
	token, err := tokens.Unsubscribe(t.Context(), sent)
	require.NoError(t, err)

	post := func(url, contentType, body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", contentType)
		if contentType == "message/rfc822" {
			user, password, _ := strings.Cut(sharedSecret, ":")
			req.SetBasicAuth(user, password)
			req.Header.Set("X-Envelope-To", sender)
		}
		status, err := do(req)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
	}
	post(p.base+"/relay/inbound/", "message/rfc822", "From: MAILER-DAEMON@mx.example.net\nContent-Type: multipart/report; report-type=delivery-status; boundary=next\n\n"+
		"--next\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; ada@example.net\nAction: failed\nStatus: 5.1.1\n--next--\n")
	post(p.base+"/oneclick/?"+mailtoken.Parameter+"="+token, "application/x-www-form-urlencoded", mailtoken.OneClick)

	types := map[anymail.EventType]bool{}
	for _, ev := range p.events(t, 2) {
		ev := ev.(*anymail.TrackingEvent)
		types[ev.Type] = true
		require.Equal(t, "welcome-1", ev.MessageID)
		require.Equal(t, "ada@example.net", ev.Recipient)
		require.Equal(t, anymail.VerifiedToken, ev.Verified)
	}
	require.Equal(t, map[anymail.EventType]bool{anymail.EventBounced: true, anymail.EventUnsubscribed: true}, types)
	require.NoError(t, p.stop(t))
}
