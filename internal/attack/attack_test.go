package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/server"
)

// Each request of a flood reaches what it is meant to burden: it is refused for
// its signature or secret, and not earlier for its path, size or type.
func TestFloodsReachTheVerifiers(t *testing.T) {
	keys, err := publish(t.Context(), newSenders(sharedSecret))
	require.NoError(t, err)
	forgers := newSenders(wrongSecret)
	aims, err := newTarget("127.0.0.1:1", forgers).aims()
	require.NoError(t, err)
	endpoints := len(aims)
	require.Greater(t, endpoints, 10)
	for _, a := range attacks {
		switch {
		case a.prepare == nil, strings.HasPrefix(a.name, "slow-"), a.name == "idle":
			continue // no floods
		case a.name == "large-bodies":
			continue // as largest-bodies, but smaller
		case strings.HasPrefix(a.name, "header-"):
			continue // net/http refuses them
		}
		t.Run(a.name, func(t *testing.T) {
			enough := endpoints
			switch a.name {
			case "sns-forged", "unisender-gzip":
				enough = 2 // one endpoint; each takes seconds
			case "gzip-bombs", "largest-bodies", "escaped-forms", "multiparts":
				enough = 8 // the same request to each endpoint; each takes a second
			}
			ctx, cancel := context.WithCancel(t.Context())
			var mu sync.Mutex
			var refusals int
			d, err := newDispatcher(keys, anymail.WithHooks(anymail.Hooks{Rejected: func(_ context.Context, r anymail.Rejection) {
				mu.Lock()
				defer mu.Unlock()
				if refusals++; refusals == enough {
					cancel()
				}
				if !errors.Is(r.Err, anymail.ErrUnauthenticated) && ctx.Err() == nil {
					t.Error(r.URL, r.Err)
				}
			}}))
			require.NoError(t, err)
			srv := httptest.NewUnstartedServer(d)
			srv.Config = server.New(d)
			srv.Start()
			defer srv.Close()

			target := newTarget(srv.Listener.Addr().String(), forgers)
			talk, err := a.prepare(target)
			require.NoError(t, err)
			target.attack(ctx, 1, a.spread, talk)
			require.GreaterOrEqual(t, refusals, enough)
		})
	}
}

func TestHonestRequestsAreAnswered(t *testing.T) {
	senders := newSenders(sharedSecret)
	keys, err := publish(t.Context(), senders)
	require.NoError(t, err)
	d, err := newDispatcher(keys)
	require.NoError(t, err)
	srv := httptest.NewServer(d)
	defer srv.Close()
	samples := 0
	for _, s := range senders {
		samples += len(s.samples)
	}
	require.Greater(t, samples, 13*10)

	l := load{job: honestJob{Addr: srv.Listener.Addr().String(), Rate: 1000, Duration: 600 * time.Millisecond}, senders: senders}
	l.connect()
	require.NoError(t, l.warmUp(t.Context()))
	got, err := l.run(t.Context())
	require.NoError(t, err)
	require.Empty(t, got.Others)
	require.Equal(t, 600, got.Answered)

	srv.Close()
	got, err = l.run(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, got.Others)
}

// A filling has the size that was asked for, compressed or not.
func TestFilling(t *testing.T) {
	for _, contentType := range []string{"application/json", "application/x-www-form-urlencoded"} {
		t.Run(contentType, func(t *testing.T) {
			f := newFilling(aim{header: http.Header{"Content-Type": {contentType}}}, 3*mib+17)
			require.Equal(t, contentType, f.contentType)
			plain := bytes.Join(f.plain(), nil)
			require.Len(t, plain, 3*mib+17)
			r, err := gzip.NewReader(bytes.NewReader(bytes.Join(f.zipped(), nil)))
			require.NoError(t, err)
			unzipped, err := io.ReadAll(r)
			require.NoError(t, err)
			require.True(t, bytes.Equal(plain, unzipped))
		})
	}
}

func TestPercentile(t *testing.T) {
	times := make([]time.Duration, 200)
	for i := range times {
		times[i] = time.Duration(i + 1)
	}
	for p, want := range map[int]time.Duration{50: 100, 99: 198, 100: 200} {
		require.Equal(t, want, percentile(times, p))
	}
	require.Equal(t, time.Duration(7), percentile([]time.Duration{7}, 50))
	require.Zero(t, percentile(nil, 99))
}

func TestFailure(t *testing.T) {
	for _, tt := range []struct {
		name string
		row  row
		want string
	}{
		{"all answered", row{honest: result{Sent: 10, Answered: 10}, peak: 64 * mib}, ""},
		{"one refused", row{attack: "idle", honest: result{Sent: 10, Answered: 9, Others: map[string]int{"503": 1}}}, "idle: 9 of 10 honest requests were answered with 200; 1 503"},
		{"none sent", row{attack: "idle"}, "idle: 0 of 0 honest requests were answered with 200; "},
		{"too much memory", row{attack: "idle", honest: result{Sent: 1, Answered: 1}, peak: 64*mib + 1}, "idle: the server took 65 MiB, more than 64"},
		{"both", row{attack: "idle", peak: 64*mib + 1}, "idle: 0 of 0 honest requests were answered with 200; \nidle: the server took 65 MiB, more than 64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.row.failure(64)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, tt.want)
		})
	}
}

func TestTable(t *testing.T) {
	rows := []row{{attack: "quiet", honest: result{Sent: 20, Answered: 20, P50: 1500 * time.Microsecond, P99: 20 * time.Millisecond}, peak: 30*mib - 1}, {attack: "idle", honest: result{Sent: 20}, peak: 1}}
	var columns, markdown bytes.Buffer
	require.NoError(t, printTable(&columns, rows, false))
	require.NoError(t, printTable(&markdown, rows, true))
	if diff := cmp.Diff("attack  honest requests answered  p50     p99    peak memory (MiB)\n"+
		"quiet   20 of 20                  1.5 ms  20 ms  30\n"+
		"idle    0 of 20                   -       -      1\n", columns.String()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("| attack | honest requests answered | p50 | p99 | peak memory (MiB) |\n"+
		"| --- | --- | --- | --- | --- |\n"+
		"| quiet | 20 of 20 | 1.5 ms | 20 ms | 30 |\n"+
		"| idle | 0 of 20 | - | - | 1 |\n", markdown.String()); diff != "" {
		t.Error(diff)
	}
}

func TestRow(t *testing.T) {
	r := row{
		attack: "idle", peak: 30 * mib, attacker: map[string]int{connected: 7, "400": 12, "503": 12},
		honest: result{Sent: 20, Answered: 19, P50: time.Millisecond, P99: 11 * time.Millisecond, Max: 1500 * time.Millisecond},
	}
	require.Equal(t, "idle: 19 of 20 honest requests answered, p50 1.0 ms, p99 11 ms, max 1500 ms; peak memory 30 MiB; attacker: 12 400, 12 503, 7 connections", r.String())
}

// The docs say what each attack does.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/securing.md")
	require.NoError(t, err)
	for _, name := range attackNames() {
		require.Contains(t, string(page), "`"+name+"`")
	}
}

func TestPeakMemory(t *testing.T) {
	peak, err := peakMemory(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, peak, int64(mib))
}

func TestParse(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"-attacks sleep", `-attacks: there is no attack "sleep"`},
		{"-rate 0", "-rate: must be positive"},
		{"quiet", `unexpected argument "quiet"`},
	} {
		_, err := parse(strings.Fields(tt.args))
		require.EqualError(t, err, tt.want)
	}
	s, err := parse(strings.Fields("-attacks idle,quiet -time 3s"))
	require.NoError(t, err)
	require.Equal(t, 3*time.Second, s.duration)
	require.Equal(t, "idle", s.attacks[0].name)
	require.Equal(t, "quiet", s.attacks[1].name)
}
