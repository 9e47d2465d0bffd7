package sns

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// The values of [Message.Type].
const (
	Notification             = "Notification"
	SubscriptionConfirmation = "SubscriptionConfirmation"
	UnsubscribeConfirmation  = "UnsubscribeConfirmation"
)

// Message is what SNS posts, except under raw message delivery, which is not
// signed.
//
// Source: https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html
type Message struct {
	Type             string // for example Notification
	MessageID        string `json:"MessageId"`
	TopicArn         string
	Subject          *string
	Message          string
	Timestamp        string // when it was published; see Time
	SignatureVersion string
	Signature        string
	SigningCertURL   string // not signed
	SubscribeURL     string // signed in confirmations only
	Token            string // signed in confirmations only
	UnsubscribeURL   string // not signed
}

// Parse reads a message from a body. Since the signature covers the decoded
// values, the JSON has to be unambiguous: Parse compares names exactly, and
// refuses repeated names, invalid UTF-8 and values that are not strings. It
// returns [anymail.ErrMalformed] for these and for anything else that is not an
// SNS message.
func Parse(body []byte) (*Message, error) {
	m := new(Message)
	// The library would look for repeated names as well, but in everything: its
	// table of the names in a hostile body takes 15 times the body's memory.
	if json.Unmarshal(body, m, jsontext.AllowDuplicateNames(true)) == nil && !repeatsNames(body) {
		switch m.Type {
		case Notification, SubscriptionConfirmation, UnsubscribeConfirmation:
			return m, nil
		}
	}
	return nil, anymail.Malformed(ReasonNotSNS, nil) // the library's error would quote it
}

// maxMembers is how many members a message may have. Amazon's have 12.
const maxMembers = 64

// repeatsNames reports whether a JSON object has a name twice, or too many names
// for an SNS message.
func repeatsNames(object []byte) bool {
	seen := make(map[string]struct{}, 16)
	for name := range wire.Members(object) {
		if _, repeated := seen[string(name)]; repeated || len(seen) == maxMembers {
			return true
		}
		seen[string(name)] = struct{}{}
	}
	return false
}

// Time returns when the message was published, the same for every attempt to
// deliver it, or the zero time if that is unreadable.
func (m *Message) Time() time.Time {
	t, err := time.Parse(time.RFC3339, m.Timestamp)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// signed returns what the signature covers, or nil if a value holds a line break
// that could move the border between two values. Only Message may hold one: what
// follows it can be told apart from the end backwards.
func (m *Message) signed() []byte {
	lines := []string{"Message", m.Message, "MessageId", m.MessageID}
	if m.Type == Notification {
		if m.Subject != nil {
			lines = append(lines, "Subject", *m.Subject)
		}
		lines = append(lines, "Timestamp", m.Timestamp)
	} else {
		lines = append(lines, "SubscribeURL", m.SubscribeURL, "Timestamp", m.Timestamp, "Token", m.Token)
	}
	lines = append(lines, "TopicArn", m.TopicArn, "Type", m.Type)
	size := 0
	for i, line := range lines {
		if i != 1 && strings.Contains(line, "\n") {
			return nil
		}
		size += len(line) + 1
	}
	text := make([]byte, 0, size)
	for _, line := range lines {
		text = append(append(text, line...), '\n')
	}
	return text
}
