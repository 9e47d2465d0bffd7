package anymail

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"time"
)

// EventKey makes an idempotency key from what identifies an event at its ESP.
// Different parts give different keys; the key is 29 to about 40 characters
// long whatever the parts hold, and tells nothing about them.
func EventKey(esp string, parts ...string) string {
	var space [512]byte
	text := space[:0]
	for _, part := range parts {
		text = binary.AppendUvarint(text, uint64(len(part)))
		text = append(text, part...)
	}
	sum := sha256.Sum256(text)
	key := append(space[:0], esp...)
	key = append(key, ':')
	return string(base64.RawURLEncoding.AppendEncode(key, sum[:18]))
}

// complete fills in what an adapter leaves to the core.
func complete(ev Event, esp string) {
	c := ev.Base()
	c.ESP = esp
	if c.Type == "" {
		c.Type = EventUnknown
	}
	normalize(ev)
	if c.Key == "" {
		c.Key = keyOf(ev, c)
	}
}

// normalize puts times into UTC and takes out what has no JSON form: an event
// that cannot be written could never be queued, and would come again for days.
func normalize(ev Event) {
	c := ev.Base()
	c.Timestamp = inUTC(c.Timestamp)
	if ev, ok := ev.(*InboundEvent); ok {
		m := &ev.Message
		m.Date = inUTC(m.Date)
		if m.SpamScore != nil && (math.IsNaN(*m.SpamScore) || math.IsInf(*m.SpamScore, 0)) {
			m.SpamScore = nil
		}
	}
}

func inUTC(t time.Time) time.Time {
	t = t.UTC()
	if year := t.Year(); year < 0 || year > 9999 {
		return time.Time{}
	}
	return t
}

// keyOf is the key of an event whose adapter set none. The ESP's event id
// identifies an event, together with type and recipient, because one
// notification can be about several. Without an id it is the content: the raw
// text of a tracking event, and of an inbound event the message, since its raw
// form has boundaries and signatures that change with every attempt.
func keyOf(ev Event, c *Common) string {
	switch ev := ev.(type) {
	case *TrackingEvent:
		if c.ID != "" {
			return EventKey(c.ESP, c.ID, string(c.Type), ev.Recipient)
		}
		sum := sha256.Sum256(c.Raw)
		return EventKey(c.ESP, string(sum[:]), string(c.Type), ev.Recipient)
	case *InboundEvent:
		m := &ev.Message
		if c.ID != "" {
			return EventKey(c.ESP, c.ID, string(c.Type), m.EnvelopeRecipient)
		}
		return EventKey(c.ESP, string(messageSum(m)), string(c.Type), m.EnvelopeRecipient)
	}
	return EventKey(c.ESP, string(c.Raw))
}

func messageSum(m *InboundMessage) []byte {
	h := sha256.New()
	write := func(parts ...string) {
		for _, part := range parts {
			_, _ = h.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
		}
	}
	write(m.EnvelopeSender, m.MessageID, m.Subject, m.Date.UTC().Format(time.RFC3339), m.Text, m.HTML)
	for _, header := range m.Headers {
		write(header.Name, header.Value)
	}
	for _, a := range m.Attachments {
		write(a.Filename, a.ContentType, a.ContentID, strconv.FormatInt(a.Size, 10))
		_, _ = h.Write(a.Content)
	}
	return h.Sum(nil)
}
