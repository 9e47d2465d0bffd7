package wire_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

func TestEventsPerRecipient(t *testing.T) {
	type event struct {
		ID wire.Text    `json:"id"`
		To wire.Strings `json:"to"`
	}
	parse := func(limits anymail.Limits, body string) ([]anymail.Event, error) {
		elements, err := wire.Split([]byte(body), limits)
		if err != nil {
			t.Fatal(err)
		}
		return wire.EventsPerRecipient(elements, limits, func(w *event, ev *anymail.TrackingEvent) []string {
			if w.ID != "" {
				ev.Key = anymail.EventKey("esp", string(w.ID))
			}
			return w.To
		})
	}
	key := func(recipient string) string { return anymail.EventKey("esp", anymail.EventKey("esp", "1"), recipient) }
	const both, none = `{"id":1,"to":["ada@example.com","grace@example.com"]}`, `{"to":[]}`
	events, err := parse(anymail.Limits{}, "["+both+","+none+",7]")
	if err != nil {
		t.Fatal(err)
	}
	want := []anymail.Event{
		&anymail.TrackingEvent{Common: anymail.Common{Key: key("ada@example.com"), Raw: anymail.Raw(both)}, Recipient: "ada@example.com"},
		&anymail.TrackingEvent{Common: anymail.Common{Key: key("grace@example.com"), Raw: anymail.Raw(both)}, Recipient: "grace@example.com"},
		&anymail.TrackingEvent{Common: anymail.Common{Raw: anymail.Raw(none)}},
		&anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnknown, Raw: anymail.Raw("7")}, Description: "malformed event: not an object"},
	}
	if diff := cmp.Diff(want, events, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := parse(anymail.Limits{BatchEvents: 1}, both); !errors.Is(err, anymail.ErrTooLarge) {
		t.Errorf("two recipients where one event is the limit: %v", err)
	}
}

func TestPerRecipient(t *testing.T) {
	of := func(recipient string) *anymail.TrackingEvent {
		return &anymail.TrackingEvent{Common: anymail.Common{ID: "1"}, Recipient: recipient}
	}
	for _, tt := range []struct {
		recipients []string
		want       []*anymail.TrackingEvent
	}{
		{nil, nil},
		{[]string{"ada@example.com"}, []*anymail.TrackingEvent{of("ada@example.com")}},
		{
			[]string{"grace@example.com", "ada@example.com", "grace@example.com"},
			[]*anymail.TrackingEvent{of("grace@example.com"), of("ada@example.com")},
		},
	} {
		if diff := cmp.Diff(tt.want, wire.PerRecipient(of("all"), tt.recipients), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.recipients, diff)
		}
	}
}
