package cloudevent_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/cloudevent"
)

func TestAttributes(t *testing.T) {
	ev := &anymail.TrackingEvent{Common: anymail.Common{ESP: "postmark", Type: anymail.EventBounced, Key: "k"}}
	want := []cloudevent.Attribute{
		{Name: "specversion", Value: "1.0"}, {Name: "id", Value: "k"},
		{Name: "source", Value: "/anymail/postmark"}, {Name: "type", Value: "anymail.tracking.bounced"},
	}
	require.Equal(t, want, cloudevent.Attributes(ev))
	ev.Timestamp = time.Date(2026, 11, 28, 9, 30, 0, 5, time.UTC)
	require.Equal(t, append(want, cloudevent.Attribute{Name: "time", Value: "2026-11-28T09:30:00.000000005Z"}), cloudevent.Attributes(ev))
}
