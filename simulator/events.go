package simulator

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
)

// Event returns what [Sample].Events of a tracking sample returns: one event that has
// id, time, message, recipient, tag and metadata of the Params, and what the changes
// set. They also clear what the ESP does not send.
func (p Params) Event(typ anymail.EventType, reason anymail.RejectReason, changes ...func(*anymail.TrackingEvent)) []anymail.Event {
	ev := &anymail.TrackingEvent{
		Common:       anymail.Common{Type: typ, ID: p.EventID, Timestamp: p.Time},
		RejectReason: reason, MessageID: p.MessageID, Recipient: p.Recipient,
		Tags: []string{p.Tag}, Metadata: anymail.Metadata{},
	}
	for name, value := range p.Metadata {
		ev.Metadata[name] = value
	}
	for _, change := range changes {
		change(ev)
	}
	return []anymail.Event{ev}
}

// Received returns what [Sample].Events of a sample with TakesMIME returns: one
// event that has id and time of the Params, the message of [Params].MIME with its
// source, and what the changes set or clear.
func (p Params) Received(changes ...func(*anymail.InboundEvent)) []anymail.Event {
	ev := &anymail.InboundEvent{
		Common:  anymail.Common{Type: anymail.EventInbound, ID: p.EventID, Timestamp: p.Time},
		Message: rawmime.Parse(p.MIME, anymail.Limits{}),
	}
	for _, change := range changes {
		change(ev)
	}
	return []anymail.Event{ev}
}

// ReceivedInParts returns what Received returns, for an ESP that posts a message in
// parts: without its source and without the parameters of attachments.
func (p Params) ReceivedInParts(changes ...func(*anymail.InboundEvent)) []anymail.Event {
	events := p.Received(func(ev *anymail.InboundEvent) {
		ev.Message.RawMIME = nil
		for i := range ev.Message.Attachments {
			ev.Message.Attachments[i].Params = nil
		}
	})
	for _, change := range changes {
		change(events[0].(*anymail.InboundEvent))
	}
	return events
}

// Described is a change that sets the description.
func Described(text string) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) { ev.Description = text }
}

// Answered is a change that sets the receiving server's answer and what it means.
func Answered(response string, bounce anymail.Bounce) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) { ev.MTAResponse, ev.Bounce = response, bounce }
}

// Visited is a change that sets what the ESP knows of the reader of an open, or of a
// click if there is a URL.
func Visited(userAgent, url string, automated anymail.Tri) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) { ev.UserAgent, ev.ClickURL, ev.Automated = userAgent, url, automated }
}

// Unlabelled is a change for an ESP that sends neither tags nor metadata.
func Unlabelled(ev *anymail.TrackingEvent) { ev.Tags, ev.Metadata = nil, nil }

// Envelope is a change that sets the envelope of a received message.
func Envelope(sender string, recipients ...string) func(*anymail.InboundEvent) {
	return func(ev *anymail.InboundEvent) {
		ev.Message.EnvelopeSender = sender
		inbound.SetEnvelopeRecipients(&ev.Message, recipients...)
	}
}
