package anymail

import (
	"bytes"
	"encoding/base64"

	"github.com/goanymail/anymail/internal/mimefield"
)

// WithoutInboundRaw leaves Raw out of the events of received messages, which have
// RawMIME if the ESP gives the source of the message. Events of type
// [EventInboundFailed] keep it.
//
// A message that arrives in a JSON string or in a form then needs no memory in addition
// to the body, in which it is decoded. That is not so if there is a Rejected hook, since
// the hook gets the body as it arrived.
func WithoutInboundRaw() Option {
	return func(s *settings) { s.noInboundRaw = true }
}

// dropRaw does what WithoutInboundRaw says.
func dropRaw(events []Event) {
	for _, ev := range events {
		if c := ev.Base(); ev.Kind() == KindInbound && c.Type == EventInbound {
			c.Raw = nil
		}
	}
}

// inPlaceOver is the size over which a body is decoded in place, where that is allowed.
// A smaller one is not worth it.
const inPlaceOver = 64 << 10

func (p *Payload) takesBody(size int) bool { return p.bodyFree && size > inPlaceOver }

// DecodesInPlace reports whether the source of a received message, a part of Body of so
// many bytes, may be decoded in its own memory: neither the event nor a hook needs it as
// it arrived. It may be so for what becomes an [EventInbound] alone, since the Raw of any
// other event is part of Body. Package wire decodes JSON strings accordingly.
func (p *Payload) DecodesInPlace(size int) bool { return p.dropsRaw && p.takesBody(size) }

// KeepRaw says that the message cannot be read, so that its event needs Raw:
// DecodesInPlace is false from then on.
func (p *Payload) KeepRaw() { p.dropsRaw = false }

// TakeForm is [Payload.Form] for an adapter that needs Body for nothing else, not even
// as the Raw of an event. Unless a hook may need a large body, its values are decoded in
// the memory of Body, which is nil afterwards.
func (p *Payload) TakeForm() (*Form, error) {
	if p.form == nil && p.formErr == nil && p.takesBody(len(p.Body)) {
		body := p.Body
		p.Body = nil
		p.form, p.formErr = parseForm(p.Header.Get("Content-Type"), body, p.Limits, formOptions{inPlace: true})
	}
	return p.Form()
}

// InboundForm is [Payload.TakeForm] for a parser of received messages whose Raw is Body,
// if Raw is not wanted and the named field holds the source of a message, which may be in
// base64. Otherwise it is [Payload.Form].
func (p *Payload) InboundForm(source string) (*Form, error) {
	if p.DecodesInPlace(len(p.Body)) && p.MediaType() == mediaURLEncoded && hasSource(p.Body, source) {
		return p.TakeForm()
	}
	return p.Form()
}

// hasSource reports whether a field of a form begins with a header field. What makes no
// message of it then is not a failure to read it, so that Raw is not needed.
func hasSource(form []byte, field string) bool {
	for pair := range bytes.SplitSeq(form, []byte{'&'}) {
		name, value, _ := bytes.Cut(pair, []byte{'='})
		key, ok := unescape(name, false)
		if !ok || string(key) != field || len(value) <= inPlaceOver {
			continue
		}
		const enough = 600 // for the name of a header field, each byte of it escaped
		begin := value[:enough]
		if i := bytes.LastIndexByte(begin, '%'); i > enough-len("%00") {
			begin = begin[:i]
		}
		begin, _ = unescape(begin, false)
		const line = 60 // in base64, the shortest one that is usual
		var decoded [line / 4 * 3]byte
		n, _ := base64.StdEncoding.Decode(decoded[:], begin[:min(len(begin), line)])
		return mimefield.IsField(begin) || mimefield.IsField(decoded[:n])
	}
	return false
}
