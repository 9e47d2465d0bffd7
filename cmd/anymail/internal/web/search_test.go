package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/goanymail/anymail"
)

// filled returns a store with ten thousand events, each in a request of its own with a
// body of 2 KiB, which is more than most ESPs post.
func filled(t testing.TB) *store {
	t.Helper()
	s := newStore(10_000, sizeLimit)
	filler := strings.Repeat(`"user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", `, 28)
	for i := range 10_000 {
		r := &Record{
			Time: time.Now(), Method: http.MethodPost, Host: "127.0.0.1:8025", Path: "/anymail/mailgun/tracking/", Status: 200, ESP: "mailgun", Name: "mailgun",
			Header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"mailgun/treq-20.9.0"}},
			Body:   fmt.Appendf(nil, `{%s"event-data": {"id": "%d", "recipient": "user%d@example.com"}}`, filler, i, i),
			Events: []anymail.Event{&anymail.TrackingEvent{
				Common:    anymail.Common{ESP: "mailgun", Type: anymail.EventDelivered, ID: fmt.Sprint(i), Timestamp: time.Now()},
				Recipient: fmt.Sprintf("user%d@example.com", i), MessageID: fmt.Sprintf("<m%d@example.com>", i), Tags: []string{"receipt"},
				Metadata: anymail.Metadata{"order": fmt.Sprint(i)},
			}},
		}
		s.add(r)
	}
	return s
}

// queries are searches that have to look at everything.
var queries = map[string]string{
	"one of them":   "user7777@example.com",
	"all of them":   "receipt",
	"none of them":  "nowhere-to-be-found",
	"several words": "mozilla user7777 receipt delivered",
	"a letter":      "q",
}

func parsed(t testing.TB, q string) filter {
	f, err := parseFilter(url.Values{"q": {q}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func BenchmarkSearch(b *testing.B) {
	s := filled(b)
	for name, q := range queries {
		f := parsed(b, q)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s.list(f, 0, defaultList)
			}
		})
	}
}

// A key in the search is answered before the next one is pressed.
func TestSearchIsFast(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("measures time")
	}
	s := filled(t)
	for name, q := range queries {
		f := parsed(t, q)
		fastest := time.Hour
		for range 5 { // other processes may slow some down
			begin := time.Now()
			answer := s.list(f, 0, defaultList)
			fastest = min(fastest, time.Since(begin))
			if answer.Kept != 10_000 {
				t.Fatalf("%d are kept", answer.Kept)
			}
		}
		if fastest > 50*time.Millisecond {
			t.Errorf("%s: %s", name, fastest)
		}
	}
}
