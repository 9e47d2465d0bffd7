package rawmime

import (
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
// add such footers, and Apple Mail splits the text around a picture. All other
// parts are attachments. An attached message is one attachment; its own parts
// are not read. Line ends are not changed.
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
	inbound.SetHeaders(&m, fields.Fields)
	m.Text, m.HTML, m.Attachments = joinTexts(c.texts), joinTexts(c.htmls), c.attachments
	return m
}

// contents sorts the parts of a message.
type contents struct {
	texts, htmls []string
	attachments  []anymail.Attachment
}

func (c *contents) add(p part) {
	_, params := syntax.ParseParams(p.fields.disposition)
	disposition := syntax.FirstToken(p.fields.disposition)
	filename := cmp.Or(params["filename"], p.params["name"])
	content := decodeTransfer(p.fields.transferEncoding, p.body)

	// The text of a message without parts may have a name and still be the text.
	displayed := (disposition == "" || disposition == "inline") && (filename == "" || p.parent == "")
	appended := p.parent == "multipart/mixed" && p.mediaType != ""
	switch mediaType := cmp.Or(p.mediaType, "text/plain"); {
	case displayed && mediaType == "text/plain" && (c.texts == nil || appended):
		c.texts = append(c.texts, syntax.DecodeText(content, p.params["charset"]))
		return
	case displayed && mediaType == "text/html" && (c.htmls == nil || appended):
		c.htmls = append(c.htmls, decodeHTML(content, p.params["charset"]))
		return
	}
	a := inbound.NewAttachment(filename, p.mediaType, disposition, p.fields.contentID, content)
	c.attachments = append(c.attachments, a)
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
			if strings.HasPrefix(strings.ToLower(charset), "utf-16") {
				charset = "utf-8" // UTF-16 would not have matched
			}
		}
	}
	return syntax.DecodeText(b, charset)
}

var metaCharset = regexp.MustCompile(`(?i)<meta[^>]{0,200}?charset\s{0,5}=\s{0,5}["']?([a-z0-9_:.-]{2,40})`)
