package zeptomail

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// notification is what ZeptoMail posts. Of each list there may be one element without
// the list. https://www.zoho.com/zeptomail/webhooks-instant-notification.html
type notification struct {
	ID       wire.Text     `json:"webhook_request_id"`
	Names    wire.Strings  `json:"event_name"`
	Messages list[message] `json:"event_message"`
}

type message struct {
	RequestID wire.Text         `json:"request_id"` // as the send API returns it
	Info      wire.Object[info] `json:"email_info"`
	Data      list[occurrences] `json:"event_data"`
}

type info struct {
	EmailReference  wire.Text       `json:"email_reference"`
	ClientReference wire.Text       `json:"client_reference"`
	To              list[recipient] `json:"to"`
	CC              list[recipient] `json:"cc"`
	BCC             list[recipient] `json:"bcc"`
}

type recipient struct {
	Address list[struct {
		Address wire.Text `json:"address"`
	}] `json:"email_address"`
}

// occurrences are those of one kind of event.
type occurrences struct {
	Object  wire.Text     `json:"object"`
	Details list[details] `json:"details"`
}

type details struct {
	Time       wire.RFC3339 `json:"time"`
	Reason     wire.Text    `json:"reason"`
	Recipient  wire.Text    `json:"bounced_recipient"`
	Diagnostic wire.Text    `json:"diagnostic_message"`
	Link       wire.Text    `json:"clicked_link"`
	UserAgent  wire.Text    `json:"user_agent"`
	IP         wire.Text    `json:"ip_address"`
}

// list is a list of objects, or one of them.
type list[T any] []T

// UnmarshalJSON implements [json.Unmarshaler].
func (l *list[T]) UnmarshalJSON(b []byte) error {
	*l = nil
	if b[0] == '[' {
		var all []wire.Object[T]
		err := wire.Unmarshal(b, &all)
		for _, one := range all {
			*l = append(*l, one.Value)
		}
		return err
	}
	if b[0] != '{' {
		return nil
	}
	var one wire.Object[T]
	err := one.UnmarshalJSON(b)
	*l = list[T]{one.Value}
	return err
}

// outcomes are those of names in small letters alone: the spelling varies.
var outcomes = map[string]wire.Outcome{
	"hardbounce":     {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"softbounce":     {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"emailopen":      {Type: anymail.EventOpened},
	"emaillinkclick": {Type: anymail.EventClicked},
	"delivered":      {Type: anymail.EventDelivered},
	"feedbackloop":   {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"fblcomplaint":   {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"spam":           {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"unsubscribe":    {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
}

// outcome returns that of the first name that is known.
func outcome(names ...string) (found wire.Outcome) {
	for _, name := range names {
		letters := strings.Map(func(r rune) rune {
			if r < 'a' || r > 'z' {
				return -1
			}
			return r
		}, strings.ToLower(name))
		if found, ok := outcomes[letters]; ok {
			return found
		}
	}
	return found
}

func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	text, err := eventText(p)
	if err != nil {
		return nil, err
	}
	elements, err := wire.Split(text, p.Limits)
	if err != nil {
		return nil, err
	}
	var all []anymail.Event
	for _, raw := range elements {
		var each []*anymail.TrackingEvent
		one := wire.Events([][]byte{raw}, func(w *notification, ev *anymail.TrackingEvent) {
			ev.ID = string(w.ID)
			outcome(w.Names...).Apply(ev)
			each = w.each(ev)
		})
		if len(each) == 0 {
			all = append(all, one...)
		}
		for _, ev := range each {
			all = append(all, ev)
		}
	}
	if err := wire.AtMost(p.Limits, len(all)); err != nil {
		return nil, err
	}
	return wire.AtLeastOne(all, nil)
}

// each returns an event for each occurrence. It has what ev has.
func (w *notification) each(ev *anymail.TrackingEvent) (all []*anymail.TrackingEvent) {
	for _, m := range w.Messages {
		data := m.Data
		if len(data) == 0 {
			data = list[occurrences]{{}}
		}
		for _, o := range data {
			occurred := o.Details
			if len(occurred) == 0 {
				occurred = list[details]{{}}
			}
			for _, d := range occurred {
				its := *ev
				outcome(append([]string{string(o.Object)}, w.Names...)...).Apply(&its)
				m.fill(&d, &its)
				its.Key = anymail.EventKey(ESP, string(o.Object), strings.Join(w.Names, " "), its.MessageID, its.Recipient,
					its.Timestamp.UTC().Format(time.RFC3339Nano), its.ClickURL, its.Description, timelessID(&its))
				all = append(all, &its)
			}
		}
	}
	return all
}

// timelessID returns the id of the notification if the event has no time, without which
// nothing else tells two of them apart. Whether a retry has the id again is not known.
func timelessID(ev *anymail.TrackingEvent) string {
	if ev.Timestamp.IsZero() {
		return ev.ID
	}
	return ""
}

func (m *message) fill(d *details, ev *anymail.TrackingEvent) {
	i := &m.Info.Value
	ev.Timestamp = d.Time.Time
	ev.MessageID = string(cmp.Or(m.RequestID, i.EmailReference))
	ev.Recipient = string(cmp.Or(d.Recipient, i.only()))
	if i.ClientReference != "" {
		ev.Metadata = anymail.Metadata{"client_reference": string(i.ClientReference)}
	}
	ev.Description = string(d.Reason)
	wire.Answer(ev, string(d.Diagnostic))
	ev.ClickURL, ev.UserAgent, ev.IP = string(d.Link), string(d.UserAgent), wire.Addr(string(d.IP))
}

// only returns the recipient of a message that has no other. Of several, ZeptoMail does
// not say whom an event is about.
func (i *info) only() (address wire.Text) {
	for _, r := range slices.Concat(i.To, i.CC, i.BCC) {
		for _, a := range r.Address {
			switch {
			case a.Address == "" || a.Address == address:
			case address != "":
				return ""
			default:
				address = a.Address
			}
		}
	}
	return address
}
