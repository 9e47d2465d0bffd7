// Package provenance finds the members of a posted body that hold the values of
// a normalized event's fields.
//
// It knows nothing about any ESP and compares values alone. A value that the
// adapter looked up in a table or computed is found at no member.
package provenance

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goanymail/anymail"
)

// Match is how the value of a member resembles the value of a field.
type Match string

// The matches, the closest first.
const (
	Same     Match = "same"         // equal
	Alike    Match = "alike"        // equal except for case, spaces and angle brackets
	SameTime Match = "same instant" // the same time, written differently
	Within   Match = "within"       // the member's text contains the field's value
)

var matches = []Match{Same, Alike, SameTime, Within}

// Source is a member that holds the value of a field.
type Source struct {
	Path  string `json:"path"`
	Value string `json:"value"`
	Match Match  `json:"how"`
}

// Field is a field of a normalized event, with the members that hold its value.
type Field struct {
	Name  string   `json:"name"` // in the JSON form: "bounce.smtp_code"
	Value string   `json:"value"`
	From  []Source `json:"from,omitempty"`
}

// Listing is a normalized event next to the ESP's own.
type Listing struct {
	Fields []Field `json:"fields"`
	// OnlyInRaw are the members of the ESP's event that hold no field's value.
	OnlyInRaw []Member `json:"only_in_raw,omitempty"`
}

// Body is what events were parsed from.
type Body struct {
	ContentType string
	Content     []byte
	// Others are members outside the body: headers, fetched documents.
	Others []Member
}

// List compares an event with the body that it was parsed from.
func List(ev anymail.Event, body Body) Listing {
	own := Members(body.ContentType, ev.Base().Raw)
	others := append(around(ev.Base().Raw, body), body.Others...)
	_, received := ev.(*anymail.InboundEvent)
	var l Listing
	found := map[string]bool{}
	for _, m := range jsonForm(ev) {
		if !isField(m.Path) {
			continue
		}
		f := Field{Name: m.Path, Value: m.Value, From: holders(m, own)}
		for _, source := range f.From {
			found[source.Path] = true
		}
		if f.From == nil {
			f.From = holders(m, others)
		}
		l.Fields = append(l.Fields, f)
	}
	for _, m := range own {
		// Header fields are in message.headers.
		if !found[m.Path] && m.Value != "" && (!received || !isHeader(m.Path)) {
			l.OnlyInRaw = append(l.OnlyInRaw, m)
		}
	}
	return l
}

// around returns the members of the body that belong to no event: not to this
// one, and not to the others of a batch.
func around(raw []byte, body Body) []Member {
	if bytes.Equal(raw, body.Content) {
		return nil
	}
	return slices.DeleteFunc(Members(body.ContentType, body.Content), func(m Member) bool {
		return strings.Contains(m.Path, "[") || strings.Contains(m.Value, string(raw))
	})
}

func isHeader(path string) bool {
	return strings.Contains(path, inMail) || strings.Contains(strings.ToLower(path), "headers")
}

// isField reports whether a member of the JSON form is listed: large contents,
// and what the library itself makes, are not.
func isField(path string) bool {
	switch {
	case slices.Contains([]string{"kind", "esp", "account", "key", "raw", "raw.base64"}, path),
		strings.HasPrefix(path, "message.headers["), strings.HasPrefix(path, "message.raw_mime"), strings.HasSuffix(path, "].content"):
		return false
	}
	return true
}

func jsonForm(ev anymail.Event) []Member {
	b, err := json.Marshal(ev)
	if err != nil {
		return nil
	}
	return flatten(b)
}

// holders returns the members that hold the value of a field in the closest
// way, and of these the ones with a similar name if there are any.
func holders(field Member, members []Member) []Source {
	for _, match := range matches {
		var found, named []Source
		for _, m := range members {
			if compare(m, field.Value) != match {
				continue
			}
			source := Source{m.Path, m.Value, match}
			found = append(found, source)
			if wordsInCommon(field.Path, m.Path) {
				named = append(named, source)
			}
		}
		if len(named) > 0 {
			return named
		}
		if len(found) > 0 && !common(field) {
			return found
		}
	}
	return nil
}

// common reports whether other members have the value of a field by chance: it
// is short, or a word of the library's own.
func common(field Member) bool {
	return len([]rune(field.Value)) < 3 || field.Value == "true" || field.Value == "false" ||
		slices.Contains([]string{"event_type", "reject_reason", "bounce.category"}, field.Path)
}

func compare(m Member, value string) Match {
	switch {
	case m.Value == "" || value == "":
		return ""
	case m.Value == value:
		return Same
	case fold(m.Value) == fold(value):
		return Alike
	case sameInstant(m.Value, value):
		return SameTime
	case m.text && len(value) > 2 && containsWord(m.Value, value):
		return Within
	}
	return ""
}

func fold(s string) string { return strings.ToLower(strings.Trim(strings.TrimSpace(s), "<>")) }

// containsWord reports whether whole contains part with no letter or digit next
// to it.
func containsWord(whole, part string) bool {
	for offset := 0; ; {
		i := strings.Index(whole[offset:], part)
		if i < 0 {
			return false
		}
		i += offset
		if !alphanumericAt(whole, i-1) && !alphanumericAt(whole, i+len(part)) {
			return true
		}
		offset = i + 1
	}
}

func alphanumericAt(s string, i int) bool {
	return i >= 0 && i < len(s) && (s[i] >= 0x80 || unicode.IsLetter(rune(s[i])) || unicode.IsDigit(rune(s[i])))
}

// timeLayouts are the layouts in which ESPs write times, other than numbers.
var timeLayouts = []string{
	time.RFC3339Nano, time.RFC1123Z, time.RFC1123, "Mon, _2 Jan 2006 15:04:05 -0700", time.DateTime, "2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 UTC", "2006-01-02 15:04:05.999999",
}

// sameInstant reports whether a member is the RFC 3339 time of a field, to the
// second.
func sameInstant(member, value string) bool {
	at, err := time.Parse(time.RFC3339Nano, value)
	if err != nil {
		return false
	}
	if n, err := strconv.ParseFloat(member, 64); err == nil {
		for _, scale := range []float64{1, 1e3, 1e6, 1e9} {
			if seconds := n / scale; seconds > 1e8 && seconds < 1e11 && int64(seconds) == at.Unix() {
				return true
			}
		}
		return false
	}
	member, _, _ = strings.Cut(member, " (") // the comment of a Date header
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, member); err == nil {
			return t.Unix() == at.Unix()
		}
	}
	return false
}

// wordsInCommon compares the last name of a field with the words of a path.
func wordsInCommon(field, path string) bool {
	names := words(field[strings.LastIndexByte(field, '.')+1:])
	return slices.ContainsFunc(words(path), func(w string) bool { return slices.Contains(names, w) })
}

// words splits a name: "bounceType" is bounce and type.
func words(name string) []string {
	var spaced strings.Builder
	lower := false
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r):
			r = ' '
		case lower && unicode.IsUpper(r):
			spaced.WriteByte(' ')
		}
		lower = unicode.IsLower(r)
		spaced.WriteRune(unicode.ToLower(r))
	}
	return strings.Fields(spaced.String())
}
