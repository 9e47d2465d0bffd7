package conformance

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/simulator"
)

// testMalformedBatch: the malformed event of a batch is delivered as unknown,
// with the other events.
func testMalformedBatch(t *testing.T, sim *simulator.Simulator) {
	if sim.Malformed == nil {
		t.Skip("the ESP has no batches")
	}
	s := anymailtest.NewServer(t, sim)
	if status, _ := s.Post(t, s.Sign(t, sim.Malformed(simulator.NewParams()))); status != http.StatusOK {
		t.Fatalf("answered %d: %s", status, s.Rejections)
	}
	events := s.Take()
	if len(events) != 3 {
		t.Fatalf("%d events, want 3: the malformed one as unknown, and the others", len(events))
	}
	for i, ev := range events {
		tracking, ok := ev.(*anymail.TrackingEvent)
		if !ok {
			t.Fatalf("event %d is a %T", i, ev)
		}
		if malformed := i == 1; malformed != (tracking.Type == anymail.EventUnknown) {
			t.Errorf("event %d is %s", i, tracking.Type)
		} else if malformed && (tracking.Description == "" || len(tracking.Raw) == 0) {
			t.Errorf("the malformed event has description %q and raw %q", tracking.Description, tracking.Raw)
		}
	}
}

// testMalformedBody: an authentic body that is not JSON is refused and reported
// with the payload.
func testMalformedBody(t *testing.T, sim *simulator.Simulator) {
	for _, sample := range sim.Samples {
		s := anymailtest.NewServer(t, sim)
		request := sample.Make(simulator.NewParams())
		if !strings.HasSuffix(request.Header.Get("Content-Type"), "json") {
			continue
		}
		request = s.Address(t, request)
		request.Body = []byte(`{"an": "object", that [ends`)
		if err := sim.SignNow(&request, s.Credential); err != nil {
			continue // the signature is inside the body: there is nothing to sign
		}
		s.Post(t, request)
		rejections := s.Rejections.All()
		if len(s.Take()) > 0 || len(rejections) != 1 {
			t.Fatalf("%s: the body %q was accepted, or not reported as rejected", sample.Name, request.Body)
		}
		if errors.Is(rejections[0].Err, anymail.ErrUnauthenticated) {
			continue // the signature is inside the body
		}
		if !errors.Is(rejections[0].Err, anymail.ErrMalformed) {
			t.Errorf("%s: rejected with %v", sample.Name, rejections[0].Err)
		}
		if p := rejections[0].Payload; p == nil || !bytes.Equal(p.Body, request.Body) {
			t.Errorf("%s: the payload was not reported", sample.Name)
		} else if p.Header.Get("Authorization") != "" {
			t.Errorf("%s: the payload was reported with the shared secret", sample.Name)
		}
	}
}

// testUnrecognized: a payload that the adapter does not recognize becomes an
// event or an error. A 200 without an event would lose it without a trace.
func testUnrecognized(t *testing.T, sim *simulator.Simulator) {
	adapter, _ := newAccount(t, sim)
	seen := map[string]bool{}
	for _, sample := range sim.Samples {
		request := sample.Make(simulator.NewParams())
		media, _, _ := mime.ParseMediaType(request.Header.Get("Content-Type"))
		if seen[request.Endpoint+" "+media] {
			continue
		}
		seen[request.Endpoint+" "+media] = true
		bodies := []string{`{}`, `{"unrecognized":{"x":1}}`, `{"unrecognized":[{"event":"x"}],"type":"unrecognized.type"}`}
		if !strings.HasSuffix(media, "json") {
			request.Header = request.Header.Clone()
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			bodies = []string{"unrecognized=1", "unrecognized=%7B%7D&other=x"}
		}
		for _, body := range bodies {
			request.Body = []byte(body)
			if events, err := simulator.Parse(adapter, request); err == nil && len(events) == 0 {
				t.Errorf("endpoint %q makes nothing of the body %s, and answers 200", request.Endpoint, body)
			}
		}
	}
}

// testTooLarge: a body over the limit is refused.
func testTooLarge(t *testing.T, sim *simulator.Simulator) {
	s := anymailtest.NewServer(t, sim, anymail.WithLimits(anymail.Limits{Body: 10}))
	request := s.Prepare(t, sim.Samples[0], simulator.NewParams())
	expectRefused(t, s, request, http.StatusRequestEntityTooLarge, anymail.ErrTooLarge)
}
