package inbound

import (
	"net/mail"
	"strings"
	"time"

	"github.com/goanymail/anymail"
)

// FromMIME reads a whole message. It never fails.
func FromMIME(raw []byte, lim anymail.Limits) anymail.InboundMessage {
	l := defaults
	if lim.MIMEDepth > 0 {
		l.Depth = lim.MIMEDepth
	}
	if lim.MIMEParts > 0 {
		l.Parts = lim.MIMEParts
	}
	if lim.MIMEHeaders > 0 {
		l.Headers = lim.MIMEHeaders
	}
	p := parse(raw, l)
	m := anymail.InboundMessage{RawMIME: raw, Text: p.Text, HTML: p.HTML}
	SetHeaders(&m, decoded(p.Headers))
	for _, a := range p.Parts {
		m.Attachments = append(m.Attachments, NewAttachment(a.Filename, a.ContentType, a.Disposition, a.ContentID, a.Content))
	}
	return m
}

func decoded(fields []Field) anymail.Headers {
	var hs anymail.Headers
	for _, f := range fields {
		hs = append(hs, anymail.Header{Name: f.Name, Value: DecodeHeader(f.Value)})
	}
	return hs
}

// SetHeaders fills Headers and, where still empty, what the headers say.
func SetHeaders(m *anymail.InboundMessage, hs anymail.Headers) {
	m.Headers = hs
	list := func(a *[]anymail.Address, name string) {
		if len(*a) == 0 {
			*a = Addresses(hs.Get(name))
		}
	}
	list(&m.From, "From")
	list(&m.To, "To")
	list(&m.CC, "Cc")
	list(&m.BCC, "Bcc")
	list(&m.ReplyTo, "Reply-To")
	if m.Subject == "" {
		m.Subject = hs.Get("Subject")
	}
	if m.Date.IsZero() {
		m.Date = Date(hs.Get("Date"))
	}
	if ids := MessageIDs(hs.Get("Message-Id")); m.MessageID == "" && len(ids) > 0 {
		m.MessageID = ids[0]
	}
	if ids := MessageIDs(hs.Get("In-Reply-To")); m.InReplyTo == "" && len(ids) > 0 {
		m.InReplyTo = ids[0]
	}
	if len(m.References) == 0 {
		m.References = MessageIDs(hs.Get("References"))
	}
}

// ParseHeaders reads a raw header block.
func ParseHeaders(block []byte) anymail.Headers {
	p := &parser{lim: defaults, m: &message{}}
	fs, _ := p.header(block, defaults.HeaderBytes, defaults.Headers)
	return decoded(fs)
}

// Addresses reads an address list leniently.
func Addresses(list string) []anymail.Address {
	var out []anymail.Address
	for _, a := range addressList(list, 5000) {
		out = append(out, anymail.Address{Name: a.Name, Address: a.Email})
	}
	return out
}

// Date reads a date leniently; zero if unreadable.
func Date(s string) time.Time {
	t, err := mail.ParseDate(strings.TrimSpace(s))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// MessageIDs returns the ids in s without brackets.
func MessageIDs(s string) []string {
	var ids []string
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\r\n<>,", r) }) {
		ids = append(ids, f)
	}
	return ids
}

// DecodeHeader decodes RFC 2047.
func DecodeHeader(s string) string { return decodeWords(s) }

// DecodeText decodes to UTF-8.
func DecodeText(b []byte, charset string) string {
	return strings.ToValidUTF8(decodeText(b, charset, false), "\uFFFD")
}

// SafeFilename makes s safe.
func SafeFilename(s string) string { return cleanName(s) }

// DecodeBase64 decodes leniently; it never fails.
func DecodeBase64(s string) []byte { return base64Bytes([]byte(s)) }

// NewAttachment normalises its arguments.
func NewAttachment(filename, contentType, disposition, contentID string, content []byte) anymail.Attachment {
	ct, _ := parseParams(contentType, 100)
	ct = strings.ToLower(ct)
	if strings.Count(ct, "/") != 1 || strings.ContainsAny(ct, " \t\"") {
		ct = "application/octet-stream"
	}
	disposition, _ = parseParams(disposition, 100)
	contentID = strings.Trim(contentID, "<> \t\r\n")
	d := "attachment"
	if strings.EqualFold(disposition, "inline") || disposition == "" && contentID != "" {
		d = "inline"
	}
	return anymail.Attachment{Filename: SafeFilename(filename), ContentType: ct, Disposition: d, ContentID: contentID, Size: int64(len(content)), Content: content}
}

// SetAuthentication fills what is empty from Authentication-Results and
// Received-SPF headers.
func SetAuthentication(m *anymail.InboundMessage) {
	result := func(name string) string {
		for _, v := range m.Headers.Values("Authentication-Results") {
			for _, f := range strings.FieldsFunc(strings.ToLower(v), func(r rune) bool { return strings.ContainsRune("; \t", r) }) {
				if r, ok := strings.CutPrefix(f, name+"="); ok {
					return r
				}
			}
		}
		return ""
	}
	a := &m.Authentication
	if a.SPF == "" {
		a.SPF = result("spf")
	}
	if f := strings.Fields(strings.ToLower(m.Headers.Get("Received-Spf"))); a.SPF == "" && len(f) > 0 {
		a.SPF = f[0]
	}
	if a.DKIM == "" {
		a.DKIM = result("dkim")
	}
	if a.DMARC == "" {
		a.DMARC = result("dmarc")
	}
}
