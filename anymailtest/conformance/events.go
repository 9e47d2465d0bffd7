package conformance

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/simulator"
)

// testEvents: a sample becomes events of the types that it promises, complete,
// with the right time and raw, and with a JSON form that decodes to them.
func testEvents(t *testing.T, sim *simulator.Simulator) {
	forEach(t, sim, func(t *testing.T, s *anymailtest.Server, sample simulator.Sample) {
		if sample.Events == nil {
			t.Fatal("the sample does not say which events it becomes")
		}
		whole(t, sim, sample, foreign())
		p := simulator.NewParams()
		request := s.Prepare(t, sample, p)
		status, _ := s.Post(t, request)
		if status != http.StatusOK {
			t.Fatalf("answered %d: %s", status, s.Rejections)
		}
		events := s.Take()
		var types []anymail.EventType
		for _, ev := range events {
			types = append(types, ev.Base().Type)
		}
		if diff := cmp.Diff(sample.Types, types, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("event types (-want +got):\n%s", diff)
		}
		equal(t, sample.Events(p), events)
		for i, ev := range events {
			base := ev.Base()
			if base.ESP != sim.ESP {
				t.Errorf("event %d has ESP %q", i, base.ESP)
			}
			if base.Key == "" {
				t.Errorf("event %d has no key", i)
			}
			if !sample.Untimed && base.Timestamp.Sub(p.Time).Abs() >= time.Second {
				t.Errorf("event %d: timestamp %v, want %v", i, base.Timestamp, p.Time)
			}
			if sample.Untimed && !base.Timestamp.IsZero() {
				t.Errorf("event %d: timestamp %v although the ESP gives none", i, base.Timestamp)
			}
			if base.Timestamp.Location() != time.UTC {
				t.Errorf("event %d: timestamp in %v", i, base.Timestamp.Location())
			}
			if len(base.Raw) == 0 || !containsRaw(request, base.Raw) {
				t.Errorf("event %d: raw is not what was posted:\n%.300s", i, base.Raw)
			}
			if tracking, ok := ev.(*anymail.TrackingEvent); ok {
				if i == 0 && tracking.RejectReason != sample.Reason {
					t.Errorf("reject reason %q, want %q", tracking.RejectReason, sample.Reason)
				}
				checkFields(t, tracking)
			}
			anymailtest.RoundTrip(t, ev)
		}
	})
}

// foreign returns Params in other alphabets and with characters that formats quote.
func foreign() simulator.Params {
	p := simulator.NewParams()
	p.Recipient, p.Sender, p.Subject, p.Tag = "ada+news@example.com", "nachrichten@bücher.example", `Grüße, "名" <&>`, "größe 名"
	p.Metadata = map[string]string{"order": `17 "01" \ <&> 名`, "kunde_2": "Müller"}
	return p
}

// whole fails the test unless a sample's request becomes the events that it should.
func whole(t *testing.T, sim *simulator.Simulator, sample simulator.Sample, p simulator.Params) {
	t.Helper()
	if len(sample.Types) == 0 {
		return // a ping does not get to the parser
	}
	adapter, _ := newAccount(t, sim)
	events, err := simulator.Parse(adapter, sample.Make(p))
	if err != nil {
		t.Errorf("not ASCII: %v", err)
	}
	equal(t, sample.Events(p), events)
}

func equal(t *testing.T, want, got []anymail.Event) {
	t.Helper()
	options := append(anymailtest.EventOptions(), cmpopts.IgnoreFields(anymail.Common{}, "ESP", "Account", "Key", "Raw"))
	if diff := cmp.Diff(want, got, options...); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// checkFields fails the test unless an event has the fields of its type and no
// others, so that one situation looks the same at every ESP.
func checkFields(t *testing.T, ev *anymail.TrackingEvent) {
	t.Helper()
	reason, bounce, automated := false, false, false // which fields the type may have
	switch ev.Type {
	case anymail.EventBounced:
		reason, bounce = true, true
		if ev.RejectReason == "" || ev.Bounce.Category == "" {
			t.Errorf("bounced with reject reason %q and bounce category %q", ev.RejectReason, ev.Bounce.Category)
		}
	case anymail.EventRejected, anymail.EventFailed, anymail.EventComplained, anymail.EventUnsubscribed:
		reason, automated = true, ev.Type == anymail.EventUnsubscribed // by a link
		if ev.RejectReason == "" {
			t.Errorf("%s without a reject reason", ev.Type)
		}
	case anymail.EventDeferred:
		bounce = true
	case anymail.EventOpened, anymail.EventClicked:
		automated = true
	case anymail.EventUnknown:
		return
	}
	switch {
	case ev.RejectReason != "" && !reason:
		t.Errorf("%s has reject reason %q", ev.Type, ev.RejectReason)
	case ev.Bounce != anymail.Bounce{} && !bounce:
		t.Errorf("%s has a bounce: %+v", ev.Type, ev.Bounce)
	case ev.Automated != anymail.Unsaid && !automated:
		t.Errorf("%s has automated %v", ev.Type, ev.Automated)
	}
}

// containsRaw reports whether a request contains raw: as its body, or, if raw is
// JSON, in the body, in a form field or in a JSON string.
func containsRaw(r simulator.Request, raw []byte) bool {
	if bytes.Equal(r.Body, raw) {
		return true
	}
	if !json.Valid(raw) {
		return false
	}
	if bytes.Contains(r.Body, raw) {
		return true
	}
	if values, err := url.ParseQuery(string(r.Body)); err == nil {
		for _, list := range values {
			if slices.ContainsFunc(list, func(value string) bool { return strings.Contains(value, string(raw)) }) {
				return true
			}
		}
	}
	var v any
	return json.Unmarshal(r.Body, &v) == nil && stringsContain(v, string(raw))
}

// stringsContain reports whether a string in v contains raw. It looks into
// strings that are JSON themselves.
func stringsContain(v any, raw string) bool {
	switch v := v.(type) {
	case string:
		var inner any
		return strings.Contains(v, raw) || (json.Unmarshal([]byte(v), &inner) == nil && stringsContain(inner, raw))
	case []any:
		return slices.ContainsFunc(v, func(element any) bool { return stringsContain(element, raw) })
	case map[string]any:
		for _, element := range v {
			if stringsContain(element, raw) {
				return true
			}
		}
	}
	return false
}
