package wire

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goanymail/anymail"
)

// Text is a string that an ESP may also send as a number, a bool or null. Any
// other value is kept as its JSON text.
type Text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Text) UnmarshalJSON(b []byte) error {
	s := newSource(b)
	*t = Text(s.loose(0, len(b)))
	return nil
}

// String returns the text.
func (t Text) String() string { return string(t) }

// Number is a number that an ESP may also send as a string; anything else,
// and what is no number, is NaN-free zero with Valid false.
type Number struct {
	Value float64
	Valid bool
}

// UnmarshalJSON implements [json.Unmarshaler].
func (n *Number) UnmarshalJSON(b []byte) error {
	*n = ParseNumber(strings.Trim(string(b), `"`))
	return nil
}

// ParseNumber reads a number from text.
func ParseNumber(s string) Number {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return Number{}
	}
	return Number{f, true}
}

// Pointer returns nil if n is not valid.
func (n Number) Pointer() *float64 {
	if !n.Valid {
		return nil
	}
	return &n.Value
}

// Int returns the number cut to an int, 0 if n is not valid or out of range.
func (n Number) Int() int {
	if !n.Valid || math.Abs(n.Value) > 1<<53 {
		return 0
	}
	return int(n.Value)
}

// Strings is a list of strings that an ESP may also send as one string or
// null. Elements that are not strings are kept as their JSON text.
type Strings []string

// UnmarshalJSON implements [json.Unmarshaler].
func (list *Strings) UnmarshalJSON(b []byte) error {
	s := newSource(b)
	list.decode(&s, 0, len(b))
	return nil
}

func (list *Strings) decode(s *source, from, to int) {
	*list = nil
	if s.raw[from] != '[' {
		if one := s.loose(from, to); one != "" {
			*list = Strings{one}
		}
		return
	}
	for from, to, ok := element(s.raw, from); ok && len(*list) < maxElements; from, to, ok = element(s.raw, to) {
		*list = append(*list, s.loose(from, to))
	}
}

// Metadata is a JSON object that an ESP may also send as a string that holds
// one, or as null, "" or [] where there is none. Anything else is dropped (it
// is still in the event's Raw).
type Metadata anymail.Metadata

// UnmarshalJSON implements [json.Unmarshaler].
func (m *Metadata) UnmarshalJSON(b []byte) error {
	s := newSource(b)
	m.decode(&s, 0, len(b))
	return nil
}

func (m *Metadata) decode(s *source, from, to int) {
	*m = nil
	switch s.raw[from] {
	case '"':
		inner := []byte(strings.TrimSpace(s.string(from, to)))
		if jsontext.Value(inner).IsValid(lenient) && inner[0] == '{' {
			s := newSource(inner)
			m.decode(&s, 0, len(inner))
		}
	case '{':
		for place, ok := next(s.raw, from); ok && len(*m) < maxElements; place, ok = next(s.raw, place.valueEnd) {
			if *m == nil {
				*m = Metadata{}
			}
			(*m)[s.string(place.name, place.nameEnd)] = s.any(place.value, place.valueEnd)
		}
	}
}

// Event returns m as an event's metadata.
func (m Metadata) Event() anymail.Metadata { return anymail.Metadata(m) }

// Unix reads a time in seconds since 1970, with fractions, as a number or a
// string. What is no such time is the zero time.
type Unix struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (u *Unix) UnmarshalJSON(b []byte) error {
	u.Time = UnixTime(strings.Trim(string(b), `"`))
	return nil
}

// UnixTime reads seconds since 1970, with up to nine decimals, exactly. It
// returns the zero time for anything else and for 0.
func UnixTime(s string) time.Time {
	if strings.ContainsAny(s, "eE") { // 1.79e9, say
		if n := ParseNumber(s); n.Valid && math.Abs(n.Value) <= maxUnix {
			s = strconv.FormatInt(int64(n.Value), 10)
		}
	}
	whole, fraction, _ := strings.Cut(s, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || seconds <= 0 || seconds > maxUnix {
		return time.Time{}
	}
	var nanos int64
	if fraction != "" {
		nanos, err = strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
		if err != nil || nanos < 0 {
			return time.Time{}
		}
	}
	return time.Unix(seconds, nanos).UTC()
}

const maxUnix = 253402300799 // the end of the year 9999, after which there is no RFC 3339

// UnixMilli reads a time in milliseconds since 1970 as [Unix] reads seconds.
type UnixMilli struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (u *UnixMilli) UnmarshalJSON(b []byte) error {
	u.Time = time.Time{}
	if n := ParseNumber(strings.Trim(string(b), `"`)); n.Valid && n.Value > 0 && n.Value <= maxUnix*1000 {
		u.Time = time.UnixMilli(int64(n.Value)).UTC()
	}
	return nil
}

// Time reads a time in one of the layouts, in UTC unless it names a zone. It
// returns the zero time where none fits.
func Time(s string, layouts ...string) time.Time {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 0 && t.Year() < 10000 {
			return t.UTC()
		}
	}
	return time.Time{}
}

// RFC3339 is a time in that format; what is not is the zero time. A time
// without a zone is taken as UTC, a space may stand for the T.
type RFC3339 struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (r *RFC3339) UnmarshalJSON(b []byte) error {
	r.Time = Time(strings.Trim(string(b), `"`), time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999")
	return nil
}

// Addr reads an IP address; what is none is the zero Addr.
func Addr(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(strings.TrimSpace(s))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// TrimID takes the angle brackets off a message id.
func TrimID(id string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(id), "<"), ">")
}

// SMTP finds the reply code and the enhanced status code (RFC 3463) in what a
// receiving server answered, for example 550 and "5.1.1" in
// "550 5.1.1 no such user" or "smtp; 550-5.1.1 ...". It returns zero values
// where there are none.
func SMTP(response string) (code int, enhanced string) {
	for field := range strings.FieldsFuncSeq(response, func(r rune) bool {
		return r == ' ' || r == '-' || r == ';' || r == '\t' || r == '\n' || r == '\r' || r == '(' || r == ')' || r == '[' || r == ']' || r == ','
	}) {
		field = strings.TrimRight(field, ":")
		if code == 0 && len(field) == 3 && field[0] >= '2' && field[0] <= '5' && digits(field) {
			code = int(field[0]-'0')*100 + int(field[1]-'0')*10 + int(field[2]-'0')
			continue
		}
		if EnhancedCode(field) != "" {
			return code, field
		}
		if code == 0 && field != "smtp" && !strings.EqualFold(field, "smtp") {
			return 0, "" // codes stand at the beginning; further on a number is just a number
		}
		if code != 0 {
			return code, ""
		}
	}
	return code, ""
}

// EnhancedCode returns s if it is an enhanced status code of RFC 3463, such as
// "5.1.1", and otherwise "".
func EnhancedCode(s string) string {
	class, rest, _ := strings.Cut(s, ".")
	subject, detail, ok := strings.Cut(rest, ".")
	if !ok || len(class) != 1 || !strings.ContainsAny(class, "245") || !digits(subject) || !digits(detail) ||
		len(subject) > 3 || len(detail) > 3 {
		return ""
	}
	return s
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
