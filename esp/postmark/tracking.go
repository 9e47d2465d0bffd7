package postmark

import (
	"context"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// record is any of Postmark's outbound webhooks; RecordType says which.
type record struct {
	RecordType   string
	MessageID    string
	OldMessageID string `json:"MessageId"` // an older spelling
	ID           wire.Text
	Type         string
	TypeCode     wire.Text
	Name         string

	Recipient   string // Delivery, Open, Click, SubscriptionChange
	Email       string // Bounce, SpamComplaint
	Description string
	Details     string
	Tag         string
	Metadata    wire.Metadata

	DeliveredAt, BouncedAt, ReceivedAt, ChangedAt wire.RFC3339

	OriginalLink string
	UserAgent    string
	Geo          struct{ IP, CountryISOCode, Region, City string }

	SuppressSending   bool
	SuppressionReason string
}

// https://postmarkapp.com/developer/webhooks/webhooks-overview
var recordTypes = map[string]wire.Outcome{
	"Delivery":      {Type: anymail.EventDelivered},
	"SpamComplaint": {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"Open":          {Type: anymail.EventOpened},
	"Click":         {Type: anymail.EventClicked},
}

// https://postmarkapp.com/developer/api/bounce-api#bounce-types
var bounceTypes = map[string]wire.Outcome{
	"HardBounce":              {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"Transient":               {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"Unsubscribe":             {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"Subscribe":               {Type: anymail.EventSubscribed},
	"AutoResponder":           {Type: anymail.EventAutoresponded},
	"AddressChange":           {Type: anymail.EventAutoresponded},
	"DnsError":                {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"SpamNotification":        {Type: anymail.EventBounced, Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
	"OpenRelayTest":           {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"Unknown":                 {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"SoftBounce":              {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"VirusNotification":       {Type: anymail.EventBounced, Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"ChallengeVerification":   {Type: anymail.EventAutoresponded},
	"BadEmailAddress":         {Type: anymail.EventRejected, Reason: anymail.RejectInvalid},
	"SpamComplaint":           {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"ManuallyDeactivated":     {Type: anymail.EventRejected, Reason: anymail.RejectBlocked},
	"Unconfirmed":             {Type: anymail.EventRejected, Reason: anymail.RejectOther},
	"Blocked":                 {Type: anymail.EventBounced, Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"SMTPApiError":            {Type: anymail.EventFailed, Reason: anymail.RejectOther},
	"InboundError":            {Type: anymail.EventInboundFailed},
	"DMARCPolicy":             {Type: anymail.EventRejected, Reason: anymail.RejectBlocked},
	"TemplateRenderingFailed": {Type: anymail.EventFailed, Reason: anymail.RejectOther},
}

// Postmark may add types; anything that it calls a bounce is a bounce.
var anyBounce = wire.Outcome{Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined}

// typeCodes are the types of records that have only the number. If there is a name,
// the number is ignored: Postmark's own pages have several numbers for one name.
var typeCodes = map[wire.Text]string{
	"1": "HardBounce", "2": "Transient", "16": "Unsubscribe", "32": "Subscribe", "64": "AutoResponder",
	"128": "AddressChange", "256": "DnsError", "512": "SpamNotification", "1024": "OpenRelayTest", "2048": "Unknown",
	"4096": "SoftBounce", "8192": "VirusNotification", "16384": "ChallengeVerification", "100000": "BadEmailAddress",
	"100001": "SpamComplaint", "100002": "ManuallyDeactivated", "100003": "Unconfirmed", "100006": "Blocked",
	"100007": "SMTPApiError", "100008": "InboundError", "100009": "DMARCPolicy", "100010": "TemplateRenderingFailed",
}

// suppressionReasons are what a SubscriptionChange with SuppressSending is.
// https://postmarkapp.com/developer/webhooks/subscription-change-webhook
var suppressionReasons = map[string]wire.Outcome{
	"ManualSuppression": {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"HardBounce":        {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"SpamComplaint":     {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"":                  {Type: anymail.EventUnsubscribed, Reason: anymail.RejectOther},
}

const inboundRecord = "Inbound"

// sampleID is the MessageID of the samples in Postmark's documentation, which are
// the tests that Postmark posts. No message has it.
const sampleID = "883953f4-6105-42a2-a16a-77a8eac79483"

func parseTracking(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	switch record := wire.StringMember(p.Body, "RecordType"); {
	case record == inboundRecord, record == "" && wire.Member(p.Body, "FromFull") != nil:
		return nil, anymail.Malformed("an inbound message: its URL should be that of the inbound endpoint", nil)
	}
	return wire.AtLeastOne(wire.Batch(p, func(r *record, ev *anymail.TrackingEvent) {
		fill(r, ev)
		switch {
		case ev.ID != "":
			// Each bounce has an ID, but all tests have the same.
			ev.Key = anymail.EventKey(ESP, ev.ID, string(ev.Type), ev.Recipient, r.BouncedAt.UTC().Format(time.RFC3339Nano))
		case ev.MessageID == sampleID:
			ev.Key = testKey(p, ev.Raw)
		}
	}))
}

// testKey returns the key of a test that Postmark posts with the same content each
// time. Postmark does not retry it.
func testKey(p *anymail.Payload, raw anymail.Raw) string {
	return anymail.EventKey(ESP, "test", p.ReceivedAt.UTC().Format(time.RFC3339Nano), string(raw))
}

func fill(r *record, ev *anymail.TrackingEvent) {
	if r.RecordType == "" && (r.Type != "" || r.TypeCode != "") {
		r.RecordType = "Bounce" // from before there were message streams
	}
	recordTypes[r.RecordType].Apply(ev)
	switch r.RecordType {
	case "Bounce":
		if r.Type == "" {
			r.Type = typeCodes[r.TypeCode]
		}
		outcome, known := bounceTypes[r.Type]
		if !known {
			outcome = anyBounce
		}
		outcome.Apply(ev)
	case "SubscriptionChange":
		outcome, known := suppressionReasons[r.SuppressionReason]
		switch {
		case !r.SuppressSending:
			outcome = wire.Outcome{Type: anymail.EventSubscribed}
		case !known:
			outcome = suppressionReasons[""]
		}
		outcome.Apply(ev)
	}

	for _, at := range []wire.RFC3339{r.DeliveredAt, r.BouncedAt, r.ReceivedAt, r.ChangedAt} {
		if !at.IsZero() {
			ev.Timestamp = at.Time
		}
	}
	if r.ID != "" && r.ID != "0" {
		ev.ID = string(r.ID)
	}
	ev.MessageID = r.MessageID + r.OldMessageID
	ev.Recipient = r.Recipient + r.Email
	ev.Description = r.Description
	if ev.Description == "" {
		ev.Description = r.Name
	}
	if r.Details != "" {
		wire.Answer(ev, r.Details)
	}
	if r.Tag != "" {
		ev.Tags = []string{r.Tag}
	}
	ev.Metadata = r.Metadata.Event()
	ev.ClickURL = r.OriginalLink
	ev.UserAgent = r.UserAgent
	ev.IP = wire.Addr(r.Geo.IP)
	ev.Geo = anymail.Geo{Country: r.Geo.CountryISOCode, Region: r.Geo.Region, City: r.Geo.City}
}
