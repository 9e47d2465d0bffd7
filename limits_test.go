package anymail_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/relay/relaysim"
	"github.com/goanymail/anymail/simulator"
)

// Limits of an adapter override those of the Dispatcher, field by field.
func TestLimitsOfAnAdapter(t *testing.T) {
	d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.WithLogger(quiet), anymail.WithLimits(anymail.Limits{Body: 1000, FormFields: 3}))
	require.NoError(t, err)
	var got anymail.Limits
	a := newAcme("key")
	a.endpoint.MaxBody = 2000
	a.endpoint.Parser = anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
		got = p.Limits
		return nil, nil
	})
	require.NoError(t, d.Register("acme", a, anymail.WithLimits(anymail.Limits{BatchEvents: 7, BodyTime: -1})))
	srv := &testServer{url: serve(t, http.StripPrefix("/hooks", d))}
	require.Equal(t, 200, srv.do(t, newPost("[]").sign("key", time.Now())).StatusCode)
	require.Equal(t, anymail.Limits{
		Body: 1000, FormFields: 3, BatchEvents: 7, BodyTime: 30 * time.Second, BodyRate: 16 << 10, RequestTime: time.Minute,
		MIMEDepth: 24, MIMEParts: 1000, MIMEHeaders: 2000, Fetch: 64 << 20,
	}, got)
}

// An adapter that is at its limit leaves room for others.
func TestInFlightPerAdapter(t *testing.T) {
	srv := newTestServer(t, newAcme("key"))
	require.NoError(t, srv.Register("narrow", newAcme("key"), anymail.WithMaxInFlight(1)))
	entered, release := make(chan struct{}), make(chan struct{})
	releaseOnce := sync.OnceFunc(func() { close(release) })
	defer releaseOnce()
	require.NoError(t, srv.Tracking.Connect("slow", func(_ context.Context, ev *anymail.TrackingEvent) error {
		if ev.ID == "slow" {
			close(entered)
			<-release
		}
		return nil
	}))
	at := func(name, body string) post {
		p := newPost(body).sign("key", time.Now())
		p.path = "/hooks/" + name + "/tracking/"
		return p
	}
	status := make(chan int, 1)
	go func() { status <- srv.do(t, at("narrow", `{"ID":"slow"}`)).StatusCode }()
	<-entered
	require.Equal(t, 503, srv.do(t, at("narrow", `{"ID":"1"}`)).StatusCode)
	require.Equal(t, 200, srv.do(t, at("acme", `{"ID":"2"}`)).StatusCode)
	releaseOnce()
	require.Equal(t, 200, <-status)
	require.True(t, errors.Is(srv.rejections[0].Err, anymail.ErrUnavailable))
}

func TestJSONBounds(t *testing.T) {
	deep := func(n int) string {
		return `{"ID":"1","Event":"delivered","More":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}"
	}
	batch := func(n int) string { return "[" + strings.Repeat("{},", n-1) + "{}]" }
	tests := []struct {
		name   string
		body   string
		limits anymail.Limits
		status int
		events int
	}{
		{"nested 1000 deep", deep(1000), anymail.Limits{}, 200, 1},
		{"nested a million deep", deep(1_000_000), anymail.Limits{}, 400, 0},
		{"nested a million deep, never closed", strings.Repeat(`{"a":`, 1_000_000), anymail.Limits{}, 400, 0},
		// All elements are the same event: the receiver runs once.
		{"20000 elements", batch(20_000), anymail.Limits{}, 200, 1},
		{"20001 elements", batch(20_001), anymail.Limits{}, 413, 0},
		{"more elements than set", batch(4), anymail.Limits{BatchEvents: 3}, 413, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := newTestServer(t, newAcme(), anymail.WithLimits(tt.limits))
			require.Equal(t, tt.status, srv.do(t, newPost(tt.body)).StatusCode)
			require.Len(t, srv.take(), tt.events)
		})
	}
}

// Parts of a message that exceed the MIME limits are left out, and the rest is
// delivered. The message is the sender's, so a refusal would only make the ESP
// retry.
func TestMIMEBounds(t *testing.T) {
	const top = "Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n"
	part := "--b\r\nContent-Type: application/pdf\r\n\r\nx\r\n"
	var nested strings.Builder
	for i := range 50 {
		fmt.Fprintf(&nested, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	tests := []struct {
		name        string
		mime        string
		limits      anymail.Limits
		attachments int
		headers     int
	}{
		{"2000 parts", top + "\r\n" + strings.Repeat(part, 2000) + "--b--\r\n", anymail.Limits{}, 1000, 2},
		{"more parts than set", top + "\r\n" + strings.Repeat(part, 9) + "--b--\r\n", anymail.Limits{MIMEParts: 3}, 3, 2},
		{"50 deep", "Subject: s\r\n" + nested.String() + "\r\nhello", anymail.Limits{}, 1, 2}, // deeper parts become one attachment, unparsed
		{"3000 headers", strings.Repeat("X: y\r\n", 2999) + "Subject: s\r\n\r\nhello", anymail.Limits{}, 0, 2000},
		{"more headers than set", strings.Repeat("X: y\r\n", 9) + "\r\nhello", anymail.Limits{MIMEHeaders: 4}, 0, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sim := relaysim.New() // it adds no header fields
			s := anymailtest.NewServer(t, sim, anymail.WithLimits(tt.limits))
			sample, ok := sim.SampleOf(anymail.EventInbound)
			require.True(t, ok)
			p := simulator.NewParams()
			p.MIME = []byte(tt.mime)
			events := s.Send(t, sample, p)
			require.Len(t, events, 1)
			m := events[0].(*anymail.InboundEvent).Message
			require.Len(t, m.Attachments, tt.attachments)
			require.Len(t, m.Headers, tt.headers)
		})
	}
}
