package brevo

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is any of Brevo's transactional or marketing events. Its "id" is that of
// the webhook, not that of the event.
// https://developers.brevo.com/docs/transactional-webhooks
// https://developers.brevo.com/docs/marketing-webhooks
type event struct {
	Event     string        `json:"event"`
	Email     string        `json:"email"`
	MessageID string        `json:"message-id"`
	TSEpoch   epoch         `json:"ts_epoch"`
	TSEvent   epoch         `json:"ts_event"`
	TS        epoch         `json:"ts"`
	Date      wire.Text     `json:"date"` // in an unclear zone: only for the key
	Reason    string        `json:"reason"`
	Tags      wire.Strings  `json:"tags"`
	Tag       wire.Text     `json:"tag"`
	Custom    wire.Metadata `json:"X-Mailin-custom,case:ignore"`
	Link      string        `json:"link"`
	URL       string        `json:"URL"` // the link of a marketing event
	UserAgent string        `json:"user_agent"`
	Campaign  wire.Text     `json:"camp_id"`
	Name      wire.Text     `json:"campaign name"` // of a marketing event
	Key       wire.Text     `json:"key"`
	Lists     wire.Strings  `json:"list_id"`
}

// epoch is a time in milliseconds or seconds since 1970: ts_epoch is documented
// as the former, and the documentation's samples have the latter.
type epoch struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (e *epoch) UnmarshalJSON(b []byte) error {
	var milli wire.UnixMilli
	if err := milli.UnmarshalJSON(b); err != nil {
		return err
	}
	if milli.Unix() >= 1e8 {
		e.Time = milli.Time
		return nil
	}
	var seconds wire.Unix
	err := seconds.UnmarshalJSON(b)
	e.Time = seconds.Time
	return err
}

// events is keyed by Brevo's names as canonical returns them. One event has
// several: in the documentation, on the wire, in the settings of a webhook, and
// in older versions.
var events = map[string]wire.Outcome{
	"request":           {Type: anymail.EventQueued}, // also for mail that is then blocked
	"sent":              {Type: anymail.EventSent},
	"delivered":         {Type: anymail.EventDelivered},
	"deferred":          {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"softbounce":        {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"softbounced":       {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"hardbounce":        {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"hardbounced":       {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"invalid":           {Type: anymail.EventBounced, Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"invalidemail":      {Type: anymail.EventBounced, Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"blocked":           {Type: anymail.EventRejected, Reason: anymail.RejectBlocked},
	"error":             {Type: anymail.EventFailed, Reason: anymail.RejectOther},
	"spam":              {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"complaint":         {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"opened":            {Type: anymail.EventOpened},
	"uniqueopened":      {Type: anymail.EventOpened},
	"proxyopen":         {Type: anymail.EventOpened},
	"uniqueproxyopen":   {Type: anymail.EventOpened},
	"uniqueproxyopened": {Type: anymail.EventOpened},
	"click":             {Type: anymail.EventClicked},
	"unsubscribed":      {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"unsubscribe":       {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"listaddition":      {Type: anymail.EventSubscribed},
}

var separators = strings.NewReplacer("_", "", "-", "", " ", "")

// canonical makes hard_bounce, HardBounce and hard-bounce one name.
func canonical(name string) string { return separators.Replace(strings.ToLower(name)) }

func fill(w *event, ev *anymail.TrackingEvent) {
	name := canonical(w.Event)
	outcome, known := events[name]
	outcome.Apply(ev)
	ev.Timestamp = cmp.Or(w.TSEpoch.Time, w.TSEvent.Time, w.TS.Time)
	ev.MessageID = w.MessageID
	ev.Recipient = w.Email
	ev.Tags = tags(w)
	ev.Metadata = w.Custom.Event()
	ev.Description = strings.TrimSpace(w.Reason)
	answer(ev)
	if name == "blocked" {
		ev.RejectReason = wire.Suppression(w.Reason)
	}
	if ev.Type == anymail.EventClicked {
		ev.ClickURL = w.Link + w.URL
	}
	ev.UserAgent = w.UserAgent
	if strings.Contains(name, "proxy") {
		ev.Automated = anymail.Yes
	}
	if known {
		ev.Key = key(name, w)
	}
}

// tags returns the tags. Without a "tags" array, "tag" is a JSON array in a
// string, one tag, or the name of the template. A message of a campaign without tags
// has the campaign's name.
func tags(w *event) []string {
	switch {
	case len(w.Tags) > 0:
		return w.Tags
	case w.Tag == "" && w.Name != "":
		return []string{string(w.Name)}
	case w.Tag == "":
		return nil
	}
	var list wire.Strings
	if w.Tag[0] == '[' && wire.Unmarshal([]byte(w.Tag), &list) == nil {
		return list
	}
	return []string{string(w.Tag)}
}

// answer takes Brevo's text as the receiving server's if it has a reply code,
// which may follow a word of Brevo's: "RecipientError: 550 ...".
func answer(ev *anymail.TrackingEvent) {
	text := ev.Description
	if word, rest, ok := strings.Cut(text, ": "); ok && !strings.ContainsAny(word, " 0123456789") {
		text = rest
	}
	code, enhanced := wire.SMTP(text)
	if code != 0 || enhanced != "" {
		wire.Answer(ev, text)
	}
}

// key is made of what is the same in every delivery of an event, to any webhook.
// That excludes "id", and ts_event, which has been documented as the time of the
// event and as that of the callback. The core makes the key of an event without
// any id.
func key(name string, w *event) string {
	if w.MessageID == "" && w.Campaign == "" && w.Key == "" {
		return ""
	}
	at := string(w.Date)
	if t := cmp.Or(w.TSEpoch.Time, w.TS.Time); !t.IsZero() {
		at = t.Format(time.RFC3339Nano)
	} else if at == "" {
		at = w.TSEvent.Format(time.RFC3339Nano)
	}
	parts := []string{name, w.MessageID, string(w.Campaign), string(w.Key), w.Email, at, w.Link, w.URL}
	return anymail.EventKey(ESP, append(parts, w.Lists...)...)
}

func (a *Adapter) parse(ctx context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	elements, err := wire.Split(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	if items := inboundItems(elements); items != nil {
		return a.received(ctx, p, items)
	}
	return wire.AtLeastOne(wire.Events(elements, fill), nil)
}
