package inbound

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// Parse decodes the JSON body of a request, which is one received message, as a T.
// From it, fill sets what there is of the event: id, time and message. Parse sets type
// and raw, and opens attachments in TNEF unless fill has parsed the whole source.
//
// The source of the message, if there is one, should be a [wire.Source]. A body that does
// not decode is decoded member by member ([wire.Salvage]). Its event,
// and one without any content, is an [anymail.EventInboundFailed] with what there is.
// A message within a member should be a [wire.Object], of which the same holds. Parse
// returns [anymail.ErrMalformed] if the body is not a JSON object.
func Parse[T any](p *anymail.Payload, fill func(w *T, ev *anymail.InboundEvent)) ([]anymail.Event, error) {
	ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound, Raw: p.Body}}
	var w T
	if err := wire.Unmarshal(p.Body, &w); err != nil {
		w = *new(T)
		if !wire.Salvage(p.Body, &w) {
			return nil, anymail.Malformed("inbound message", err)
		}
		ev.Type = anymail.EventInboundFailed
		p.KeepRaw()
	}
	fill(&w, ev)
	if ev.Message.RawMIME == nil {
		OpenTNEF(&ev.Message, p.Limits)
	}
	if IsEmpty(&ev.Message) {
		ev.Type = anymail.EventInboundFailed
	}
	return []anymail.Event{ev}, nil
}
