package command

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/relay"
)

// postfix runs a Postfix of its own, which pipes all mail for in.test to the command.
// It returns the address of its SMTP server.
func postfix(t *testing.T, program, to, key string) string {
	t.Helper()
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
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "..").CombinedOutput()
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
mydestination =
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

// A message that Postfix accepted arrives once for its envelope, or is returned.
func TestPostfix(t *testing.T) {
	program := os.Getenv("ANYMAIL_TEST_POSTFIX")
	if program == "" {
		t.Skip("ANYMAIL_TEST_POSTFIX, the path of the program postfix, is not set")
	}
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
	address := postfix(t, program, server.URL+"/relay/inbound/", key)

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
