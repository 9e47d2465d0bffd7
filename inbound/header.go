package inbound

import (
	"cmp"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/internal/syntax"
	"github.com/goanymail/anymail/internal/mimefield"
)

// ParseHeaders reads a raw header block. Lines end in LF, CRLF or CR and may be
// folded. Order and repeated fields are kept, and values are decoded as by
// [DecodeHeader]. In a field with addresses, a decoded name with a comma or the
// like is quoted, so that [Addresses] still reads it as one name. Anything after
// the first empty line is ignored. At most 2000 fields and 1 MiB are kept.
func ParseHeaders(block []byte) anymail.Headers {
	list := syntax.NewFieldList(anymail.Limits{}.OrDefaults().MIMEHeaders)
	mimefield.ScanHeader(syntax.TrimStart(block), nil, list.Add)
	return syntax.DecodeFields(list.Fields)
}

// DecodeHeader decodes the encoded words (RFC 2047) of a header value, in any
// charset, even within quotes or next to other text. Adjacent words of one
// charset are joined as bytes before they are decoded, since many programs split
// them within a character. Line ends and other control characters become spaces.
// What cannot be decoded stays as it is.
func DecodeHeader(s string) string { return syntax.DecodeWords(s) }

// SetHeaders sets m.Headers to a decoded copy of hs (see [DecodeHeader]). It
// fills From, To, CC, BCC, ReplyTo, Subject, Date, MessageID, InReplyTo and
// References from it if they are empty.
func SetHeaders(m *anymail.InboundMessage, hs anymail.Headers) {
	setAddresses(&m.From, hs.Get("From"))
	setAddresses(&m.To, hs.Values("To")...)
	setAddresses(&m.CC, hs.Values("Cc")...)
	setAddresses(&m.BCC, hs.Values("Bcc")...)
	setAddresses(&m.ReplyTo, hs.Values("Reply-To")...)
	if m.Date.IsZero() {
		m.Date = Date(hs.Get("Date"))
	}
	if len(m.References) == 0 {
		m.References = MessageIDs(hs.Get("References"))
	}
	setMessageID(&m.MessageID, hs.Get("Message-ID"))
	setMessageID(&m.InReplyTo, hs.Get("In-Reply-To"))
	m.Headers = syntax.DecodeFields(hs)
	m.Subject = cmp.Or(m.Subject, m.Headers.Get("Subject"))
}

func setAddresses(to *[]anymail.Address, lists ...string) {
	if len(*to) == 0 {
		*to = Addresses(lists...)
	}
}

func setMessageID(to *string, field string) {
	if ids := MessageIDs(field); *to == "" && len(ids) > 0 {
		*to = ids[0]
	}
}
