package wire

import (
	"strings"

	"github.com/goanymail/anymail"
)

// Object is a T that an ESP may also send as [], "" or null where there is
// none, as programs in PHP do. Anything but a JSON object is the zero T.
type Object[T any] struct{ Value T }

// UnmarshalJSON implements [json.Unmarshaler].
func (o *Object[T]) UnmarshalJSON(b []byte) error {
	*o = Object[T]{}
	if b[0] != '{' {
		return nil
	}
	return Unmarshal(b, &o.Value)
}

// StringMember returns the value of the first member of a JSON object that has
// this name, if it is a string and otherwise "". It reads no further.
func StringMember(object []byte, name string) string {
	for member, value := range Members(object) {
		if string(member) == name {
			text, _ := Any(value).(string)
			return text
		}
	}
	return ""
}

// Headers are header fields that an ESP sends as one JSON object, with a string
// or a list of strings under each name, or as a list of objects that have a
// name and a value. They keep their order; anything else is dropped (it is
// still in the event's Raw).
type Headers anymail.Headers

// UnmarshalJSON implements [json.Unmarshaler].
func (hs *Headers) UnmarshalJSON(b []byte) error {
	*hs = nil
	switch b[0] {
	case '{':
		for name, value := range Members(b) {
			if err := hs.add(strings.ToValidUTF8(string(name), "\ufffd"), value); err != nil {
				return err
			}
		}
	case '[':
		var list []Object[struct {
			Name  Text `json:"name,case:ignore"`
			Value Text `json:"value,case:ignore"`
		}]
		if err := Unmarshal(b, &list); err != nil {
			return err
		}
		for _, h := range list {
			if h.Value.Name != "" {
				*hs = append(*hs, anymail.Header{Name: string(h.Value.Name), Value: string(h.Value.Value)})
			}
		}
	}
	return nil
}

func (hs *Headers) add(name string, value []byte) error {
	var texts []Text
	if value[0] != '[' {
		texts = make([]Text, 1)
		if err := texts[0].UnmarshalJSON(value); err != nil {
			return err
		}
	} else if err := Unmarshal(value, &texts); err != nil {
		return err
	}
	for _, text := range texts {
		*hs = append(*hs, anymail.Header{Name: name, Value: string(text)})
	}
	return nil
}

// Message returns hs as a message's headers.
func (hs Headers) Message() anymail.Headers { return anymail.Headers(hs) }

// BlameAddress makes the reason of a bounce [anymail.RejectInvalid] instead of
// [anymail.RejectBounced] where the enhanced status code, or failing that the
// words "user unknown", say that there is no such recipient. Other codes of the
// subject 5.1 blame the sender's address.
//
// Source: https://www.iana.org/assignments/smtp-enhanced-status-codes
func BlameAddress(ev *anymail.TrackingEvent) {
	if ev.RejectReason != anymail.RejectBounced {
		return
	}
	invalid := false
	switch ev.Bounce.EnhancedCode {
	case "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10":
		invalid = true
	case "":
		invalid = strings.Contains(strings.ToLower(ev.MTAResponse+ev.Description), "user unknown")
	}
	if invalid {
		ev.RejectReason = anymail.RejectInvalid
	}
}

// Suppression reads from an ESP's own words, such as "hardBounce" or "due to
// unsubscribed user", why it did not send to a suppressed address. It is
// [anymail.RejectBlocked] where they do not tell.
func Suppression(words string) anymail.RejectReason {
	words = strings.ToLower(words)
	for _, s := range []struct {
		word   string
		reason anymail.RejectReason
	}{
		{"spam", anymail.RejectSpam},
		{"complain", anymail.RejectSpam},
		{"unsubscri", anymail.RejectUnsubscribed},
		{"bounce", anymail.RejectBounced},
		{"invalid", anymail.RejectInvalid},
	} {
		if strings.Contains(words, s.word) {
			return s.reason
		}
	}
	return anymail.RejectBlocked
}
