// Package wire has what an adapter's [anymail.EventParser] is made of: it
// splits a JSON payload into the ESP's own events, decodes each into the
// adapter's typed struct, and reads the loose types that ESPs send.
//
// Decoding is lenient where ESPs are sloppy (invalid UTF-8 becomes U+FFFD, of
// repeated names the last one wins, unknown members are skipped) and strict
// otherwise: names are compared exactly, and both nesting and the elements of
// an array or members of metadata are bounded.
package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goanymail/anymail"
)

// AtMost returns an error that is [anymail.ErrTooLarge] where one request has
// more events than limits.BatchEvents, which is 20,000 where it is not set.
func AtMost(limits anymail.Limits, events int) error {
	if most := mostEvents(limits); events > most {
		return anymail.Because(anymail.ErrTooLarge, "too many events in one request", fmt.Errorf("the limit is %d", most))
	}
	return nil
}

func mostEvents(limits anymail.Limits) int {
	if limits.BatchEvents > 0 {
		return limits.BatchEvents
	}
	return 20_000
}

// Split returns the elements of a JSON array, or the value itself if it is an
// object, as slices of body. It returns an error that is [anymail.ErrMalformed]
// where body is neither, and one of [AtMost] where there are too many.
func Split(body []byte, limits anymail.Limits) ([][]byte, error) {
	sp := splitters.Get().(*splitter)
	defer splitters.Put(sp)
	sp.reset(body)
	defer sp.reset(nil) // lest the pool keep the body
	d := sp.decoder
	elements := make([][]byte, 0, min(mostEvents(limits), 1+len(body)/512))
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

// splitters are decoders with the buffers that they read.
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
	sp.decoder.Reset(&sp.buffer, lenient)
}

// malformed keeps where the JSON is wrong and leaves out what stands there.
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

// Events decodes each element into a T and has fill make the normalized event
// of it; Raw is set already, and what fill leaves
// empty the core fills in. An element that does not decode becomes an
// [anymail.EventUnknown] with a Description that says so; it does not keep the
// others from being delivered.
// The elements have to be JSON that was checked, as those of [Split] and parts
// of them are. The T is used again for the next element: fill must not keep it.
func Events[T any](elements [][]byte, fill func(w *T, ev *anymail.TrackingEvent)) []anymail.Event {
	events := make([]anymail.Event, len(elements))
	space := make([]anymail.TrackingEvent, len(elements))
	w, s := new(T), new(source)
	into, v := decoderOf(reflect.TypeFor[T]()), reflect.ValueOf(w).Elem()
	one := func(ev *anymail.TrackingEvent, raw []byte) (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("panic: %v", v) // one strange element must not cost the batch
			}
		}()
		if len(raw) == 0 || raw[0] != '{' {
			return errors.New("not an object")
		}
		*s = newSource(raw)
		if err := s.decode(into, v); err != nil {
			return err
		}
		ev.Raw = raw
		fill(w, ev)
		return nil
	}
	for i, raw := range elements {
		var zero T
		*w = zero
		ev := &space[i]
		events[i] = ev
		if err := one(ev, raw); err != nil {
			*ev = *MalformedEvent(raw, err)
		}
		ev.Raw = raw
	}
	return events
}
