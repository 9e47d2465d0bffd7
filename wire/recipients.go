package wire

import (
	"strings"

	"github.com/goanymail/anymail"
)

// PerRecipient returns a copy of an event for each recipient, for an ESP that posts
// one event for all of them. A recipient who is named twice gets one. If the event has
// a key, the key of a copy is made of that and the recipient.
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
		if ev.Key != "" {
			esp, _, _ := strings.Cut(ev.Key, ":")
			its.Key = anymail.EventKey(esp, ev.Key, recipient)
		}
		events = append(events, &its)
	}
	return events
}

// EventsPerRecipient is [Events] for elements that may name several recipients: fill
// returns them, and [PerRecipient] makes the events. If fill returns none, there is one
// event, as fill leaves it. The limit is that of [AtMost].
func EventsPerRecipient[T any](elements [][]byte, limits anymail.Limits, fill func(w *T, ev *anymail.TrackingEvent) []string) ([]anymail.Event, error) {
	recipients := map[anymail.Event][]string{}
	var all []anymail.Event
	for _, ev := range Events(elements, func(w *T, ev *anymail.TrackingEvent) { recipients[ev] = fill(w, ev) }) {
		tracking, ok := ev.(*anymail.TrackingEvent)
		if !ok || len(recipients[ev]) == 0 {
			all = append(all, ev)
			continue
		}
		for _, its := range PerRecipient(tracking, recipients[ev]) {
			all = append(all, its)
		}
	}
	return all, AtMost(limits, len(all))
}
