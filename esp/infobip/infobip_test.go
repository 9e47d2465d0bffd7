package infobip_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/infobip"
	"github.com/goanymail/anymail/esp/infobip/infobipsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, infobipsim.New()) }

func TestPage(t *testing.T) {
	espdoc.Samples(t, infobipsim.New(), func(sample string) string {
		if sample == "TELEPORTED" || sample == "LEVITATED" {
			return "anything else"
		}
		return sample
	})
}

func parse(t *testing.T, body string) []*anymail.TrackingEvent {
	t.Helper()
	adapter := esptest.New(t, infobip.New, infobip.Config{})
	var events []*anymail.TrackingEvent
	for _, ev := range anymailtest.Parse(t, adapter, simulator.JSON("tracking", []byte(body))) {
		events = append(events, ev.(*anymail.TrackingEvent))
	}
	return events
}

func TestReports(t *testing.T) {
	events := parse(t, `{"results":[
		{"messageId":"m1","to":"ada@example.com","doneAt":"2026-09-21T16:13:20.256+0200","status":{"groupName":"UNDELIVERABLE","name":"UNDELIVERABLE_NOT_DELIVERED"},
			"error":{"name":"EC_HARD_BOUNCE","description":"Refused","permanent":true},"smtp":{"response":"550 5.1.1 no such user"},"callbackData":"order-42"},
		{"messageId":"m2","to":"bob@example.com","sentAt":"2026-09-21T14:13:20Z","status":{"groupName":"UNDELIVERABLE","description":"Not delivered"},"callbackData":"{\"order\":\"42\"}"},
		{"messageId":"m2","to":"bob@example.com","sentAt":"2026-09-21T14:13:20Z","status":{"groupName":"DELIVERED"},"callbackData":null}]}`)
	require.Len(t, events, 3)
	anymailtest.Equal(t, &anymail.TrackingEvent{
		Common:    anymail.Common{ESP: infobip.ESP, Type: anymail.EventBounced, Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 256e6, time.UTC)},
		MessageID: "m1", Recipient: "ada@example.com", RejectReason: anymail.RejectInvalid, Description: "Refused", MTAResponse: "550 5.1.1 no such user",
		Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}, Metadata: anymail.Metadata{"callbackData": "order-42"},
	}, events[0])
	anymailtest.Equal(t, &anymail.TrackingEvent{
		Common:    anymail.Common{ESP: infobip.ESP, Type: anymail.EventBounced, Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)},
		MessageID: "m2", Recipient: "bob@example.com", RejectReason: anymail.RejectBounced, Description: "Not delivered",
		Bounce: anymail.Bounce{Category: anymail.BounceUndetermined}, Metadata: anymail.Metadata{"order": "42"},
	}, events[1])
	require.NotEqual(t, events[1].Key, events[2].Key, "two statuses of one message")
}

func TestInboundFailed(t *testing.T) {
	adapter := esptest.New(t, infobip.New, infobip.Config{})
	events := anymailtest.Parse(t, adapter, simulator.Multipart("inbound", simulator.Field{Name: "id", Value: "in1"}, simulator.Field{Name: "envelope", Value: `{"to":["help@in.example.org"]}`}))
	require.Len(t, events, 1)
	ev := events[0].(*anymail.InboundEvent)
	require.Equal(t, anymail.EventInboundFailed, ev.Type)
	require.Equal(t, "help@in.example.org", ev.Message.EnvelopeRecipient)
	_, err := simulator.Parse(adapter, simulator.Multipart("inbound", simulator.Field{Name: "name", Value: "Ada"}))
	require.ErrorIs(t, err, anymail.ErrMalformed)
}

// A message without header fields is made of the fields of the form.
func TestInboundWithoutHeaders(t *testing.T) {
	adapter := esptest.New(t, infobip.New, infobip.Config{})
	events := anymailtest.Parse(t, adapter, simulator.Multipart("inbound",
		simulator.Field{Name: "id", Value: "in1"}, simulator.Field{Name: "from", Value: "Ada <ada@example.com>"}, simulator.Field{Name: "to", Value: "[help@in.example.org]"},
		simulator.Field{Name: "subject", Value: "Hi"}, simulator.Field{Name: "text", Value: "Hello"},
		simulator.Field{Name: "attachment1", Filename: "a.txt", ContentType: "text/plain", Value: "hi"},
		simulator.Field{Name: "attachmentInfo", Value: `[{"name":"attachment1","filename":"b.txt","contentType":"text/csv","contentId":"f_1"}]`},
	))
	require.Len(t, events, 1)
	anymailtest.Equal(t, &anymail.InboundEvent{
		Common: anymail.Common{ESP: infobip.ESP, Type: anymail.EventInbound, ID: "in1"},
		Message: anymail.InboundMessage{
			From: []anymail.Address{{Name: "Ada", Address: "ada@example.com"}}, To: []anymail.Address{{Address: "help@in.example.org"}}, Subject: "Hi", Text: "Hello",
			Attachments: []anymail.Attachment{{Filename: "b.txt", ContentType: "text/csv", Disposition: "attachment", ContentID: "f_1", Size: 2, Content: []byte("hi")}},
		},
	}, events[0])
}

// A report has the same key in another batch.
func TestReportKey(t *testing.T) {
	const report = `{"messageId":"m1","to":"ada@example.com","doneAt":"2026-09-21T14:13:20.256+0000","status":{"groupName":"DELIVERED","name":"DELIVERED_TO_HANDSET"}}`
	const other = `{"messageId":"m2","to":"ada@example.com","doneAt":"2026-09-21T14:13:20.256+0000","status":{"groupName":"DELIVERED","name":"DELIVERED_TO_HANDSET"}}`
	alone := parse(t, `{"results":[`+report+`]}`)
	both := parse(t, `{"results":[`+other+`, `+report+`]}`)
	require.Equal(t, alone[0].Key, both[1].Key)
	require.NotEqual(t, both[0].Key, both[1].Key)
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, infobipsim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, infobipsim.New(), "inbound") }
