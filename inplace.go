package anymail

// WithoutInboundRaw leaves Raw out of the events of received messages, which have
// RawMIME if the ESP gives the source of the message. Events of type
// [EventInboundFailed] keep it, except for a form of more than 64 KiB that is not
// multipart/form-data.
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
// and [Payload.Form] if Raw is wanted: see [WithoutInboundRaw].
func (p *Payload) InboundForm() (*Form, error) {
	if p.dropsRaw {
		return p.TakeForm()
	}
	return p.Form()
}
