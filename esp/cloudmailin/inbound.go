package cloudmailin

import (
	"context"
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/wire"
)

// received is a message in the format "JSON (Normalised)". The multipart form of the
// same has a field for each member, such as envelope[spf][result].
// https://docs.cloudmailin.com/http_post_formats/json_normalized/
type received struct {
	Envelope    wire.Object[envelope] `json:"envelope"`
	Headers     wire.Headers          `json:"headers"` // message_id for Message-ID
	Plain       string                `json:"plain"`
	HTML        string                `json:"html"`
	Reply       string                `json:"reply_plain"`
	Attachments []attachment          `json:"attachments"`
}

type envelope struct {
	From       wire.Text              `json:"from"`
	To         wire.Text              `json:"to"`
	Recipients wire.Strings           `json:"recipients"`
	SPF        wire.Object[verdict]   `json:"spf"`
	DKIM       wire.Object[dkim]      `json:"dkim"`
	DMARC      wire.Object[verdict]   `json:"dmarc"`
	Spam       wire.Object[spamCheck] `json:"spamd"`
}

type verdict struct {
	Result wire.Text `json:"result"`
}

type dkim struct {
	Result []verdict `json:"result"` // one for each signature
}

type spamCheck struct {
	Score wire.Number `json:"score"`
}

// attachment has either its content or a URL in the user's own store.
type attachment struct {
	Filename    string         `json:"file_name"`
	ContentType string         `json:"content_type"`
	Disposition string         `json:"disposition"`
	ContentID   string         `json:"content_id"`
	Size        wire.Number    `json:"size"`
	Content     inbound.Base64 `json:"content"`
}

func parseInbound(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	if p.MediaType() != "application/json" {
		return parseForm(p)
	}
	return inbound.Parse(p, func(w *received, ev *anymail.InboundEvent) { w.fill(&ev.Message) })
}

// parseForm reads the format "Multipart (Normalised)" and, if there is a field
// "message", the raw format.
func parseForm(p *anymail.Payload) ([]anymail.Event, error) {
	form, err := p.Form()
	if err != nil {
		return nil, err
	}
	ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound, Raw: p.Body}}
	m := &ev.Message
	w := fromForm(form)
	if source := form.Fields.Bytes("message"); source != nil {
		*m = rawmime.Parse(source, p.Limits)
		w.Envelope.Value.fill(m)
	} else {
		w.fill(m)
		inbound.OpenTNEF(m, p.Limits)
	}
	if inbound.IsEmpty(m) {
		ev.Type, ev.Key = anymail.EventInboundFailed, wire.FormKey(ESP, form)
	}
	return []anymail.Event{ev}, nil
}

func fromForm(form *anymail.Form) *received {
	v := wire.Texts(form.Fields)
	text := func(field string) wire.Text { return wire.Text(v.Get(field)) }
	// list returns the values of "recipients[0]", "recipients[1]" and so on.
	list := func(format string) (values []string) {
		for v.Has(fmt.Sprintf(format, len(values))) {
			values = append(values, v.Get(fmt.Sprintf(format, len(values))))
		}
		return values
	}
	w := &received{Plain: v.Get("plain"), HTML: v.Get("html"), Reply: v.Get("reply_plain")}
	w.Envelope.Value = envelope{
		From: text("envelope[from]"), To: text("envelope[to]"), Recipients: list("envelope[recipients][%d]"),
		SPF: wire.Object[verdict]{Value: verdict{text("envelope[spf][result]")}}, DMARC: wire.Object[verdict]{Value: verdict{text("envelope[dmarc][result]")}},
		Spam: wire.Object[spamCheck]{Value: spamCheck{wire.ParseNumber(v.Get("envelope[spamd][score]"))}},
	}
	for _, result := range list("envelope[dkim][result][%d][result]") {
		w.Envelope.Value.DKIM.Value.Result = append(w.Envelope.Value.DKIM.Value.Result, verdict{wire.Text(result)})
	}
	seen := map[string]bool{}
	for _, field := range slices.Sorted(maps.Keys(v)) {
		name, ok := strings.CutPrefix(field, "headers[")
		name, _, closed := strings.Cut(name, "]")
		if !ok || !closed || seen[name] {
			continue
		}
		seen[name] = true
		for _, value := range append(v.All("headers["+name+"]"), list("headers["+strings.ReplaceAll(name, "%", "%%")+"][%d]")...) {
			w.Headers = append(w.Headers, anymail.Header{Name: name, Value: value})
		}
	}
	for _, file := range form.Files {
		w.Attachments = append(w.Attachments, attachment{Filename: file.Filename, ContentType: file.ContentType, Content: file.Content})
	}
	types, sizes := v.All("attachments[][content_type]"), v.All("attachments[][size]")
	for i, name := range v.All("attachments[][file_name]") {
		a := attachment{Filename: name}
		if i < len(types) {
			a.ContentType = types[i]
		}
		if i < len(sizes) {
			a.Size = wire.ParseNumber(sizes[i])
		}
		w.Attachments = append(w.Attachments, a)
	}
	return w
}

func (w *received) fill(m *anymail.InboundMessage) {
	w.Envelope.Value.fill(m)
	m.Text, m.HTML, m.StrippedText = w.Plain, w.HTML, w.Reply
	for _, a := range w.Attachments {
		made := inbound.NewAttachment(a.Filename, a.ContentType, a.Disposition, a.ContentID, a.Content)
		if a.Content == nil {
			made.Size = int64(a.Size.Int())
		}
		m.Attachments = append(m.Attachments, made)
	}
	headers := w.Headers.Message()
	for i := range headers {
		headers[i].Name = textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(headers[i].Name, "_", "-"))
	}
	inbound.SetHeaders(m, headers)
}

func (e *envelope) fill(m *anymail.InboundMessage) {
	m.EnvelopeSender = wire.TrimID(string(e.From))
	inbound.SetEnvelopeRecipients(m, append([]string{string(e.To)}, e.Recipients...)...)
	m.SpamScore = e.Spam.Value.Score.Pointer()
	m.Authentication = anymail.Authentication{SPF: e.SPF.Value.word(), DMARC: e.DMARC.Value.word()}
	for _, signature := range e.DKIM.Value.Result { // one valid signature is enough
		if result := signature.word(); m.Authentication.DKIM == "" || result == "pass" {
			m.Authentication.DKIM = result
		}
	}
}

func (v verdict) word() string { return strings.ToLower(string(v.Result)) }
