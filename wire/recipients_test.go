package wire_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

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
