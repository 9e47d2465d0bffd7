package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goanymail/anymail"
)

// Source is where a request comes from.
type Source string

// The sources.
const (
	Received  Source = "received"  // over the network
	Triggered Source = "triggered" // made by a simulator, at the user's request
	Replayed  Source = "replayed"  // an earlier one, which the user sent again
	Imported  Source = "imported"  // read from a file
)

// Record is one request with its outcome. A record in a store does not change.
type Record struct {
	ID       int64
	Time     time.Time
	Method   string
	Host     string
	Path     string // with the query
	Header   http.Header
	Secret   []string // headers that hold a secret because a setting says so
	Removed  []string // headers that hold a secret, which a file does not have
	Body     []byte
	ESP      string
	Name     string // of the adapter; empty if no adapter has the path
	Endpoint string
	Status   int
	Answered int    // the status that was sent instead, if the user asked for one; or 0
	Error    string // why it was refused
	Reason   string // the same in a few words, see anymail.RequestError
	Source   Source
	Events   []anymail.Event

	// What is computed when the record is stored.
	lines []line
	text  string   // lower case: what a search looks at in addition to the lines
	has   trigrams // of the text and of the lines
	size  int

	stored int64 // bytes in the journal; only the store reads it
}

// refused reports whether the ESP was not answered with success.
func (r *Record) refused() bool { return r.Status < 200 || r.Status > 299 }

// unrouted reports whether no adapter has the path.
func (r *Record) unrouted() bool { return r.Name == "" && r.Status == http.StatusNotFound }

// weight is how many events a record counts as.
func (r *Record) weight() int { return max(1, len(r.Events)) }

// The bounds of what a search looks at. A message of many megabytes would
// otherwise make every search slow.
const (
	mostText     = 32 << 10 // of a request, in bytes
	mostLineText = 8 << 10  // of an event
)

// prepare computes what lists and searches need.
func (r *Record) prepare() {
	r.lines = make([]line, len(r.Events))
	r.size = 4<<10 + len(r.Body) + len(r.Path) + len(r.Error)
	for i, ev := range r.Events {
		r.lines[i] = newLine(i, ev)
		r.size += eventSize(ev) + len(r.lines[i].text)
	}
	var b strings.Builder
	add := func(s string) {
		if room := mostText - b.Len(); room > 0 {
			b.WriteString(clip(s, room))
			b.WriteByte('\n')
		}
	}
	add(r.Error)
	add(r.Path)
	add(r.Name)
	for name, values := range r.Header {
		for _, value := range values {
			r.size += len(name) + len(value)
			if !r.hides(name) {
				add(name + ": " + value)
			}
		}
	}
	if utf8.Valid(r.Body) {
		add(string(r.Body[:min(len(r.Body), mostText)]))
	}
	r.text = strings.ToLower(b.String())
	r.size += len(r.text)
	r.has.add(r.text)
	for _, l := range r.lines {
		r.has.add(l.text)
	}
}

// clip returns at most n bytes of valid UTF-8.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// hides reports whether the value of a header is not shown. The words are those by which
// the library keeps secrets out of its own reports.
func (r *Record) hides(name string) bool {
	same := func(other string) bool { return strings.EqualFold(other, name) }
	within := func(word string) bool { return strings.Contains(strings.ToLower(name), word) }
	return slices.ContainsFunc(r.Secret, same) ||
		slices.ContainsFunc([]string{"authorization", "cookie", "token", "secret", "password", "api-key", "apikey"}, within)
}

// eventSize estimates the memory that an event takes.
func eventSize(ev anymail.Event) int {
	size := 1<<10 + len(ev.Base().Raw)
	if in, ok := ev.(*anymail.InboundEvent); ok {
		m := &in.Message
		size += len(m.Text) + len(m.HTML) + len(m.StrippedText) + len(m.StrippedHTML) + len(m.RawMIME)
		for _, a := range m.Attachments {
			size += len(a.Content)
		}
	}
	return size
}

// line is what a list shows of an event.
type line struct {
	N         int      `json:"n"`
	ESP       string   `json:"esp"`
	Type      string   `json:"type"`
	Recipient string   `json:"recipient"`
	Reason    string   `json:"reason,omitempty"`
	Subject   string   `json:"subject,omitempty"`
	Tags      []string `json:"tags,omitempty"`
	MessageID string   `json:"message_id,omitempty"`
	EventID   string   `json:"event_id,omitempty"`

	text string // the event in lower case, for searches
}

func newLine(n int, ev anymail.Event) line {
	l := line{N: n, ESP: ev.Base().ESP, Type: string(ev.Base().Type), EventID: ev.Base().ID}
	var form any
	switch ev := ev.(type) {
	case *anymail.TrackingEvent:
		l.Recipient, l.Reason, l.Tags, l.MessageID = ev.Recipient, string(ev.RejectReason), ev.Tags, ev.MessageID
		light := *ev
		light.Raw = nil
		form = &light
	case *anymail.InboundEvent:
		m := ev.Message
		l.Recipient, l.Subject, l.MessageID = m.EnvelopeRecipient, m.Subject, m.MessageID
		if l.Recipient == "" && len(m.To) > 0 {
			l.Recipient = m.To[0].Address
		}
		light := *withoutContents(ev)
		light.Raw, light.Message.RawMIME = nil, nil
		light.Message.Text, light.Message.HTML = clip(m.Text, mostLineText), clip(m.HTML, mostLineText)
		light.Message.StrippedText, light.Message.StrippedHTML = "", ""
		form = &light
	}
	var b strings.Builder
	values(&b, form)
	l.text = strings.ToLower(clip(b.String(), mostLineText))
	return l
}

// values writes the values of a JSON form, and the names of metadata, one a line.
func values(b *strings.Builder, form any) {
	encoded, err := json.Marshal(form)
	if err != nil {
		return // the list shows the event all the same
	}
	var v any
	if json.Unmarshal(encoded, &v) == nil {
		writeValues(b, v)
	}
}

func writeValues(b *strings.Builder, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if _, nested := member.(map[string]any); !nested {
				b.WriteString(name)
				b.WriteByte(' ')
			}
			writeValues(b, member)
		}
	case []any:
		for _, element := range v {
			writeValues(b, element)
		}
	case string:
		b.WriteString(v)
		b.WriteByte('\n')
	default:
		text, _ := json.Marshal(v) // a number, a bool or null
		b.Write(text)
		b.WriteByte('\n')
	}
}

// withoutContents returns a copy of an event without the contents of attachments.
func withoutContents(in *anymail.InboundEvent) *anymail.InboundEvent {
	c := *in
	c.Message.Attachments = slices.Clone(c.Message.Attachments)
	for i := range c.Message.Attachments {
		c.Message.Attachments[i].Content = nil
	}
	return &c
}

// summary is what a list shows of a request.
type summary struct {
	ID       int64     `json:"id"`
	Time     time.Time `json:"time"`
	Method   string    `json:"method"`
	Path     string    `json:"path"`
	Name     string    `json:"name"`
	ESP      string    `json:"esp"`
	Endpoint string    `json:"endpoint"`
	Status   int       `json:"status"`
	Answered int       `json:"answered,omitempty"`
	Error    string    `json:"error,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Source   Source    `json:"source"`
	// Events are those that match the filters, of Total.
	Events []line `json:"events"`
	Total  int    `json:"total_events"`
}

// summarize returns a summary with those events.
func (r *Record) summarize(events []line) summary {
	if events == nil {
		events = []line{}
	}
	return summary{
		ID: r.ID, Time: r.Time, Method: r.Method, Path: r.Path, Name: r.Name, ESP: r.ESP, Endpoint: r.Endpoint,
		Status: r.Status, Answered: r.Answered, Error: r.Error, Reason: r.Reason, Source: r.Source, Events: events, Total: len(r.Events),
	}
}
