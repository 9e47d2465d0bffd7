package conformance

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/simulator"
)

// testKeys: a redelivered event has its key again, any other event has another
// key, and the redelivery runs no receiver.
func testKeys(t *testing.T, sim *simulator.Simulator) {
	seen := map[string]string{}
	adapter, _ := newAccount(t, sim)
	message, events := simulator.NewParams(), map[string]anymail.EventType{}
	for _, sample := range sim.Samples {
		p := simulator.NewParams()
		first, second := anymailtest.NewServer(t, sim), anymailtest.NewServer(t, sim)
		before := first.Send(t, sample, p)
		after := second.Send(t, sample, p) // signed anew, like a redelivery
		if len(before) != len(after) {
			t.Fatalf("%s: %d events, redelivered %d", sample.Name, len(before), len(after))
		}
		for i := range before {
			key := before[i].Base().Key
			if again := after[i].Base().Key; key != again {
				t.Errorf("%s: the key is %s, but %s after redelivery", sample.Name, key, again)
			}
			if other := seen[key]; other != "" {
				t.Errorf("%s and %s have the same key", sample.Name, other)
			}
			seen[key] = sample.Name
		}
		for i, ev := range first.Send(t, sample, simulator.NewParams()) {
			if other := seen[ev.Base().Key]; other != "" {
				t.Errorf("%s, event %d: another event has the key of %s", sample.Name, i, other)
			}
		}
		// Another event of the same message, at the same time.
		of := simulator.NewParams()
		of.MessageID, of.Recipient, of.Time, of.Tag = message.MessageID, message.Recipient, message.Time, message.Tag
		for _, ev := range second.Send(t, sample, of) {
			key, typ := ev.Base().Key, ev.Base().Type
			if other, found := events[key]; found && other != typ {
				t.Errorf("%s: the key is that of another event of the same message, which is %s", sample.Name, other)
			}
			events[key] = typ
		}
		// The same happens to the message again, an hour later. If the ESP posts the
		// same text, without a time or an id, no key can tell the two apart.
		again := of
		again.EventID, again.Number, again.Time = p.EventID, p.Number, of.Time.Add(time.Hour)
		once, twice := sample.Make(of), sample.Make(again)
		if key := firstKey(adapter, once); key != "" && key == firstKey(adapter, twice) && !bytes.Equal(once.Body, twice.Body) {
			t.Errorf("%s: when it happens to the message again, the event has the same key", sample.Name)
		}
		// The server that already has the event accepts it again, or refuses
		// the identical signature, but runs no receiver.
		status, _ := first.Post(t, first.Prepare(t, sample, p))
		if events := first.Take(); len(events) > 0 || (status != http.StatusOK && status != http.StatusBadRequest) {
			t.Errorf("%s: redelivered, answered %d and ran %d events", sample.Name, status, len(events))
		}
	}
}

// firstKey returns the key of a request's first event, or "" if that happens to a
// message once at most.
func firstKey(adapter anymail.Adapter, r simulator.Request) string {
	events, err := simulator.Parse(adapter, r)
	if err == nil && len(events) > 0 {
		switch events[0].Base().Type {
		case anymail.EventOpened, anymail.EventClicked, anymail.EventDeferred:
			return events[0].Base().Key
		}
	}
	return ""
}
