package inbound

import (
	"cmp"
	"strings"

	"github.com/goanymail/anymail"
)

// FromMIME reads a whole message (RFC 5322 and MIME). It never fails: what is
// malformed is read as far as it can be, and RawMIME is raw in any case. At
// most limits.MIMEDepth multiparts are opened within each other (but never more
// than 100), limits.MIMEParts parts are read and limits.MIMEHeaders header
// fields, or 1 MiB of them, are kept. A multipart that is too deep becomes an
// attachment as it is; parts and fields that are too many are left out.
//
// Text and HTML are the first text/plain and text/html parts that are meant to
// be shown: without a file name, and without a disposition or inline. Further
// ones that stand directly in a multipart/mixed, such as the footers that
// mailing lists add and what Apple Mail puts after a picture, are appended to
// them, beginning on a new line. All other parts are attachments, attached
// messages among them, whose own parts are not looked at. Line ends stay as
// they are.
//
// From and the like are read before encoded words are decoded, so that a comma
// in a name does not make two of it. From and other fields that may stand only
// once are taken from the first of several; repeated To, Cc, Bcc and Reply-To
// fields are joined.
//
// Contents of attachments that need no decoding are parts of raw, which must
// not be changed therefore.
func FromMIME(raw []byte, limits anymail.Limits) anymail.InboundMessage {
	m := anymail.InboundMessage{RawMIME: raw}
	fields := fieldList{left: orDefault(limits.MIMEHeaders, maxHeaders), bytesLeft: maxHeaderBytes}
	var c contents
	newSplitter(trimStart(raw), limits, c.add).message(fields.add)
	SetHeaders(&m, fields.fields)
	m.Text, m.HTML, m.Attachments = joinTexts(c.texts), joinTexts(c.htmls), c.attachments
	return m
}

// contents sorts the parts of a message.
type contents struct {
	texts, htmls []string
	attachments  []anymail.Attachment
}

func (c *contents) add(p part) {
	_, params := parseParams(p.header.disposition)
	disposition := firstToken(p.header.disposition)
	filename := cmp.Or(params["filename"], p.params["name"])
	content := decodeTransfer(p.header.encoding, p.body)

	// The text of a mail without parts may have a name and still be the text.
	shown := (disposition == "" || disposition == "inline") && (filename == "" || p.parent == "")
	further := p.parent == "multipart/mixed" && p.media != ""
	switch media := cmp.Or(p.media, "text/plain"); {
	case shown && media == "text/plain" && (c.texts == nil || further):
		c.texts = append(c.texts, DecodeText(content, p.params["charset"]))
		return
	case shown && media == "text/html" && (c.htmls == nil || further):
		c.htmls = append(c.htmls, decodeHTML(content, p.params["charset"]))
		return
	}
	a := NewAttachment(filename, p.media, disposition, p.header.contentID, content)
	c.attachments = append(c.attachments, a)
}

// joinTexts puts the pieces of a body together, each on a new line.
func joinTexts(pieces []string) string {
	if len(pieces) == 1 {
		return pieces[0] // no copy
	}
	var all strings.Builder
	for i, text := range pieces {
		if i > 0 && text != "" && all.Len() > 0 && !strings.HasSuffix(pieces[i-1], "\n") {
			all.WriteByte('\n')
		}
		all.WriteString(text)
	}
	return all.String()
}

// SetHeaders fills m.Headers with a decoded copy of hs (see [DecodeHeader]) and,
// where they are still empty, From, To, CC, BCC, ReplyTo, Subject, Date,
// MessageID, InReplyTo and References with what the headers say.
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
	setID(&m.MessageID, hs.Get("Message-ID"))
	setID(&m.InReplyTo, hs.Get("In-Reply-To"))
	m.Headers = decodeFields(hs)
	m.Subject = cmp.Or(m.Subject, m.Headers.Get("Subject"))
}

func setAddresses(to *[]anymail.Address, lists ...string) {
	if len(*to) == 0 {
		*to = Addresses(lists...)
	}
}

func setID(to *string, field string) {
	if ids := MessageIDs(field); *to == "" && len(ids) > 0 {
		*to = ids[0]
	}
}

// maxIDs is how many message ids are read from one field.
const maxIDs = 1000

// MessageIDs returns the message ids of a field such as References, without
// their angle brackets. Where no id has brackets, every word is taken for one.
// It returns at most 1000.
func MessageIDs(s string) []string {
	s = oneLine(validUTF8(s))
	var ids []string
	add := func(id string) {
		if id = strings.Join(strings.Fields(id), ""); id != "" && len(ids) < maxIDs {
			ids = append(ids, id)
		}
	}
	if !strings.Contains(s, "<") {
		for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(" \t,>", r) }) {
			add(word)
		}
		return ids
	}
	for {
		_, after, found := strings.Cut(s, "<")
		if !found {
			return ids
		}
		end := strings.IndexAny(after, "<>")
		if end < 0 {
			end = len(after)
		}
		add(after[:end])
		s = after[end:]
	}
}
