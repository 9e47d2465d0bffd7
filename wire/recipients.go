package wire

import "github.com/goanymail/anymail"

// PerRecipient returns a copy of an event for each recipient, for an ESP that posts
// one event for all of them. A recipient who is named twice gets one.
func PerRecipient(ev *anymail.TrackingEvent, recipients []string) []*anymail.TrackingEvent {
	var events []*anymail.TrackingEvent
	seen := map[string]bool{}
	for _, recipient := range recipients {
		if seen[recipient] {
			continue
		}
		seen[recipient] = true
		its := *ev
		its.Recipient = recipient
		events = append(events, &its)
	}
	return events
}
