// Package provenance finds out which members of what an ESP posted the fields
// of a normalized event come from.
//
// It knows nothing about any ESP. It looks for members that have the value of a
// field and, where it can parse again, changes one member after the other and
// looks which fields change with it: a member of the same value that the field
// does not depend on had it by chance. A value that stands nowhere is derived,
// from the members that it changes with.
package provenance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goanymail/anymail"
)

// How says how the value of a member resembles that of a field.
type How string

// The ways in which a member can hold a value, the closest first.
const (
	Same     How = "same"         // equal
	Alike    How = "alike"        // but for case, spaces and angle brackets
	SameTime How = "same instant" // written in another way
	Within   How = "within"       // the member's value contains the field's
	Part     How = "part"         // the field's value contains the member's
)

var hows = []How{Same, Alike, SameTime, Within, Part}

// Source is a member that holds the value of a field.
type Source struct {
	Path  string `json:"path"`
	Value string `json:"value"`
	How   How    `json:"how"`
}

// Field is a field of a normalized event.
type Field struct {
	Name  string `json:"name"` // that of the JSON form, "bounce.smtp_code"
	Value string `json:"value"`
	// From are the members that hold the value.
	From []Source `json:"from,omitempty"`
	// DerivedFrom are those that it depends on, where none holds the value. If
	// they are not known, both are empty.
	DerivedFrom []string `json:"derived_from,omitempty"`
}

// Listing is an event beside what it was made of.
type Listing struct {
	Fields []Field `json:"fields"`
	// OnlyInRaw are the members that no field comes from.
	OnlyInRaw []Member `json:"only_in_raw,omitempty"`
}

// Input is what events were made of.
type Input struct {
	ContentType string
	Body        []byte
	// Others are members of what is not in the body: headers, what was fetched.
	Others []Member
	// Parse parses another body as the one that was posted, and returns nil
	// where that fails. If Parse is nil, values alone are compared.
	Parse func(body []byte) []anymail.Event
}

// Bounds of what is parsed again.
const (
	maxChanges = 400       // members of one event
	maxBody    = 512 << 10 // bytes
)

// List returns the listing of the event that is number i in a body.
func List(ev anymail.Event, i int, in Input) Listing {
	raw := ev.Base().Raw
	s := scan(in.ContentType, raw, maxNested)
	fields := fieldsOf(ev, s)
	used := map[string]bool{}
	depends := dependencies(ev, i, s, in)
	for _, members := range depends {
		for _, m := range members {
			used[m.Path] = true
		}
	}
	others := append(besides(raw, in), in.Others...)
	for f := range fields {
		settle(&fields[f], s, depends != nil, depends[fields[f].Name], others)
		for _, source := range fields[f].From {
			used[source.Path] = true
		}
	}
	l := Listing{Fields: fields}
	for _, m := range s.members {
		if !used[m.Path] && !used[headerList.FindString(m.Path)] && m.kind != null && m.Value != "" {
			l.OnlyInRaw = append(l.OnlyInRaw, m)
		}
	}
	return l
}

// besides are the members of a body that are not the event's own.
func besides(raw []byte, in Input) []Member {
	if bytes.Equal(raw, in.Body) {
		return nil
	}
	return slices.DeleteFunc(scan(in.ContentType, in.Body, 0).members, func(m Member) bool {
		return strings.Contains(m.Path, "[") || strings.Contains(m.Value, string(raw))
	})
}

// settle says where a field comes from.
func settle(f *Field, s *scanner, known bool, needs, others []Member) {
	if f.From != nil {
		return
	}
	paths := make([]string, len(needs))
	for i, m := range needs {
		paths[i] = m.Path
	}
	if known && len(needs) == 0 && slices.Contains(enumerated, f.Name) {
		return // it is so whatever the event says
	}
	if known && len(needs) == 0 {
		// What could be changed and did not matter is not it, if there is another.
		fixed := slices.DeleteFunc(slices.Clone(s.members), func(m Member) bool { return m.with != nil })
		if f.From = holding(*f, fixed, nil); f.From != nil {
			return
		}
	}
	f.From = holding(*f, s.members, paths)
	if f.From == nil && len(needs) > 0 {
		f.DerivedFrom = paths
		return
	}
	if f.From == nil {
		f.From = holding(*f, others, nil)
	}
}

// enumerated are the fields whose values are words of this library.
var enumerated = []string{"event_type", "reject_reason", "bounce.category"}

// holding returns the members that hold the value of a field in the closest
// way: of those that it needs, if they are known, and with a name that
// resembles the field's if there are any.
func holding(f Field, members []Member, needs []string) []Source {
	how := hows
	if slices.Contains(enumerated, f.Name) {
		how = hows[:2]
	}
	for _, how := range how {
		var found, named []Source
		for _, m := range members {
			if resembles(m, f.Value) != how || len(needs) > 0 && m.with != nil && !slices.Contains(needs, m.Path) {
				continue
			}
			source := Source{m.Path, m.Value, how}
			found = append(found, source)
			if wordsInCommon(f.Name, m.Path) {
				named = append(named, source)
			}
		}
		if len(named) > 0 {
			return named
		}
		// A short value stands in many places by chance.
		chance := len(needs) == 0 && (len([]rune(f.Value)) < 3 || f.Value == "true" || f.Value == "false")
		if len(found) > 0 && !chance {
			return found
		}
	}
	return nil
}

func resembles(m Member, value string) How {
	switch {
	case m.Value == "" || value == "" || m.kind == null:
		return ""
	case m.Value == value:
		return Same
	case m.kind != truth && fold(m.Value) == fold(value):
		return Alike
	case sameInstant(m.Value, value):
		return SameTime
	case m.kind == text && len(value) > 2 && containsWord(m.Value, value):
		return Within
	case m.kind == text && len(m.Value) > 3 && containsWord(value, m.Value):
		return Part
	}
	return ""
}

func fold(s string) string { return strings.ToLower(strings.Trim(strings.TrimSpace(s), "<>")) }

// containsWord says whether part stands in whole with no letter or digit next
// to it.
func containsWord(whole, part string) bool {
	for offset := 0; ; {
		i := strings.Index(whole[offset:], part)
		if i < 0 {
			return false
		}
		i += offset
		before, after := whole[:i], whole[i+len(part):]
		if !alphanumericAt(before, len(before)-1) && !alphanumericAt(after, 0) {
			return true
		}
		offset = i + 1
	}
}

func alphanumericAt(s string, i int) bool {
	return i >= 0 && i < len(s) && (s[i] >= 0x80 || unicode.IsLetter(rune(s[i])) || unicode.IsDigit(rune(s[i])))
}

// timeLayouts are those in which ESPs write times, besides seconds since 1970.
var timeLayouts = []string{
	time.RFC3339Nano, time.RFC1123Z, time.RFC1123, "Mon, _2 Jan 2006 15:04:05 -0700", "2006-01-02 15:04:05", "2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 UTC", "2006-01-02 15:04:05.999999",
}

// sameInstant compares with the RFC 3339 time of a field, to the second.
func sameInstant(member, value string) bool {
	if len(value) < len("2006-01-02T15:04:05Z") || value[4] != '-' {
		return false
	}
	at, err := time.Parse(time.RFC3339Nano, value)
	if err != nil {
		return false
	}
	same := func(t time.Time) bool { return t.Unix() == at.Unix() }
	if n, err := strconv.ParseFloat(member, 64); err == nil {
		for _, scale := range []float64{1, 1e3, 1e6, 1e9} {
			if seconds := n / scale; seconds > 1e8 && seconds < 1e11 && same(time.Unix(int64(seconds), 0)) {
				return true
			}
		}
		return false
	}
	member, _, _ = strings.Cut(member, " (") // a comment in a Date header
	t, _ := parseTime(member)
	return same(t)
}

func parseTime(s string) (t time.Time, layout string) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, layout
		}
	}
	return time.Time{}, ""
}

// wordsInCommon compares the last name of a field with the words of a path.
func wordsInCommon(field, path string) bool {
	names := words(field[strings.LastIndexByte(field, '.')+1:])
	return slices.ContainsFunc(words(path), func(w string) bool { return slices.Contains(names, w) })
}

// words are those of a name: of "bounceType", bounce and type.
func words(name string) []string {
	var list []string
	start := 0
	runes := []rune(name)
	cut := func(end int) {
		if end > start {
			list = append(list, strings.ToLower(string(runes[start:end])))
		}
		start = end
	}
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r):
			cut(i)
			start = i + 1
		case unicode.IsUpper(r) && i > 0 && unicode.IsLower(runes[i-1]):
			cut(i)
		}
	}
	cut(len(runes))
	return list
}

// notFields are members of the JSON form that everything, or nothing, goes into.
var notFields = []string{"kind", "esp", "key", "raw", "raw.base64", "message.raw_mime", "message.raw_mime.base64"}

// fieldsOf lists the fields of an event. Of the headers of a message there is
// the number.
func fieldsOf(ev anymail.Event, s *scanner) []Field {
	var fields []Field
	headers := 0
	for _, m := range flat(ev) {
		switch {
		case slices.Contains(notFields, m.Path), strings.HasSuffix(m.Path, "].content"), m.kind == null:
		case strings.HasPrefix(m.Path, "message.headers["):
			headers++
		default:
			fields = append(fields, Field{Name: m.Path, Value: m.Value})
		}
	}
	in, ok := ev.(*anymail.InboundEvent)
	if !ok {
		return fields
	}
	if headers > 0 {
		fields = append(fields, Field{Name: "message.headers", Value: fmt.Sprintf("%d fields", len(in.Message.Headers)), From: headerSource(in.Message.Headers, s)})
	}
	if raw := in.Message.RawMIME; len(raw) > 0 {
		f := Field{Name: "message.raw_mime", Value: fmt.Sprintf("%d bytes", len(raw))}
		for _, mail := range s.mails {
			if mail.Value == string(raw) {
				f.From = append(f.From, Source{mail.Path, "", Same})
			}
		}
		fields = append(fields, f)
	}
	return fields
}

// headerList is the path of a list of headers, at the start of that of one.
var headerList = regexp.MustCompile(`^.*?(?i:headers)`)

// headerSource is where the headers of a message stand: in a message, or in a
// list that has the last of them, which is not of the ESP's own making.
func headerSource(headers anymail.Headers, s *scanner) []Source {
	if len(s.mails) > 0 {
		return []Source{{s.mails[0].Path, "", Same}}
	}
	for _, h := range slices.Backward(headers) {
		for _, m := range s.members {
			if list := headerList.FindString(m.Path); list != "" && list != m.Path && m.Value == h.Value {
				return []Source{{list, "", Same}}
			}
		}
	}
	return nil
}

// flat returns the members of an event's JSON form.
func flat(ev anymail.Event) []Member {
	b, err := json.Marshal(ev)
	if err != nil {
		return nil
	}
	s := new(scanner)
	_ = s.json("", b, func(b []byte) []byte { return b }, 0)
	return s.members
}

// dependencies says for the name of each field which members it changes with.
// It is nil where that is not known.
func dependencies(ev anymail.Event, i int, s *scanner, in Input) map[string][]Member {
	raw := ev.Base().Raw
	if in.Parse == nil || len(in.Body) > maxBody || len(s.members) > maxChanges || len(raw) == 0 {
		return nil
	}
	around := surroundings(in.ContentType, in.Body, raw)
	if around == nil {
		return nil
	}
	before := map[string]string{}
	for _, m := range flat(ev) {
		if !slices.Contains(notFields, m.Path) {
			before[m.Path] = m.Value
		}
	}
	depends := map[string][]Member{}
	for _, m := range s.members {
		if m.with == nil || m.kind == null {
			continue
		}
		for _, value := range m.others() {
			for _, name := range changed(before, ev.Kind(), i, in.Parse(around(m.with(value)))) {
				if list := depends[name]; len(list) == 0 || list[len(list)-1].Path != m.Path {
					depends[name] = append(list, m)
				}
			}
		}
	}
	return depends
}

// changed returns the names of the fields of event number i that are others now.
func changed(before map[string]string, kind anymail.Kind, i int, events []anymail.Event) (names []string) {
	if i >= len(events) || events[i].Kind() != kind {
		return nil
	}
	after := map[string]string{}
	for _, m := range flat(events[i]) {
		after[m.Path] = m.Value
	}
	for name, value := range before {
		if now, ok := after[name]; !ok || now != value {
			names = append(names, name)
		}
	}
	return names
}

// others returns other values of the same kind: one that is close, and for a
// text one that has nothing of it.
func (m Member) others() []string {
	if m.kind == truth {
		return []string{strconv.FormatBool(m.Value != "true")}
	}
	if n, err := strconv.ParseInt(m.Value, 10, 64); err == nil {
		return []string{strconv.FormatInt(n+1, 10), "0"}
	}
	if m.kind == number {
		return []string{"1" + strings.TrimPrefix(m.Value, "-"), "0"}
	}
	if t, layout := parseTime(m.Value); layout != "" {
		return []string{t.AddDate(0, 0, -1).Format(layout)}
	}
	return []string{m.Value + "x", "x"}
}

// surroundings returns a function that puts another text of an event into the
// body, or nil where the event's own is not found there.
func surroundings(contentType string, body, raw []byte) func([]byte) []byte {
	if i := bytes.Index(body, raw); i >= 0 {
		return func(other []byte) []byte { return slices.Concat(body[:i], other, body[i+len(raw):]) }
	}
	s := scan(contentType, body, 0)
	for _, m := range s.members {
		if i := strings.Index(m.Value, string(raw)); i >= 0 && m.with != nil {
			return func(other []byte) []byte { return m.with(m.Value[:i] + string(other) + m.Value[i+len(raw):]) }
		}
	}
	return nil
}
