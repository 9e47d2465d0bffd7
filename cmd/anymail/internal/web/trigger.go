package web

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/simulator"
)

// FindSample finds a sample by its name, or else the first one of an event type. With a
// message of the user's own, the sample must accept it, and one that has all of it in
// the request comes first. It reports whether there is one.
func FindSample(sim *simulator.Simulator, event string, ownMIME bool) (simulator.Sample, bool) {
	accepts := func(s simulator.Sample) bool { return !ownMIME || s.TakesMIME }
	whole := func(s simulator.Sample) bool { return !ownMIME || !s.Fetched }
	if s, ok := sim.Sample(event); ok && accepts(s) {
		return s, true
	}
	if s, ok := sim.SampleOf(anymail.EventType(event), accepts, whole); ok {
		return s, true
	}
	return sim.SampleOf(anymail.EventType(event), accepts)
}

// triggerRequest is the wish for an event.
type triggerRequest struct {
	ESP       string            `json:"esp"`
	Sample    string            `json:"sample"`
	Type      string            `json:"type"`
	Recipient string            `json:"recipient"`
	Subject   string            `json:"subject"`
	Tag       string            `json:"tag"`
	MessageID string            `json:"message_id"`
	Metadata  map[string]string `json:"metadata"`
	EML       string            `json:"eml"` // a received message
}

// params returns what the event is about: what was asked for, and made-up values.
func (t triggerRequest) params() simulator.Params {
	p := simulator.NewParams()
	for _, field := range []struct {
		set  *string
		from string
	}{{&p.Recipient, t.Recipient}, {&p.Subject, t.Subject}, {&p.Tag, t.Tag}, {&p.MessageID, t.MessageID}} {
		if field.from != "" {
			*field.set = field.from
		}
	}
	if t.Metadata != nil {
		p.Metadata = t.Metadata
	}
	if t.EML != "" {
		p.SetMIME([]byte(t.EML))
	}
	return p
}

// trigger makes an event of an ESP, and receives it.
func (l *Listener) trigger(w http.ResponseWriter, req *http.Request) {
	var ask triggerRequest
	if err := readJSON(w, req, &ask); err != nil {
		badRequest(w, err)
		return
	}
	e, ok := l.find(ask.ESP)
	if !ok || e.Simulator == nil {
		badRequest(w, errors.New("esp: must be one of /api/esps"))
		return
	}
	event := ask.Sample
	if event == "" {
		event = ask.Type
	}
	sample, ok := FindSample(e.Simulator, event, ask.EML != "")
	if !ok {
		problem := fmt.Errorf("sample: %s has no such event", e.Spec.Title)
		if ask.EML != "" {
			problem = fmt.Errorf("eml: this event of %s has no place for a message", e.Spec.Title)
		}
		badRequest(w, problem)
		return
	}
	webhook := simulator.Webhook{Simulator: e.Simulator, URL: l.options.origin(req.Host) + Mount}
	if len(l.options.Secrets) > 0 {
		webhook.Secret = l.options.Secrets[0]
	}
	request, err := webhook.Address(sample.Make(ask.params()))
	if err != nil {
		badRequest(w, err)
		return
	}
	from := &origin{source: Triggered}
	from.vouched = l.signer.sign(e, &request) != nil
	answer, err := l.handle(req.Context(), request, from)
	if err != nil {
		badRequest(w, err)
		return
	}
	writeJSON(w, map[string]any{"id": from.record.ID, "status": answer.code()})
}
