package rawmime

import (
	"bytes"
	"cmp"
	"regexp"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/internal/syntax"
)

// Parse reads a whole message. It never fails: malformed input is read as far
// as possible, and RawMIME is always raw.
//
// At most limits.MIMEDepth multiparts (but never more than 100) are opened
// within each other, limits.MIMEParts parts are read, and limits.MIMEHeaders
// header fields, or 1 MiB of them, are kept. A limit that is 0 or less has its
// default. A multipart that is too deep becomes an attachment. Excess parts and
// fields are left out.
//
// Text and HTML are the first text/plain and text/html parts to be displayed:
// those without a file name whose disposition is inline or missing. Later ones
// directly within a multipart/mixed are appended on a new line; mailing lists
// add such footers, and Apple Mail splits the text around a picture. A part with
// a file name is a body if it is an alternative or the root of a
// multipart/related and there is no body of its type without a name, or if there
// is no body without a name at all. All other parts are attachments; those that
// are alternatives to the bodies, such as calendars and AMP, are inline unless
// they say otherwise. An attached message is one attachment; its own parts are
// not read. Line ends are not changed.
//
// A text that follows the end of a base64 body, such as the footer of a mailing
// list, is appended to a body and left out of an attachment. A body that is
// declared as base64 but is not is kept as it is. A winmail.dat (TNEF) is replaced
// by what it holds (see [inbound.OpenTNEF]).
//
// Addresses are read before encoded words are decoded, so that a comma in a
// name does not split it. If From or another field that may occur only once is
// repeated, the first counts. Repeated To, Cc, Bcc and Reply-To fields are
// joined.
//
// The content of an attachment that needs no decoding shares the memory of raw,
// so raw must not be changed afterwards.
func Parse(raw []byte, limits anymail.Limits) anymail.InboundMessage {
	limits = limits.OrDefaults()
	m := anymail.InboundMessage{RawMIME: raw}
	fields := syntax.NewFieldList(limits.MIMEHeaders)
	var c contents
	newParser(syntax.TrimStart(raw), limits, c.add).message(fields.Add)
	c.sort()
	inbound.SetHeaders(&m, fields.Fields)
	m.Text, m.HTML, m.Attachments = joinTexts(c.texts), joinTexts(c.htmls), c.attachments
	inbound.OpenTNEF(&m, limits)
	return m
}

// ParseText parses a message whose source an ESP gives as the text of a JSON string.
// Such a text cannot hold bytes of a charset other than UTF-8. If it has lost some,
// text and html, which the ESP decoded, replace the bodies unless they are empty.
// The message shares the memory of source, as that of [Parse] does.
func ParseText(source []byte, text, html string, limits anymail.Limits) anymail.InboundMessage {
	m := Parse(source, limits)
	if bytes.Contains(source, []byte("\ufffd")) {
		m.Text, m.HTML = cmp.Or(text, m.Text), cmp.Or(html, m.HTML)
	}
	return m
}

// contents sorts the parts of a message.
type contents struct {
	parts        []leaf
	texts, htmls []string
	attachments  []anymail.Attachment
}

// leaf is a part with what decides whether it is a body.
type leaf struct {
	part
	disposition, filename string
	use                   use
}

// use is what a part is used for.
type use int

const (
	asAttachment use = iota
	asText
	asHTML
)

func (c *contents) add(p part) {
	_, params := syntax.ParseParams(p.fields.disposition)
	c.parts = append(c.parts, leaf{
		part:        p,
		disposition: syntax.Disposition(p.fields.disposition),
		filename:    cmp.Or(params["filename"], p.params["name"]),
	})
}

// bodyUse returns what a part is if it is to be displayed.
func (l *leaf) bodyUse() use {
	if l.disposition != "" && l.disposition != "inline" {
		return asAttachment
	}
	switch mediaType := cmp.Or(l.mediaType, "text/plain"); {
	case l.mediaType == "" && notText[mainType(l.fields.contentType)]:
		return asAttachment
	case mediaType == "text/plain":
		return asText
	case mediaType == "text/html":
		return asHTML
	}
	return asAttachment
}

// notText has the top-level types whose content is not text, even if the rest of
// the type is unreadable.
var notText = map[string]bool{"application": true, "audio": true, "font": true, "image": true, "message": true, "model": true, "video": true}

func mainType(contentType string) string {
	main, _, _ := strings.Cut(syntax.FirstToken(contentType), "/")
	return main
}

// sort decides what each part is used for, and decodes it.
func (c *contents) sort() {
	c.chooseBodies()
	for i := range c.parts {
		p := &c.parts[i]
		content, plain := decodeTransfer(p.fields.transferEncoding, p.body)
		switch p.use {
		case asText:
			c.texts = append(c.texts, syntax.DecodeText(content, p.params["charset"]))
		case asHTML:
			c.htmls = append(c.htmls, decodeHTML(content, p.params["charset"]))
		case asAttachment:
			c.attachments = append(c.attachments, p.attachment(content))
			continue
		}
		c.addPlain(p.use, plain)
	}
}

// addPlain adds the text that follows an encoded body.
func (c *contents) addPlain(use use, plain []byte) {
	if len(plain) == 0 {
		return
	}
	if use == asText {
		c.texts = append(c.texts, syntax.DecodeText(plain, ""))
	} else {
		c.htmls = append(c.htmls, syntax.DecodeText(plain, ""))
	}
}

// chooseBodies sets the use of the parts that are bodies. Parts without a name
// come first. A part with a name is a body if nothing but a body can be in its
// place, or if there is no other body at all.
func (c *contents) chooseBodies() {
	found := map[use]bool{}
	for i := range c.parts {
		p := &c.parts[i]
		// The text of a message without parts may have a name and still be the text.
		named := p.filename != "" && p.parent != ""
		appended := p.parent == "multipart/mixed" && p.mediaType != ""
		if body := p.bodyUse(); body != asAttachment && !named && (!found[body] || appended) {
			p.use, found[body] = body, true
		}
	}
	for _, alone := range []bool{false, true} {
		if alone && len(found) > 0 {
			return
		}
		chosen := map[use]bool{}
		for i := range c.parts {
			p := &c.parts[i]
			onlyBody := p.parent == "multipart/alternative" || p.parent == "multipart/related" && p.first
			body := p.bodyUse()
			if body != asAttachment && p.use == asAttachment && !found[body] && !chosen[body] && (alone || onlyBody) {
				p.use, chosen[body] = body, true
			}
		}
		for body := range chosen {
			found[body] = true
		}
	}
}

func (l *leaf) attachment(content []byte) anymail.Attachment {
	contentType := l.fields.contentType
	if l.mediaType != "" && !strings.HasPrefix(strings.ToLower(contentType), l.mediaType) {
		contentType = l.mediaType
	}
	disposition := l.disposition
	if disposition == "" && l.parent == "multipart/alternative" {
		disposition = "inline" // another form of the bodies, such as a calendar
	}
	return inbound.NewAttachment(l.filename, contentType, disposition, l.fields.contentID, content)
}

// joinTexts joins the pieces of a body, each on a new line.
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

// decodeHTML decodes an HTML body. If no charset is declared, the document's own
// declaration counts.
func decodeHTML(b []byte, charset string) string {
	if charset == "" {
		if found := metaCharset.FindSubmatch(b[:min(len(b), 2048)]); found != nil {
			charset = string(found[1])
			if syntax.IsWideCharset(charset) {
				charset = "utf-8" // in UTF-16, the declaration would not have matched
			}
		}
	}
	return syntax.DecodeText(b, charset)
}

var metaCharset = regexp.MustCompile(`(?i)<meta[^>]{0,200}?charset\s{0,5}=\s{0,5}["']?([a-z0-9_:.-]{2,40})`)
