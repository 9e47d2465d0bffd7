package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/jsonscan"
)

// AtMost returns [anymail.ErrTooLarge] if one request has more events than
// limits.BatchEvents, or its default.
func AtMost(limits anymail.Limits, events int) error {
	if most := limits.OrDefaults().BatchEvents; events > most {
		return anymail.Because(anymail.ErrTooLarge, "too many events in one request", fmt.Errorf("the limit is %d", most))
	}
	return nil
}

// Split returns the elements of a JSON array, or the value itself if it is an
// object, as slices of body. It returns [anymail.ErrMalformed] if body is neither,
// and the error of [AtMost] if there are too many.
func Split(body []byte, limits anymail.Limits) ([][]byte, error) {
	sp := splitters.Get().(*splitter)
	defer splitters.Put(sp)
	sp.reset(body)
	defer sp.reset(nil) // so that the pool does not keep the body
	d := sp.decoder
	elements := make([][]byte, 0, min(limits.OrDefaults().BatchEvents, 1+len(body)/512))
	next := func() error {
		v, err := d.ReadValue()
		if err != nil {
			return malformed(err)
		}
		if err := AtMost(limits, len(elements)+1); err != nil {
			return err
		}
		end := int(d.InputOffset())
		elements = append(elements, body[end-len(v):end:end])
		return nil
	}
	switch d.PeekKind() {
	case '{':
		if err := next(); err != nil {
			return nil, err
		}
	case '[':
		if _, err := d.ReadToken(); err != nil {
			return nil, malformed(err)
		}
		for d.PeekKind() != ']' {
			if err := next(); err != nil {
				return nil, err
			}
		}
		if _, err := d.ReadToken(); err != nil {
			return nil, malformed(err)
		}
	default:
		return nil, anymail.Malformed("neither a JSON object nor an array", nil)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, anymail.Malformed("something follows the JSON value", nil)
	}
	return elements, nil
}

// SplitLines is [Split] for a body that may also be JSON Lines, an object in each line.
// It returns all lines but blank ones, also those that are not JSON.
func SplitLines(body []byte, limits anymail.Limits) ([][]byte, error) {
	elements, err := Split(body, limits)
	if !errors.Is(err, anymail.ErrMalformed) {
		return elements, err
	}
	var lines [][]byte
	isObject := false
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err := AtMost(limits, len(lines)+1); err != nil {
			return nil, err
		}
		lines = append(lines, line[:len(line):len(line)])
		isObject = isObject || line[0] == '{' && jsontext.Value(line).IsValid(jsonscan.Lenient)
	}
	if !isObject {
		return nil, err
	}
	return lines, nil
}

// splitters holds decoders with the buffers that they read.
var splitters = sync.Pool{New: func() any {
	sp := new(splitter)
	sp.decoder = jsontext.NewDecoder(&sp.buffer)
	return sp
}}

type splitter struct {
	buffer  bytes.Buffer
	decoder *jsontext.Decoder
}

func (sp *splitter) reset(body []byte) {
	sp.buffer = *bytes.NewBuffer(body)
	sp.decoder.Reset(&sp.buffer, jsonscan.Lenient)
}

// malformed keeps the place of a syntax error and drops the text that is there.
func malformed(err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return anymail.Malformed("JSON syntax", fmt.Errorf("at byte %d", syntax.ByteOffset))
	}
	return anymail.Malformed("JSON", nil)
}

// Batch turns a payload that is a JSON array of events, or one event, into
// tracking events. See [Events] for fill.
func Batch[T any](p *anymail.Payload, fill func(w *T, ev *anymail.TrackingEvent)) ([]anymail.Event, error) {
	elements, err := Split(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	return Events(elements, fill), nil
}

// Events decodes each element into a T and calls fill to make the normalized
// event of it. Raw is set before; the core fills in what fill leaves empty. An
// element that does not decode becomes an [anymail.EventUnknown] with a
// Description of the error, and the others are delivered.
// The elements have to be checked JSON, as those of [Split] and parts of them are.
// The T is reused for the next element: fill must not keep it.
func Events[T any](elements [][]byte, fill func(w *T, ev *anymail.TrackingEvent)) []anymail.Event {
	events := make([]anymail.Event, len(elements))
	var space []anymail.TrackingEvent
	d := jsonscan.NewDecoder(len(elements))
	w := new(T)
	for i, raw := range elements {
		if len(space) == 0 { // an event that is kept keeps a few others in memory, and not all
			space = make([]anymail.TrackingEvent, min(jsonscan.Together, len(elements)-i))
		}
		ev := &space[0]
		space = space[1:]
		events[i] = ev
		var zero T
		*w = zero
		if err := fillOne(d, w, ev, raw, fill); err != nil {
			*ev = *MalformedEvent(raw, err)
		}
		ev.Raw = raw
	}
	return events
}

// AtLeastOne returns what it gets, or [anymail.ErrMalformed] if that is neither an
// event nor an error: a payload of which nothing was made must not be answered
// with success. A ping is answered by the endpoint's Handshake.
func AtLeastOne(events []anymail.Event, err error) ([]anymail.Event, error) {
	if err == nil && len(events) == 0 {
		return nil, anymail.Malformed("no event in the payload", nil)
	}
	return events, err
}

func fillOne[T any](d *jsonscan.Decoder, w *T, ev *anymail.TrackingEvent, raw []byte, fill func(w *T, ev *anymail.TrackingEvent)) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v) // one strange element must not cost the batch
		}
	}()
	if len(raw) == 0 || raw[0] != '{' {
		return errors.New("not an object")
	}
	if err := d.Decode(raw, w); err != nil {
		return err
	}
	ev.Raw = raw
	fill(w, ev)
	return nil
}

// MalformedEvent returns the event of an element that cannot be decoded, with its
// text and the error, so that nothing is lost.
func MalformedEvent(raw []byte, err error) *anymail.TrackingEvent {
	return &anymail.TrackingEvent{
		Common:      anymail.Common{Type: anymail.EventUnknown, Raw: raw},
		Description: "malformed event: " + err.Error(),
	}
}
