package command

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/relay"
	"github.com/goanymail/anymail/internal/postfixtest"
)

// A message that Postfix accepted arrives once for its envelope, or is returned.
func TestPostfix(t *testing.T) {
	postfixtest.Skip(t)
	const key = "relay-key-1"
	d, err := anymail.New(anymail.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	adapter, err := relay.New(relay.Config{SigningKeys: anymail.Keys(key)})
	require.NoError(t, err)
	require.NoError(t, d.Register("relay", adapter))
	recorder := new(anymailtest.Recorder)
	require.NoError(t, recorder.Connect(&d.Signals, "recorder"))
	var failures atomic.Int32 // how many requests fail before one is accepted
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if failures.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		d.ServeHTTP(w, r)
	}))
	defer server.Close()
	address := postfixtest.Start(t, "..", server.URL+"/relay/inbound/", key)

	receive := func(n int) (messages []anymail.InboundMessage) {
		t.Helper()
		require.Eventually(t, func() bool {
			for _, ev := range recorder.Take() {
				require.False(t, ev.Base().Timestamp.IsZero(), "Postfix wrote a Received field")
				messages = append(messages, ev.(*anymail.InboundEvent).Message)
			}
			return len(messages) >= n
		}, 30*time.Second, 50*time.Millisecond)
		require.Len(t, messages, n)
		return messages
	}
	message := "From: Ada <ada@example.com>\r\nSubject: %s\r\n\r\nFrom here\r\n%s\r\n"
	send := func(sender, subject, text string, recipients ...string) {
		t.Helper()
		require.NoError(t, smtp.SendMail(address, nil, sender, recipients, fmt.Appendf(nil, message, subject, text)))
	}

	send("ada@example.com", "two", "Hello", "help@in.test", "desk+42@in.test")
	m := receive(1)[0]
	require.Equal(t, "two", m.Subject)
	require.Equal(t, "From here\nHello\n", m.Text)
	require.Equal(t, "ada@example.com", m.EnvelopeSender)
	require.ElementsMatch(t, []string{"help@in.test", "desk+42@in.test"}, m.EnvelopeRecipients)

	send("", "bounce", "Hello", "news@in.test")
	m = receive(1)[0]
	require.Empty(t, m.EnvelopeSender)
	require.Equal(t, []string{"news@in.test"}, m.EnvelopeRecipients)

	send("ada@example.com", "quoted", "Hello", `"a>, <root"@in.test`)
	require.Equal(t, []string{`"a>, <root"@in.test`}, receive(1)[0].EnvelopeRecipients)

	failures.Store(2)
	before := requests.Load()
	send("ada@example.com", "later", "Hello", "help@in.test")
	require.Equal(t, "later", receive(1)[0].Subject)
	require.EqualValues(t, 3, requests.Load()-before, "Postfix retried twice")

	send("ada@in.test", "large", strings.Repeat("0123456789\r\n", 2000), "help@in.test")
	m = receive(1)[0]
	require.Empty(t, m.EnvelopeSender, "it is returned to its sender")
	require.Equal(t, []string{"ada@in.test"}, m.EnvelopeRecipients)
	require.Contains(t, string(m.RawMIME), "Status: 5.3.4")
}
