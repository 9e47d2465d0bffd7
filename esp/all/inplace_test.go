package all_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

// pair is two Dispatchers for one credential of an ESP: by one, the events of received
// messages have Raw, and by the other they have not, so that it decodes them in place.
// Neither has hooks.
type pair struct {
	sim          *simulator.Simulator
	credential   simulator.Credential
	with, within *anymail.Dispatcher
	events       []*anymail.InboundEvent
}

func newPair(t testing.TB, sim *simulator.Simulator) *pair {
	t.Helper()
	adapter, credential, err := sim.NewAccount()
	require.NoError(t, err)
	p := &pair{sim: sim, credential: credential}
	newDispatcher := func(options ...anymail.Option) *anymail.Dispatcher {
		d, err := anymail.New(append(options, anymail.Insecure(), anymail.WithoutReplayCheck(), anymail.WithLogger(slog.New(slog.DiscardHandler)))...)
		require.NoError(t, err)
		require.NoError(t, d.Register(sim.ESP, adapter))
		require.NoError(t, d.Inbound.Connect("keep", func(_ context.Context, ev *anymail.InboundEvent) error {
			p.events = append(p.events, ev)
			return nil
		}))
		return d
	}
	p.with, p.within = newDispatcher(), newDispatcher(anymail.WithoutInboundRaw())
	return p
}

// check posts a sample with a message to both, and compares what receivers get.
func (p *pair) check(t *testing.T, sample simulator.Sample, mime []byte) {
	t.Helper()
	params := simulator.NewParams()
	params.MIME = mime
	r := sample.Make(params)
	r.URL = "https://hooks.example.com/" + p.sim.ESP + "/" + r.Endpoint
	if p.sim.Sign != nil {
		require.NoError(t, p.sim.Sign(&r, p.credential, time.Now()))
	}
	post := func(d *anymail.Dispatcher) (int, []*anymail.InboundEvent) {
		p.events = nil
		request := httptest.NewRequest(http.MethodPost, r.URL, strings.NewReader(string(r.Body)))
		request.Header, request.TLS = r.Header.Clone(), &tls.ConnectionState{}
		w := httptest.NewRecorder()
		d.ServeHTTP(w, request)
		return w.Code, p.events
	}
	wantStatus, want := post(p.with)
	status, got := post(p.within)
	require.Equal(t, wantStatus, status)
	require.Len(t, got, len(want))
	for i, ev := range want {
		if ev.Type == anymail.EventInbound {
			require.NotNil(t, ev.Raw)
			escaped := slices.Contains([]string{"mandrill", "amazonses"}, p.sim.ESP)
			require.True(t, escaped || bytes.Contains(r.Body, ev.Raw), "what arrived is unchanged if it is wanted")
			ev.Raw = nil
		}
		if !reflect.DeepEqual(ev, got[i]) {
			require.Equal(t, asText(t, ev), asText(t, got[i]))
		}
	}
}

// asText returns the JSON of an event, of which each long string is a hash, so that a
// difference is readable.
func asText(t *testing.T, ev *anymail.InboundEvent) string {
	t.Helper()
	text, err := ev.MarshalJSON()
	require.NoError(t, err)
	return longText.ReplaceAllStringFunc(string(text), func(long string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(long))) })
}

var longText = regexp.MustCompile(`"[^"]{100,}"`)

// takeMIME returns the ESPs' samples that take a message.
func takeMIME(sim *simulator.Simulator) (samples []simulator.Sample) {
	for _, sample := range sim.Samples {
		if sample.TakesMIME && slices.Equal(sample.Types, []anymail.EventType{anymail.EventInbound}) {
			samples = append(samples, sample)
		}
	}
	return samples
}

// TestInPlace: at every ESP, a message that is decoded in the memory of the request is
// the one that is decoded elsewhere, and its event has the same key.
func TestInPlace(t *testing.T) {
	for _, sim := range allsim.List() {
		samples := takeMIME(sim)
		if len(samples) == 0 {
			continue
		}
		p := newPair(t, sim)
		for _, sample := range samples {
			t.Run(sim.ESP+" "+sample.Name, func(t *testing.T) {
				for _, mime := range [][]byte{
					withAttachments(50_000),
					[]byte("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + strings.Repeat("Grüße + \"100%\" & \\ \U0001f600\r\n", 10_000)),
					[]byte("From ada\r\n\r\n" + strings.Repeat("\r\n", 70_000)), // nothing but white space
					[]byte("small: message\r\n\r\ntext\r\n"),
				} {
					p.check(t, sample, mime)
				}
			})
		}
	}
}

// FuzzInPlace does what TestInPlace does with any message, at one of the ESPs whose
// messages are in a form or in JSON.
func FuzzInPlace(f *testing.F) {
	var pairs []*pair
	for _, sim := range allsim.List() {
		if slices.Contains([]string{"forwardemail", "mailersend", "mailgun", "mailpace", "mandrill", "nylas", "postal", "postmark", "sparkpost"}, sim.ESP) {
			pairs = append(pairs, newPair(f, sim))
		}
	}
	for esp := range pairs {
		f.Add(esp, "Subject: a\r\n\r\n", "text + 100% \"\\\r\n\xff")
		f.Add(esp, "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n", "QUJD\r\n")
		f.Add(esp, "\r\n", "\U0001f600\ufffd")
	}
	f.Fuzz(func(t *testing.T, esp int, begin, line string) {
		if esp < 0 || esp >= len(pairs) {
			return
		}
		const enough = 70_000 // what is smaller is not decoded in place
		mime := []byte(begin + strings.Repeat(line, 1+enough/max(len(line), 1)))
		p := pairs[esp]
		for _, sample := range takeMIME(p.sim) {
			p.check(t, sample, mime)
		}
	})
}
