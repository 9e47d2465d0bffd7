package azure

import (
	"cmp"
	"context"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is an event in the Event Grid schema or in that of CloudEvents, which differ
// in two names.
// https://learn.microsoft.com/azure/event-grid/communication-services-email-events
type event struct {
	ID        wire.Text         `json:"id"`
	EventType string            `json:"eventType"`
	Type      string            `json:"type"` // CloudEvents
	EventTime wire.RFC3339      `json:"eventTime"`
	Time      wire.RFC3339      `json:"time"` // CloudEvents
	Data      wire.Object[data] `json:"data"`
}

// data is a delivery report or an engagement report. The docs write TimeStamp, the
// SDKs Timestamp.
type data struct {
	MessageID  wire.Text            `json:"messageId"`
	Recipient  wire.Text            `json:"recipient"`
	Status     string               `json:"status"`
	Details    wire.Object[details] `json:"deliveryStatusDetails"`
	AttemptAt  wire.RFC3339         `json:"deliveryAttemptTimeStamp"`
	AttemptAt2 wire.RFC3339         `json:"deliveryAttemptTimestamp"`

	Engagement string       `json:"engagementType"`
	Context    wire.Text    `json:"engagementContext"` // the link of a click
	UserAgent  wire.Text    `json:"userAgent"`
	ActionAt   wire.RFC3339 `json:"userActionTimeStamp"`
	ActionAt2  wire.RFC3339 `json:"userActionTimestamp"`
}

type details struct {
	Message wire.Text `json:"statusMessage"`
	Host    wire.Text `json:"recipientMailServerHostName"`
}

const (
	deliveryType   = "Microsoft.Communication.EmailDeliveryReportReceived"
	engagementType = "Microsoft.Communication.EmailEngagementTrackingReportReceived"
)

// The names of outcomes are event type and, in lower case, status or engagementType.
// https://learn.microsoft.com/javascript/api/@azure/eventgrid/acsemaildeliveryreportstatus
var outcomes = map[string]wire.Outcome{
	deliveryType + " delivered":  {Type: anymail.EventDelivered},
	deliveryType + " expanded":   {Type: anymail.EventSent}, // a distribution list: each member gets a report
	deliveryType + " bounced":    {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	deliveryType + " failed":     {Type: anymail.EventFailed, Reason: anymail.RejectOther},
	deliveryType + " suppressed": {Type: anymail.EventRejected},
	// Verdicts of a filter, not complaints: the address is good.
	deliveryType + " filteredspam": {Type: anymail.EventBounced, Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
	deliveryType + " quarantined":  {Type: anymail.EventBounced, Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
	engagementType + " view":       {Type: anymail.EventOpened},
	engagementType + " click":      {Type: anymail.EventClicked},
}

func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	return wire.AtLeastOne(wire.Batch(p, fill))
}

func fill(w *event, ev *anymail.TrackingEvent) {
	d := &w.Data.Value
	outcomes[cmp.Or(w.EventType, w.Type)+" "+strings.ToLower(cmp.Or(d.Status, d.Engagement))].Apply(ev)
	ev.ID = string(w.ID)
	ev.Timestamp = cmp.Or(d.AttemptAt.Time, d.AttemptAt2.Time, d.ActionAt.Time, d.ActionAt2.Time, w.EventTime.Time, w.Time.Time)
	ev.MessageID, ev.Recipient = string(d.MessageID), string(d.Recipient)
	ev.UserAgent = string(d.UserAgent)
	if ev.Type == anymail.EventClicked {
		ev.ClickURL = string(d.Context)
	}
	message := string(d.Details.Value.Message)
	ev.Description = message
	switch ev.Type {
	case anymail.EventRejected:
		ev.RejectReason = wire.Suppression(message)
	case anymail.EventBounced, anymail.EventDelivered, anymail.EventFailed:
		wire.Answer(ev, message)
		fillFailure(ev, d)
	}
}

// fillFailure tells a refusal from a failure of Azure's own, both of which are
// "Failed": a refusal has a code or comes from a receiving server. Azure has given
// up then, also if the code is temporary.
func fillFailure(ev *anymail.TrackingEvent, d *data) {
	code, enhanced := ev.Bounce.SMTPCode, ev.Bounce.EnhancedCode
	switch {
	case code == 0 && enhanced == "" && d.Details.Value.Host == "":
		ev.MTAResponse = ""
		return
	case ev.Type != anymail.EventFailed:
		return
	}
	ev.Type, ev.RejectReason, ev.Bounce.Category = anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined
	if code/100 == 4 || strings.HasPrefix(enhanced, "4.") {
		ev.Bounce.Category = anymail.BounceSoft
	}
}
