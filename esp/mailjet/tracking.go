package mailjet

import (
	"cmp"
	"context"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is any event of the Event API.
// https://dev.mailjet.com/email/guides/webhooks/
type event struct {
	Event wire.Text `json:"event"`
	Time  wire.Unix `json:"time"`

	MessageID wire.Text `json:"MessageID"`     // a number of up to 19 digits
	OldID     wire.Text `json:"mj_message_id"` // what grouped events once had in its place
	GUID      wire.Text `json:"Message_GUID"`
	Email     wire.Text `json:"email"`
	Campaign  wire.Text `json:"customcampaign"`
	CustomID  wire.Text `json:"CustomID"`
	Payload   wire.Text `json:"Payload"`

	URL   wire.Text `json:"url"`
	IP    wire.Text `json:"ip"`
	Geo   wire.Text `json:"geo"`
	Agent wire.Text `json:"agent"`

	SMTPReply  wire.Text `json:"smtp_reply"`
	Comment    wire.Text `json:"comment"`
	RelatedTo  wire.Text `json:"error_related_to"`
	Error      wire.Text `json:"error"`
	HardBounce wire.Text `json:"hard_bounce"` // true or false; absent if Mailjet does not know
}

// https://dev.mailjet.com/email/guides/webhooks/
var events = map[string]wire.Outcome{
	"sent":    {Type: anymail.EventDelivered}, // the receiving server accepted it
	"open":    {Type: anymail.EventOpened},
	"click":   {Type: anymail.EventClicked},
	"bounce":  {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"blocked": {Type: anymail.EventRejected, Reason: anymail.RejectOther},
	"spam":    {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"unsub":   {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
}

// failures are the errors of bounce and blocked events, as listed at
// https://dev.mailjet.com/email/guides/webhooks/#possible-values-for-errors, and
// "spam preblocked", which is only in the code lists of public clients.
var failures = map[string]wire.Outcome{
	"user unknown":               {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"mailbox inactive":           {Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"quota exceeded":             {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"blacklisted":                {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"spam reporter":              {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
	"invalid domain":             {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"no mail host":               {Reason: anymail.RejectBounced},
	"relay/access denied":        {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"greylisted":                 {Category: anymail.BounceSoft},
	"typofix":                    {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"sender blocked":             {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"content blocked":            {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
	"policy issue":               {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"system issue":               {Category: anymail.BounceSoft},
	"protocol issue":             {Category: anymail.BounceSoft},
	"connection issue":           {Category: anymail.BounceSoft},
	"preblocked":                 {Reason: anymail.RejectBounced}, // recently, or repeatedly
	"spam preblocked":            {Reason: anymail.RejectSpam},
	"bad or empty template":      {Type: anymail.EventFailed},
	"error in template language": {Type: anymail.EventFailed},
}

func parseTracking(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	if wire.Member(p.Body, "Parts") != nil {
		return nil, anymail.Malformed("a received message: its URL should be that of the inbound endpoint", nil)
	}
	return wire.AtLeastOne(wire.Batch(p, fill))
}

func fill(w *event, ev *anymail.TrackingEvent) {
	events[string(w.Event)].Apply(ev)
	ev.Timestamp = w.Time.Time
	for _, id := range []wire.Text{w.MessageID, w.OldID, w.GUID} {
		if id != "" && id != "0" {
			ev.MessageID = string(id)
			break
		}
	}
	ev.Recipient = string(w.Email)
	if w.Campaign != "" {
		ev.Tags = []string{string(w.Campaign)}
	}
	ev.Metadata = w.metadata()
	ev.ClickURL = string(w.URL)
	ev.UserAgent = string(w.Agent)
	ev.IP = wire.Addr(string(w.IP))
	ev.Geo.Country = string(w.Geo)
	ev.MTAResponse = string(w.SMTPReply)
	if ev.Type == anymail.EventBounced || ev.Type == anymail.EventRejected {
		w.fillFailure(ev)
	}
}

func (w *event) fillFailure(ev *anymail.TrackingEvent) {
	failure := strings.ToLower(string(cmp.Or(w.Error, w.RelatedTo))) // error_related_to may be all there is
	failures[failure].Apply(ev)
	switch hard := w.HardBounce; {
	case ev.Bounce.Category == anymail.BounceBlock:
		// A refusal of sender or content may be permanent. That does not make
		// the address invalid.
	case w.RelatedTo == "spam":
		wire.Outcome{Reason: anymail.RejectBlocked, Category: anymail.BounceBlock}.Apply(ev)
	case hard == "true" || hard == "1":
		ev.Bounce.Category = anymail.BounceHard
	case hard == "false" || hard == "0":
		ev.Bounce.Category = anymail.BounceSoft
	}
	if failure == "greylisted" && ev.Type == anymail.EventBounced && ev.Bounce.Category == anymail.BounceSoft {
		ev.Type = anymail.EventDeferred // Mailjet retries
	}

	ev.Description = strings.Trim(string(w.RelatedTo)+": "+string(w.Error), ": ")
	if code, _ := wire.SMTP(string(w.Comment)); code != 0 {
		wire.Answer(ev, string(w.Comment))
	} else if code, enhanced := wire.SMTP(string(w.RelatedTo)); w.Error == "" && (code != 0 || enhanced != "") {
		wire.Answer(ev, string(w.RelatedTo))
	} else if w.Comment != "" {
		ev.Description = strings.TrimPrefix(ev.Description+"; "+string(w.Comment), "; ")
	}
}

// metadata returns the members of the payload given at sending, if that was a JSON
// object, or else the payload; and the CustomID.
func (w *event) metadata() anymail.Metadata {
	var m anymail.Metadata
	if err := wire.Unmarshal([]byte(w.Payload), &m); err != nil && w.Payload != "" {
		m = anymail.Metadata{"Payload": string(w.Payload)}
	}
	if _, ok := m["CustomID"]; !ok && w.CustomID != "" {
		if m == nil {
			m = anymail.Metadata{}
		}
		m["CustomID"] = string(w.CustomID)
	}
	return m
}
