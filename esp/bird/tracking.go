package bird

import (
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is any of Bird's webhooks.
// https://github.com/messagebird/bird-sdk-go/blob/main/eventtypes.gen.go
type event struct {
	Type      wire.Text         `json:"type"`
	Timestamp wire.RFC3339      `json:"timestamp"`
	Data      wire.Object[data] `json:"data"`
}

type data struct {
	EmailID   wire.Text     `json:"email_id"` // shared by all recipients of a message
	Recipient wire.Text     `json:"recipient"`
	Email     wire.Text     `json:"email"` // of a suppression
	Tags      wire.Headers  `json:"tags"`  // names and values
	Metadata  wire.Metadata `json:"metadata"`

	BounceType   wire.Text `json:"bounce_type"`
	BounceCode   wire.Text `json:"bounce_code"` // of SMTP
	Bounce       wire.Text `json:"bounce_description"`
	Defer        wire.Text `json:"defer_reason"`
	Rejection    wire.Text `json:"rejection_reason"`
	FeedbackType wire.Text `json:"feedback_type"`

	URL       wire.Text `json:"url"`
	IP        wire.Text `json:"ip_address"`
	UserAgent wire.Text `json:"user_agent"`
}

const receivedType = "email.received"

var (
	bounced      = wire.Outcome{Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined}
	unsubscribed = wire.Outcome{Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed}

	types = map[wire.Text]wire.Outcome{
		"email.scheduled":          {Type: anymail.EventQueued},
		"email.accepted":           {Type: anymail.EventQueued},
		"email.processed":          {Type: anymail.EventQueued},
		"email.delivered":          {Type: anymail.EventDelivered},
		"email.deferred":           {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
		"email.bounced":            bounced,
		"email.out_of_band_bounce": bounced, // after it was delivered
		"email.rejected":           {Type: anymail.EventRejected, Reason: anymail.RejectOther},
		"email.complained":         {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
		"email.opened":             {Type: anymail.EventOpened},
		"email.clicked":            {Type: anymail.EventClicked},
		"email.unsubscribed":       unsubscribed,
		"email.list_unsubscribed":  unsubscribed,
	}

	bounceTypes = map[wire.Text]wire.Outcome{
		"hard":  {Category: anymail.BounceHard},
		"soft":  {Category: anymail.BounceSoft},
		"block": {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
		"admin": {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	}

	rejections = map[wire.Text]wire.Outcome{
		"recipient_suppressed":  {Reason: anymail.RejectBlocked}, // why it is suppressed is not told
		"policy_rejection":      {Reason: anymail.RejectBlocked},
		"recipient_not_allowed": {Reason: anymail.RejectBlocked},
		"generation_failure":    {Type: anymail.EventFailed},
		"transmission_failed":   {Type: anymail.EventFailed},
	}
)

func fill(w *event, ev *anymail.TrackingEvent) {
	d := &w.Data.Value
	types[w.Type].Apply(ev)
	ev.Timestamp = w.Timestamp.Time
	ev.MessageID, ev.Recipient = string(d.EmailID), string(d.Recipient)
	if d.Recipient == "" {
		ev.Recipient = string(d.Email)
	}
	ev.Metadata = metadata(d)

	switch ev.Type {
	case anymail.EventBounced:
		bounceTypes[d.BounceType].Apply(ev)
		wire.Answer(ev, answer(d.BounceCode, d.Bounce))
	case anymail.EventDeferred:
		wire.Outcome{Category: bounceTypes[d.BounceType].Category}.Apply(ev)
		wire.Answer(ev, string(d.Defer))
	case anymail.EventRejected:
		rejections[d.Rejection].Apply(ev)
		ev.Description = string(d.Rejection)
	case anymail.EventComplained:
		ev.Description = string(d.FeedbackType)
		if d.FeedbackType == "not-spam" { // the opposite of a complaint
			ev.Type, ev.RejectReason = anymail.EventUnknown, ""
		}
	case anymail.EventOpened, anymail.EventClicked:
		ev.ClickURL, ev.UserAgent, ev.IP = string(d.URL), string(d.UserAgent), wire.Addr(string(d.IP))
	}
	if w.Type == receivedType {
		ev.Description = "a received message, which cannot be fetched without APIKeys"
	}
}

// answer joins the reply code with the text, unless the text begins with the code.
func answer(code, text wire.Text) string {
	if strings.HasPrefix(string(text), string(code)) {
		return string(text)
	}
	return strings.TrimSpace(string(code + " " + text))
}

// metadata is that of the message, and its tags, which are pairs.
func metadata(d *data) anymail.Metadata {
	all := anymail.Metadata(d.Metadata)
	for _, tag := range d.Tags {
		if all == nil {
			all = anymail.Metadata{}
		}
		if _, taken := all[tag.Name]; !taken {
			all[tag.Name] = tag.Value
		}
	}
	return all
}
