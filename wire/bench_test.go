package wire_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

type benchEvent struct {
	Email       string       `json:"email"`
	Timestamp   wire.Unix    `json:"timestamp"`
	SMTPID      string       `json:"smtp-id"`
	Event       string       `json:"event"`
	Category    wire.Strings `json:"category"`
	EventID     string       `json:"sg_event_id"`
	MessageID   string       `json:"sg_message_id"`
	UserAgent   string       `json:"useragent"`
	IP          string       `json:"ip"`
	URL         string       `json:"url"`
	Response    string       `json:"response"`
	Status      string       `json:"status"`
	Attempt     wire.Text    `json:"attempt"`
	MachineOpen *bool        `json:"sg_machine_open"`
}

func benchBody(n int) []byte {
	var b bytes.Buffer
	b.WriteByte('[')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"email":"user%d@example.com","timestamp":%d,"smtp-id":"<%d.abc@example.org>","event":"click","category":["news","week%d"],`+
			`"sg_event_id":"ev%020d","sg_message_id":"msg%020d.recvd-1","useragent":"Mozilla/5.0 (X11; Linux x86_64; rv:%d)","ip":"192.0.2.%d","url":"https://example.com/a/%d?x=1",`+
			`"response":"250 2.0.0 OK %d","status":"2.0.0","attempt":"%d","order":"%d"}`, i, 1790000000+i, i, i, i, i, i, i%250, i, i, i%5, i)
	}
	b.WriteByte(']')
	return b.Bytes()
}

// BenchmarkBatch1000 compares Batch with its floor, one typed decode of the same
// bytes by the library.
func BenchmarkBatch1000(b *testing.B) {
	body := benchBody(1000)
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for range b.N {
			var events []benchEvent
			if err := json.Unmarshal(body, &events); err != nil || len(events) != 1000 {
				b.Fatal(err)
			}
		}
	})
	b.Run("wire", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		p := &anymail.Payload{Body: body}
		for range b.N {
			events, err := wire.Batch(p, func(w *benchEvent, ev *anymail.TrackingEvent) {
				ev.Type, ev.ID, ev.MessageID, ev.Recipient = anymail.EventClicked, w.EventID, w.MessageID, w.Email
				ev.Timestamp, ev.ClickURL, ev.UserAgent, ev.Tags = w.Timestamp.Time, w.URL, w.UserAgent, w.Category
				ev.IP = wire.Addr(w.IP)
			})
			if err != nil || len(events) != 1000 {
				b.Fatal(err)
			}
		}
	})
}
