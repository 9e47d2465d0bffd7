package anymail

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// Normalize applies the rules that every event obeys, whichever adapter made it,
// to an event that a parser returned. A [Dispatcher] calls it on every event;
// the tests of an adapter may. Applied twice, it changes nothing more.
//
//   - ESP is set. An event without a type is [EventUnknown], one without a key
//     gets the key that its content gives.
//   - Every text is valid UTF-8 without NUL, which databases refuse. What goes into
//     a header field or a file name (subject, names, addresses, ids, tags) is one
//     line: control characters become spaces, so that a reply to "Subject" cannot
//     write a header field of the sender's choice.
//   - Times are in UTC, and zero if they have no RFC 3339 form. A spam score that
//     has no JSON form is dropped: an event that cannot be written could never be
//     queued, and its ESP would retry for days.
//   - A bounce for no better reason than [RejectBounced] is explained by the
//     receiving server's answer: by its enhanced status code if that means one
//     thing, else by its words.
//   - A bounced event has a category, if only [BounceUndetermined]. That of a
//     deferral is [BounceSoft], unless it is [BounceBlock].
//   - Only bounced and deferred events have a bounce; other types drop what a
//     mapping table may have set. Unknown events keep everything.
//   - A deferral has no reject reason, since nothing is rejected yet. Neither has
//     an event that is not a refusal.
func Normalize(ev Event, esp string) {
	c := ev.Base()
	c.ESP, c.ID = esp, oneLine(c.ID)
	if c.Type == "" {
		c.Type = EventUnknown
	}
	normalizeForm(ev)
	switch ev := ev.(type) {
	case *TrackingEvent:
		cleanTracking(ev)
		settleOutcome(ev)
	case *InboundEvent:
		cleanMessage(&ev.Message)
	}
	if c.Key == "" {
		c.Key = keyOf(ev, c)
	}
}

// normalizeForm replaces values that have no JSON form.
func normalizeForm(ev Event) {
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

func cleanTracking(ev *TrackingEvent) {
	for _, field := range []*string{
		&ev.MessageID, &ev.Recipient, &ev.ClickURL, &ev.UserAgent, &ev.Geo.Country, &ev.Geo.Region, &ev.Geo.City, &ev.Bounce.EnhancedCode,
	} {
		*field = oneLine(*field)
	}
	ev.Description, ev.MTAResponse = cleanText(ev.Description), cleanText(ev.MTAResponse)
	ev.Tags = oneLines(ev.Tags)
	if !isClean(map[string]any(ev.Metadata)) {
		ev.Metadata = cleanValue(map[string]any(ev.Metadata)).(map[string]any)
	}
}

func cleanMessage(m *InboundMessage) {
	for _, field := range []*string{
		&m.EnvelopeSender, &m.EnvelopeRecipient, &m.Subject, &m.MessageID, &m.InReplyTo,
		&m.Authentication.SPF, &m.Authentication.DKIM, &m.Authentication.DMARC,
	} {
		*field = oneLine(*field)
	}
	for _, field := range []*string{&m.Text, &m.HTML, &m.StrippedText, &m.StrippedHTML} {
		*field = cleanText(*field)
	}
	for _, list := range [][]Address{m.From, m.To, m.CC, m.BCC, m.ReplyTo} {
		for i := range list {
			list[i] = Address{Name: oneLine(list[i].Name), Address: oneLine(list[i].Address)}
		}
	}
	m.References, m.EnvelopeRecipients = oneLines(m.References), oneLines(m.EnvelopeRecipients)
	for i, h := range m.Headers {
		m.Headers[i] = Header{Name: oneLine(h.Name), Value: oneLine(h.Value)}
	}
	for i := range m.Attachments {
		a := &m.Attachments[i]
		for _, field := range []*string{&a.Filename, &a.ContentType, &a.Disposition, &a.ContentID, &a.Ref} {
			*field = oneLine(*field)
		}
		a.Params = oneLineParams(a.Params)
	}
}

func oneLineParams(params map[string]string) map[string]string {
	clean := params
	for name, value := range params {
		if oneLine(name) == name && oneLine(value) == value {
			continue
		}
		clean = map[string]string{}
		for name, value := range params {
			clean[oneLine(name)] = oneLine(value)
		}
		break
	}
	return clean
}

// oneLine returns s as valid UTF-8 with control characters and line separators
// replaced by spaces, and without spaces around it if it had any of them.
func oneLine(s string) string {
	if isPlain(s) {
		return s
	}
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	if clean == s {
		return s
	}
	return strings.TrimSpace(clean)
}

func oneLines(list []string) []string {
	for i, s := range list {
		if clean := oneLine(s); clean != s {
			list = slices.Clone(list)
			for j := i; j < len(list); j++ {
				list[j] = oneLine(list[j])
			}
			break
		}
	}
	return list
}

// isPlain reports whether s is ASCII without control characters, as nearly every
// value is.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// cleanText returns s as valid UTF-8 without NUL.
func cleanText(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return s
}

// isClean reports whether cleanText would change no string in a value of metadata.
func isClean(value any) bool {
	switch v := value.(type) {
	case string:
		return cleanText(v) == v
	case []any:
		return !slices.ContainsFunc(v, func(element any) bool { return !isClean(element) })
	case map[string]any:
		for name, element := range v {
			if cleanText(name) != name || !isClean(element) {
				return false
			}
		}
	}
	return true
}

// cleanValue returns a copy of a value of metadata with clean strings.
func cleanValue(value any) any {
	switch v := value.(type) {
	case string:
		return cleanText(v)
	case []any:
		list := make([]any, len(v))
		for i, element := range v {
			list[i] = cleanValue(element)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for name, element := range v {
			object[cleanText(name)] = cleanValue(element)
		}
		return object
	}
	return value
}

func inUTC(t time.Time) time.Time {
	t = t.UTC()
	if year := t.Year(); year < 0 || year > 9999 {
		return time.Time{}
	}
	return t
}

// settleOutcome makes type, reason and bounce agree.
func settleOutcome(ev *TrackingEvent) {
	switch ev.Type {
	case EventBounced:
		if ev.RejectReason == RejectBounced {
			explainBounce(ev)
		}
		if ev.Bounce.Category == "" {
			ev.Bounce.Category = BounceUndetermined
		}
	case EventDeferred:
		ev.RejectReason = ""
		if ev.Bounce.Category != BounceBlock {
			ev.Bounce.Category = BounceSoft
		}
	case EventRejected, EventFailed, EventComplained, EventUnsubscribed:
		ev.Bounce = Bounce{}
	case EventUnknown:
		// What belongs to it is not known.
	default:
		ev.RejectReason, ev.Bounce = "", Bounce{}
	}
}

// EventKey makes an idempotency key from what identifies an event at its ESP.
// Different parts give different keys. The key has 29 to about 40 characters,
// whatever the parts hold, and reveals nothing about them.
func EventKey(esp string, parts ...string) string {
	var space [512]byte
	text := space[:0]
	for _, part := range parts {
		text = binary.AppendUvarint(text, uint64(len(part)))
		text = append(text, part...)
	}
	sum := sha256.Sum256(text)
	var code [24]byte
	base64.RawURLEncoding.Encode(code[:], sum[:18])
	b := keyTexts.Get().(*strings.Builder)
	defer keyTexts.Put(b)
	begin := b.Len()
	if end := begin + len(esp) + 1 + len(code); end > b.Cap() {
		*b = strings.Builder{}
		b.Grow(max(keyText, end-begin))
		begin = 0
	}
	b.WriteString(esp)
	b.WriteByte(':')
	b.Write(code[:])
	return b.String()[begin:]
}

// keyTexts holds texts whose parts are keys, so that few keys are allocations of their
// own. A key that is kept keeps its text in memory.
var keyTexts = sync.Pool{New: func() any { return new(strings.Builder) }}

const keyText = 512 // bytes of such a text

// keyOf is the key of an event whose adapter set none. The ESP's event id
// identifies an event, together with type and recipient, because one
// notification can be about several. Without an id the content does: the raw
// text of a tracking event, and the message of an inbound event, since its raw
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
		if c.Type == EventInboundFailed { // there may be nothing of the message
			return EventKey(c.ESP, string(c.Raw), string(c.Type), m.EnvelopeRecipient)
		}
		return EventKey(c.ESP, string(sumMessage(m)), string(c.Type), m.EnvelopeRecipient)
	}
	return EventKey(c.ESP, string(c.Raw))
}

func sumMessage(m *InboundMessage) []byte {
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
		content := sha256.New() // whose size is not known if it is not decoded yet
		size, _ := io.Copy(content, a.Open())
		if a.Deferred == nil {
			size = a.Size // perhaps of a content that is not here
		}
		write(a.Filename, a.ContentType, a.ContentID, strconv.FormatInt(size, 10), string(content.Sum(nil)))
	}
	return h.Sum(nil)
}
