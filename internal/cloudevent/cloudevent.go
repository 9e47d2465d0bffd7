// Package cloudevent has the attributes of an event as a CloudEvent 1.0, in the
// binary content mode: the body of the message is the event's JSON form.
//
// Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#context-attributes
package cloudevent

import (
	"time"

	"github.com/goanymail/anymail"
)

// ContentType is the media type of the body, the attribute datacontenttype. Brokers
// differ in where they have it.
const ContentType = "application/json"

// Attribute is an attribute by its name, without the prefix of a broker's binding.
type Attribute struct {
	Name, Value string
}

// Attributes returns specversion, id (the event's key), source (/anymail/{esp}),
// type (anymail.{kind}.{event type}) and, if the ESP sent one, time.
func Attributes(ev anymail.Event) []Attribute {
	base := ev.Base()
	list := []Attribute{
		{"specversion", "1.0"},
		{"id", base.Key},
		{"source", "/anymail/" + base.ESP},
		{"type", "anymail." + string(ev.Kind()) + "." + string(base.Type)},
	}
	if !base.Timestamp.IsZero() {
		list = append(list, Attribute{"time", base.Timestamp.Format(time.RFC3339Nano)})
	}
	return list
}
