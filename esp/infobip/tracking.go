package infobip

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is a delivery report, or what a user did with a message, or an event of the
// platform.
// https://www.infobip.com/docs/api/channels/email/receive-email-delivery-reports
// https://www.infobip.com/docs/api/channels/email/receive-email-tracking-reports
type event struct {
	MessageID   wire.Text `json:"messageId"`
	Campaign    wire.Text `json:"campaignReferenceId"`
	Callback    wire.Text `json:"callbackData"` // the sender's
	Entity      wire.Text `json:"entityId"`
	Application wire.Text `json:"applicationId"`

	// of a report
	To     wire.Text         `json:"to"`
	SentAt wire.Text         `json:"sentAt"`
	DoneAt wire.Text         `json:"doneAt"`
	Status wire.Object[code] `json:"status"`
	Error  wire.Object[code] `json:"error"`
	SMTP   wire.Object[smtp] `json:"smtp"`

	// of what a user did
	Type wire.Text          `json:"notificationType"`
	ID   wire.Text          `json:"eventId"`
	User wire.Text          `json:"recipient"`
	URL  wire.Text          `json:"url"`
	Geo  wire.Object[place] `json:"geoLocation"`

	// of an event of the platform
	CreatedAt wire.UnixMilli       `json:"createdAt"`
	Details   wire.Object[details] `json:"eventDetails"`
}

// code is a status or an error.
type code struct {
	Group       wire.Text `json:"groupName"`
	Name        wire.Text `json:"name"`
	Description wire.Text `json:"description"`
	Permanent   wire.Text `json:"permanent"`
}

type smtp struct {
	Response wire.Text `json:"response"`
}

type place struct {
	Country wire.Text `json:"countryName"`
	City    wire.Text `json:"city"`
}

type details struct {
	Type wire.Text `json:"type"`
}

// statuses are the groups of a report's status, types the user events.
// https://www.infobip.com/docs/essentials/api-essentials/response-status-and-error-codes
var (
	statuses = map[wire.Text]wire.Outcome{
		"PENDING":       {Type: anymail.EventQueued},
		"DELIVERED":     {Type: anymail.EventDelivered},
		"UNDELIVERABLE": {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
		"EXPIRED":       {Type: anymail.EventBounced, Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft}, // at the end of its validity
		"REJECTED":      {Type: anymail.EventRejected, Reason: anymail.RejectOther},
	}
	types = map[wire.Text]wire.Outcome{
		"OPENED":       {Type: anymail.EventOpened},
		"CLICKED":      {Type: anymail.EventClicked},
		"UNSUBSCRIBED": {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
		"COMPLAINED":   {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
		"LATE_BOUNCE":  {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	}
)

var (
	notSent = wire.Outcome{Type: anymail.EventRejected, Reason: anymail.RejectOther}
	policy  = wire.Outcome{Type: anymail.EventRejected, Reason: anymail.RejectBlocked}
	failed  = wire.Outcome{Type: anymail.EventFailed, Reason: anymail.RejectOther}
	invalid = wire.Outcome{Reason: anymail.RejectInvalid, Category: anymail.BounceHard}
	blocked = wire.Outcome{Reason: anymail.RejectBlocked, Category: anymail.BounceBlock}
	spam    = wire.Outcome{Reason: anymail.RejectSpam, Category: anymail.BounceBlock}
)

// failures are the errors that say more than the status. The first group is Infobip's
// "Dropped", in which Infobip did not send, the second "Bounced".
// https://www.infobip.com/docs/essentials/api-essentials/response-status-and-error-codes
var failures = map[wire.Text]wire.Outcome{
	"EC_SPAM_DETECTED":                                 policy,
	"EC_UNSUBSCRIBED_EMAIL_ADDRESS":                    {Type: anymail.EventRejected, Reason: anymail.RejectUnsubscribed},
	"EC_SUPPRESSED_BOUNCE":                             {Type: anymail.EventRejected, Reason: anymail.RejectBounced},
	"EC_SUPPRESSED_SPAM_COMPLAINT":                     {Type: anymail.EventRejected, Reason: anymail.RejectSpam},
	"EC_RECIPIENT_DOMAIN_TYPO":                         {Type: anymail.EventRejected, Reason: anymail.RejectInvalid},
	"EC_SENDER_DOMAIN_BOUNCE_BLOCKED":                  policy,
	"EC_BLOCKED_SUSPICIOUS_ACTIVITY":                   policy,
	"EC_SENDER_ADDRESS_INVALID":                        notSent,
	"EC_SENDER_DOMAIN_UNVERIFIED":                      notSent,
	"EC_SINGLE_SENDER_NOT_VERIFIED":                    notSent,
	"EC_SINGLE_SENDER_TRAFFIC_EXCEEDED":                notSent,
	"EC_SENDER_WARMUP":                                 notSent,
	"EC_WARMUP":                                        notSent,
	"EC_SAFETY_RATE_LIMIT":                             notSent,
	"EC_NO_IP_POOL_ASSIGNED":                           notSent,
	"EC_REQUEST_INVALID":                               failed,
	"EC_EMAIL_TEMPLATE_NOT_FOUND":                      failed,
	"EC_EMAIL_PLACEHOLDERS_ERROR":                      failed,
	"EC_EMAIL_TOO_MANY_URLS":                           failed,
	"EC_EMAIL_INVALID_TRACKING_PARAMS":                 failed,
	"EC_EMAIL_LANDING_PAGE_PLACEHOLDERS_SIZE_EXCEEDED": failed,
	"EC_EMAIL_INVALID_HEADERS":                         failed,
	"EC_EMAIL_INVALID_LANDING_PAGE":                    failed,
	"EC_INVALID_PRESERVED_CC_OR_BCC_RECIPIENT":         failed,
	"EC_INVALID_CC_BCC_EMAIL_ADDRESS":                  failed,
	"EC_EMAIL_CONTENT_EXPIRED":                         failed,
	"EC_EMAIL_TEMPLATE_LANGUAGE_ERROR":                 failed,
	"EC_EMAIL_TEMPLATE_EXPIRED":                        failed,
	"EC_EMAIL_TEMPLATE_NOT_SAVED":                      failed,
	"EC_INTERNAL_SYSTEM_ERROR":                         failed,

	"EC_INVALID_EMAIL_ADDRESS":             invalid,
	"EC_ACCESS_DENIED_BY_MAILBOX_PROVIDER": blocked,
	"EC_MAILBOX_PROVIDER_RATE_LIMIT":       blocked,
	"EC_SENDER_IP_BLACKLISTED":             blocked,
	"EC_SENDER_DOMAIN_BLACKLISTED":         blocked,
	"EC_SUSPICIOUS_SENDER":                 blocked,
	"EC_RECIPIENT_DOMAIN_POLICY_ERROR":     blocked,
	"EC_DOMAIN_CONFIGURATION_ERROR":        blocked,
	"EC_DMARC_POLICY_ISSUE":                blocked,
	"EC_SPAM_REVERTED":                     spam,
	"EC_SUSPICIOUS_CONTENT":                spam,
	"EC_UNSOLICITED_RECIPIENT":             spam,
}

// parseTracking reads the list of reports that Infobip posts as results, or the one
// event that it posts of any other kind.
func parseTracking(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	elements, err := wire.Split(p.Body, p.Limits)
	if err == nil && len(elements) == 1 {
		if results := wire.Member(elements[0], "results"); results != nil {
			elements, err = wire.Split(results, p.Limits)
		}
	}
	if err != nil {
		return nil, err
	}
	return wire.AtLeastOne(wire.Events(elements, fill), nil)
}

func fill(w *event, ev *anymail.TrackingEvent) {
	ev.ID = string(w.ID)
	ev.MessageID = string(w.MessageID)
	ev.Recipient = string(cmp.Or(w.To, w.User))
	ev.ClickURL = string(w.URL)
	ev.Geo.Country, ev.Geo.City = string(w.Geo.Value.Country), string(w.Geo.Value.City)
	if w.Campaign != "" {
		ev.Tags = []string{string(w.Campaign)}
	}
	ev.Metadata = w.metadata()
	types[w.Type].Apply(ev)
	ev.Timestamp = w.CreatedAt.Time // a user event has none: its sendDateTime is the message's
	ev.Description = string(w.Details.Value.Type)
	if w.Type == "" && w.Status.Value.Group != "" {
		w.fillReport(ev)
	}
}

func (w *event) fillReport(ev *anymail.TrackingEvent) {
	status, failure := &w.Status.Value, &w.Error.Value
	statuses[wire.Text(strings.ToUpper(string(status.Group)))].Apply(ev)
	ev.Timestamp = wire.Time(string(cmp.Or(w.DoneAt, w.SentAt)), "2006-01-02T15:04:05Z0700", time.RFC3339)
	if answer := string(w.SMTP.Value.Response); answer != "" {
		wire.Answer(ev, answer)
	}
	if ev.Type == anymail.EventBounced || ev.Type == anymail.EventRejected {
		if ev.Bounce.Category == anymail.BounceUndetermined {
			ev.Bounce.Category = permanence[failure.Permanent]
		}
		failures[failure.Name].Apply(ev)
		ev.Description = string(cmp.Or(status.Description, status.Name))
		if failure.Name != "" && failure.Name != "NO_ERROR" {
			ev.Description = string(cmp.Or(failure.Description, failure.Name))
		}
	}
	if w.MessageID != "" {
		ev.Key = anymail.EventKey(ESP, string(w.MessageID), ev.Recipient, string(status.Group), string(status.Name), string(failure.Name), string(w.DoneAt))
	}
}

// permanence is that of an error.
var permanence = map[wire.Text]anymail.BounceCategory{"true": anymail.BounceHard, "false": anymail.BounceSoft}

// metadata returns the members of the sender's callback data if that is a JSON object,
// or else the data; and what else Infobip was told of the message's origin.
func (w *event) metadata() anymail.Metadata {
	var m anymail.Metadata
	if wire.Unmarshal([]byte(w.Callback), &m) != nil || m == nil {
		m = anymail.Metadata{}
		if w.Callback != "" {
			m["callbackData"] = string(w.Callback)
		}
	}
	for name, value := range map[string]wire.Text{"entityId": w.Entity, "applicationId": w.Application} {
		if _, ok := m[name]; !ok && value != "" {
			m[name] = string(value)
		}
	}
	return m
}
