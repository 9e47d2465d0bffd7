package unisendergo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// callback is what Unisender Go posts: up to 100 events or, with single_event, one,
// whose members may be those of the callback.
// https://docs.unione.io/en/web-api-ref#callback-format
type callback struct {
	EventsByUser []jsontext.Value `json:"events_by_user"`
	user
}

type user struct {
	UserID    wire.Text      `json:"user_id"`
	ProjectID wire.Text      `json:"project_id"`
	Events    jsontext.Value `json:"events"`
}

// event is an event of either form: with its members in event_data, or next to
// event_name.
type event struct {
	Name string
	Data data
}

type data struct {
	JobID    wire.Text                 `json:"job_id"`
	Metadata wire.Metadata             `json:"metadata"`
	Email    wire.Text                 `json:"email"`
	Status   wire.Text                 `json:"status"`
	Time     wire.RFC3339              `json:"event_time"` // UTC, without a zone
	URL      wire.Text                 `json:"url"`
	Comment  wire.Text                 `json:"comment"`
	Delivery wire.Object[deliveryInfo] `json:"delivery_info"`

	// For a spam block, which is about a domain and not about a message.
	BlockTime    wire.RFC3339 `json:"block_time"`
	BlockType    string       `json:"block_type"`
	Domain       string       `json:"domain"`
	DomainStatus string       `json:"domain_status"`
}

// UnmarshalJSON implements [json.Unmarshaler].
func (e *event) UnmarshalJSON(b []byte) error {
	var w struct {
		Name string         `json:"event_name"`
		Data jsontext.Value `json:"event_data"`
	}
	*e = event{}
	if err := wire.Unmarshal(b, &w); err != nil {
		return err
	}
	e.Name = w.Name
	if w.Data == nil {
		w.Data = b
	}
	return wire.Unmarshal(w.Data, &e.Data)
}

// deliveryInfo is there if the webhook was set up with delivery_info.
type deliveryInfo struct {
	Status      string `json:"delivery_status"`
	Response    string `json:"destination_response"`
	UserAgent   string `json:"user_agent"`
	IP          string `json:"ip"`
	CountryCode string `json:"country_code"`
	Country     string `json:"country"`
	City        string `json:"city"`
}

// https://godocs.unisender.ru/email-statuses
var statuses = map[string]wire.Outcome{
	"accepted":     {Type: anymail.EventQueued},
	"sent":         {Type: anymail.EventSent},
	"delivered":    {Type: anymail.EventDelivered},
	"opened":       {Type: anymail.EventOpened},
	"clicked":      {Type: anymail.EventClicked},
	"unsubscribed": {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"subscribed":   {Type: anymail.EventSubscribed},
	"soft_bounced": {Type: anymail.EventDeferred, Category: anymail.BounceSoft}, // Unisender Go retries for one or two days
	"hard_bounced": {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"spam":         {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
}

// deliveryStatuses are why a message bounced. A type is that of a hard_bounced
// message that was never sent. A hard_bounced status that announces a retry means
// that the retries failed. The list is documented as incomplete, and only the older
// Unisender explains some of the statuses.
// https://docs.unione.io/en/email-statuses
// https://docs.unione.io/en/web-api-ref#callback-format
// https://www.unisender.com/en/support/api/messages/check-email/
var deliveryStatuses = map[string]wire.Outcome{
	"err_user_unknown":              {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"err_user_inactive":             {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"err_mailbox_discarded":         {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"err_dest_invalid":              {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"err_domain_inactive":           {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"err_no_dns":                    {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"err_no_smtp":                   {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"err_will_retry":                {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
	"err_retry_letter":              {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
	"err_resend":                    {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
	"err_mailbox_full":              {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"err_destination_misconfigured": {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"err_giveup":                    {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
	"err_delivery_failed":           {Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"err_unknown":                   {Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"err_too_large":                 {Reason: anymail.RejectOther, Category: anymail.BounceSoft},
	"err_blacklisted":               {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"err_src_invalid":               {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"err_spam_rejected":             {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},

	"err_spam_skipped":          {Type: anymail.EventRejected, Reason: anymail.RejectBlocked},
	"err_spam_removed":          {Type: anymail.EventRejected, Reason: anymail.RejectBlocked},
	"err_unsubscribed":          {Type: anymail.EventRejected, Reason: anymail.RejectUnsubscribed},
	"err_unreachable":           {Type: anymail.EventRejected, Reason: anymail.RejectBounced},
	"err_not_available":         {Type: anymail.EventRejected, Reason: anymail.RejectOther}, // for some days; err_unreachable is permanent
	"err_skip_letter":           {Type: anymail.EventRejected, Reason: anymail.RejectBounced},
	"skip_dup_unreachable":      {Type: anymail.EventRejected, Reason: anymail.RejectBounced},
	"skip_dup_temp_unreachable": {Type: anymail.EventRejected, Reason: anymail.RejectOther},
	"skip_dup_mailbox_full":     {Type: anymail.EventRejected, Reason: anymail.RejectOther},

	"err_lost":     {Type: anymail.EventFailed, Reason: anymail.RejectOther},
	"err_internal": {Type: anymail.EventFailed, Reason: anymail.RejectOther},
}

func (a *Adapter) parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	body, err := text(p)
	if err != nil {
		return nil, err
	}
	if jsontext.Value(body).Kind() != '{' {
		return nil, anymail.Malformed("not a JSON object", nil)
	}
	var c callback
	if err := wire.Unmarshal(body, &c); err != nil {
		return nil, anymail.Malformed("callback", nil) // the cause would quote the payload
	}
	var events []anymail.Event
	for _, raw := range c.EventsByUser {
		var u user
		var elements [][]byte
		err := wire.Unmarshal(raw, &u)
		switch kind := u.Events.Kind(); {
		case err == nil && kind == '[':
			if elements, err = wire.Split(u.Events, p.Limits); err != nil {
				return nil, err
			}
		case err == nil && kind == 'n':
			// no events
		default:
			elements = [][]byte{raw} // an unknown event, so that nothing is lost
		}
		events = append(events, a.events(elements, u)...)
		if err := wire.AtMost(p.Limits, len(events)); err != nil {
			return nil, err
		}
	}
	if len(events) > 0 {
		return events, nil
	}
	// The only event, or an unknown one if it is not an event.
	return a.events([][]byte{body}, c.user), nil
}

func (a *Adapter) events(elements [][]byte, u user) []anymail.Event {
	return wire.Events(elements, func(e *event, ev *anymail.TrackingEvent) {
		a.fill(e, ev)
		ev.Key = anymail.EventKey(ESP, string(u.UserID), string(u.ProjectID), string(canonicalSum(withoutCallback(ev.Raw))))
	})
}

// withoutCallback returns an event without the members of the callback, which are
// next to its own if it is the only one. Some of them change with every attempt.
func withoutCallback(raw []byte) []byte {
	if wire.Member(raw, "auth") == nil {
		return raw
	}
	var rest []byte
	for name, value := range wire.Members(raw) {
		switch string(name) {
		case "auth", "retry_count", "user_id", "project_id", "project_name":
			continue
		}
		rest = append(rest, ',')
		rest, _ = jsontext.AppendQuote(rest, name)
		rest = append(append(rest, ':'), value...)
	}
	return slices.Concat([]byte{'{'}, bytes.TrimPrefix(rest, []byte{','}), []byte{'}'})
}

// canonicalSum identifies an event, which has no id, by its content, whatever its
// order and escapes.
func canonicalSum(raw []byte) []byte {
	canonical := jsontext.Value(bytes.Clone(raw))
	if canonical.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)) != nil {
		canonical = raw
	}
	sum := sha256.Sum256(canonical)
	return sum[:]
}

func (a *Adapter) fill(e *event, ev *anymail.TrackingEvent) {
	d, info := &e.Data, &e.Data.Delivery.Value
	switch e.Name {
	case "transactional_email_status":
		statuses[string(d.Status)].Apply(ev)
		if ev.Type == anymail.EventBounced || ev.Type == anymail.EventDeferred {
			explain(ev, info.Status)
		}
		ev.Timestamp = d.Time.Time
		ev.Description = info.Status
		if d.Comment != "" {
			ev.Description = strings.TrimPrefix(ev.Description+"; "+string(d.Comment), "; ")
		}
	case "transactional_spam_block":
		ev.Timestamp = d.BlockTime.Time
		ev.Description = strings.Join([]string{d.Domain, d.DomainStatus, d.BlockType}, " ")
	default:
		ev.Timestamp = d.Time.Time
	}
	ev.MessageID = string(d.JobID)
	if id, ok := d.Metadata[a.config.MessageIDFrom].(string); ok && a.config.MessageIDFrom != "" && id != "" {
		ev.MessageID = id
	}
	ev.Recipient = string(d.Email)
	ev.Metadata = d.Metadata.Event()
	if ev.Type == anymail.EventClicked { // documented for opened too, where no link was followed
		ev.ClickURL = string(d.URL)
	}
	if info.Response != "" {
		wire.Answer(ev, info.Response)
	}
	ev.UserAgent = info.UserAgent
	ev.IP = wire.Addr(info.IP)
	ev.Geo = anymail.Geo{Country: info.CountryCode, City: info.City}
	if ev.Geo.Country == "" {
		ev.Geo.Country = info.Country
	}
}

// explain fills in what the delivery status says about a bounce.
func explain(ev *anymail.TrackingEvent, status string) {
	why, known := deliveryStatuses[status]
	switch {
	case known:
	case status == "":
		return // the webhook is without delivery_info
	case strings.HasPrefix(status, "skip_"):
		why = wire.Outcome{Type: anymail.EventRejected, Reason: wire.Suppression(status)}
	default:
		why = wire.Outcome{Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined}
	}
	ev.RejectReason, ev.Bounce.Category = why.Reason, why.Category
	if ev.Type == anymail.EventBounced && why.Type != "" {
		ev.Type = why.Type
	}
}
