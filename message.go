package anymail

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/mail"
	"strings"
	"time"
)

// InboundMessage is a received message in one form for all ESPs. Package
// inbound/rawmime makes it from raw MIME; package inbound helps to make it from
// the fields that an ESP parsed.
type InboundMessage struct {
	// EnvelopeSender and EnvelopeRecipient are those of the SMTP dialogue with the
	// ESP; they may differ from the headers. A bounce has an empty sender.
	EnvelopeSender    string `json:"envelope_sender,omitempty"`
	EnvelopeRecipient string `json:"envelope_recipient,omitempty"`
	// EnvelopeRecipients are all recipients of the SMTP dialogue, if the ESP names
	// them. The first is EnvelopeRecipient.
	EnvelopeRecipients []string `json:"envelope_recipients,omitempty"`

	From    []Address `json:"from,omitempty"`
	To      []Address `json:"to,omitempty"`
	CC      []Address `json:"cc,omitempty"`
	BCC     []Address `json:"bcc,omitempty"`
	ReplyTo []Address `json:"reply_to,omitempty"`
	Subject string    `json:"subject,omitempty"`
	// Date is the Date header in UTC, zero if it is missing or unreadable.
	Date time.Time `json:"date,omitzero"`
	// MessageID, InReplyTo and References have no angle brackets.
	MessageID  string   `json:"message_id,omitempty"`
	InReplyTo  string   `json:"in_reply_to,omitempty"`
	References []string `json:"references,omitempty"`
	// Headers holds every header field, in order, repeats kept, values decoded.
	Headers Headers `json:"headers,omitempty"`

	Text string `json:"text,omitempty"`
	HTML string `json:"html,omitempty"`
	// StrippedText and StrippedHTML are the message without quotations and
	// signature, if the ESP offers that.
	StrippedText string `json:"stripped_text,omitempty"`
	StrippedHTML string `json:"stripped_html,omitempty"`

	// SpamDetected is the ESP's verdict, if it gives one.
	SpamDetected Tri `json:"spam_detected,omitzero"`
	// SpamScore is on the ESP's own scale, nil if it gives none.
	SpamScore *float64 `json:"spam_score,omitempty"`
	// Authentication is what the ESP found out about the sender.
	Authentication Authentication `json:"authentication,omitzero"`

	// Attachments are all parts other than the text and html bodies, including
	// inline parts and attached messages.
	Attachments []Attachment `json:"attachments,omitempty"`

	// RawMIME is the whole message as it was received, if the ESP gives it.
	RawMIME Raw `json:"raw_mime,omitempty"`
}

// Authentication holds results in the words of RFC 8601 ("pass", "fail",
// "softfail", "none", ...) in lower case, empty if the ESP gave none.
type Authentication struct {
	SPF   string `json:"spf,omitempty"`
	DKIM  string `json:"dkim,omitempty"`
	DMARC string `json:"dmarc,omitempty"`
}

// Address is a mailbox with its display name decoded. It converts to and from
// [mail.Address].
type Address struct {
	Name    string `json:"name,omitempty"`
	Address string `json:"address"`
}

// String formats a as in a header field.
func (a Address) String() string {
	m := mail.Address(a)
	return m.String()
}

// Header is one header field.
type Header struct {
	Name, Value string
}

// MarshalJSON writes [name, value].
func (h Header) MarshalJSON() ([]byte, error) {
	return json.Marshal([2]string{h.Name, h.Value})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (h *Header) UnmarshalJSON(b []byte) error {
	var pair []string
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("anymail: a header is [name, value], not %d values", len(pair))
	}
	h.Name, h.Value = pair[0], pair[1]
	return nil
}

// Headers are header fields in the order of the message.
type Headers []Header

// Get returns the first value under name, compared without regard to case.
func (hs Headers) Get(name string) string {
	for _, h := range hs {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// Values returns all values under name, in order.
func (hs Headers) Values(name string) []string {
	var values []string
	for _, h := range hs {
		if strings.EqualFold(h.Name, name) {
			values = append(values, h.Value)
		}
	}
	return values
}

// Attachment is a part of a received message.
type Attachment struct {
	// Filename is safe as the name of a file in any directory: it has no path and
	// no control characters and is never "." or "..".
	Filename string `json:"filename,omitempty"`
	// ContentType is the media type without parameters, lower case.
	ContentType string `json:"content_type"`
	// Params are the parameters of the Content-Type, such as charset and method,
	// by their lower-case names, as far as the ESP passes them on. The name is not
	// one of them, since Filename has it. inbound.DecodeText(a.Content,
	// a.Params["charset"]) returns the content of a text.
	Params map[string]string `json:"params,omitempty"`
	// Disposition is "attachment" or "inline". An inline part is displayed with
	// the bodies or, like a calendar or an AMP part, is an alternative to them.
	Disposition string `json:"disposition"`
	// ContentID has no angle brackets; an html body refers to it by "cid:".
	ContentID string `json:"content_id,omitempty"`
	// Size is the decoded size in bytes, even if Content was not kept.
	Size int64 `json:"size"`
	// Content is the decoded content.
	Content []byte `json:"content,omitempty"`
	// Ref refers to the content if it is kept elsewhere: what the store of
	// [WithAttachmentStore] returned, or the name of a file that anymail-gateway wrote,
	// relative to the directory of the sink. There is no Content then.
	Ref string `json:"ref,omitempty"`
	// Deferred returns a reader that decodes the content. A parser sets it instead of
	// Content and Size if [Limits.DefersAttachment] says so. It is nil in the events
	// that receivers get.
	Deferred func() io.Reader `json:"-"`
}

// Open returns a reader of the content, whether it is decoded or not.
func (a *Attachment) Open() io.Reader {
	if a.Deferred != nil {
		return a.Deferred()
	}
	return bytes.NewReader(a.Content)
}

// Inline returns the part that an html body refers to as "cid:" + contentID.
func (m *InboundMessage) Inline(contentID string) (Attachment, bool) {
	contentID = strings.Trim(strings.TrimPrefix(contentID, "cid:"), "<>")
	for _, a := range m.Attachments {
		if contentID != "" && a.ContentID == contentID {
			return a, true
		}
	}
	return Attachment{}, false
}
