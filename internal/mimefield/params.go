package mimefield

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxParams is how many parameters of a field are read.
	maxParams = 100
	// MaxBytes is how much of a field that describes a part is read.
	MaxBytes = 32 << 10
)

// IsToken reports whether s is a token of RFC 2045.
func IsToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isTokenByte(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`()<>@,;:\"/[]?=`, c) < 0
}

// ParseParams reads a field such as Content-Type or Content-Disposition: a
// first word, which it returns in lower case, and parameters by their
// lower-case names. Parameters may be continued and encoded (RFC 2231); decode
// converts them from their charset. Encoded words are left to the caller.
//
// It tolerates a missing first word, spaces in unquoted values, missing
// semicolons, unclosed quotes, quotes within quotes, and repeated parameters, of
// which the first that is not empty counts.
func ParseParams(field string, decode func(value []byte, charset string) string) (first string, params map[string]string) {
	field = field[:min(len(field), MaxBytes)]
	first, rest := strings.TrimSpace(field), ""
	if i := strings.IndexAny(first, "; \t"); i >= 0 {
		first, rest = first[:i], first[i+1:]
	}
	if name, _, ok := strings.Cut(first, "="); ok && IsToken(name) {
		first, rest = "", field // the first word is missing
	}
	if strings.Trim(rest, "; \t") == "" {
		return strings.ToLower(first), nil
	}
	params = map[string]string{}
	var sections []section
	for range maxParams {
		var name, value string
		if name, value, rest = cutParam(rest); name == "" {
			break
		}
		if s, ok := newSection(name, value); ok {
			sections = append(sections, s)
		} else if params[name] == "" {
			params[name] = value
		}
	}
	joinSections(sections, params, decode)
	return strings.ToLower(first), params
}

// cutParam cuts the first parameter off s. The name is empty if there are none.
func cutParam(s string) (name, value, rest string) {
	for {
		s = strings.TrimLeft(s, "; \t")
		i := strings.IndexAny(s, "=;")
		if i < 0 {
			return "", "", ""
		}
		name, s = strings.ToLower(strings.TrimFunc(s[:i], isBlank)), s[i:]
		if s[0] == ';' || name == "" {
			s = s[1:]
			continue // a word without a value, or a value without a name
		}
		s = strings.TrimLeft(s[1:], " \t")
		if strings.HasPrefix(s, `"`) {
			value, rest = cutQuoted(s)
			if !startsParam(rest) {
				_, rest, _ = strings.Cut(rest, ";")
			}
			return name, value, rest
		}
		value, rest, _ = strings.Cut(s, ";")
		if next := missingSemicolon.FindStringIndex(value); next != nil {
			value, rest = s[:next[0]], s[next[0]:]
		}
		return name, strings.TrimSpace(value), rest
	}
}

// isBlank reports whether r is a space or a control character.
func isBlank(r rune) bool { return r <= ' ' || r == 0x7f }

// missingSemicolon finds the next parameter in a value without quotes.
var missingSemicolon = regexp.MustCompile(`(?i)[ \t](?:name|filename|charset|boundary|size|method|format)[*0-9]{0,4}=`)

// cutQuoted cuts the quoted string off s. A backslash is an escape only before a
// quote or another backslash, since some programs do not escape the backslashes
// in paths. Some programs do not escape quotes either: one that neither ends the
// parameter nor begins another is part of the value. If no quote ends it, the
// first one does, or the semicolon before the next parameter.
func cutQuoted(s string) (value, rest string) {
	var b strings.Builder
	firstQuote, firstLength := -1, 0 // the first quote, and the length of the value before it
	semicolon, before := -1, 0       // the last semicolon, and the length of the value before it
	next := -1                       // the first semicolon that a parameter follows
	nextLength := 0
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' && endsValue(s[i+1:]):
			if firstQuote >= 0 && next > firstQuote {
				return b.String()[:firstLength], s[firstQuote+1:]
			}
			return b.String(), s[i+1:]
		case c == '"' && semicolon >= 0 && isParamName(s[semicolon+1:i]):
			if firstQuote >= 0 {
				return b.String()[:firstLength], s[firstQuote+1:]
			}
			return b.String()[:before], s[semicolon:]
		case c == '"' && firstQuote < 0:
			firstQuote, firstLength = i, b.Len()
		case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
		case c == ';':
			semicolon, before = i, b.Len()
			if next < 0 && startsParam(s[i+1:min(len(s), i+100)]) {
				next, nextLength = i, b.Len()
			}
		}
		b.WriteByte(s[i])
	}
	switch {
	case firstQuote >= 0:
		return b.String()[:firstLength], s[firstQuote+1:]
	case next >= 0:
		return b.String()[:nextLength], s[next:]
	}
	return b.String(), ""
}

// endsValue reports whether what follows a quote shows that it ends a value.
func endsValue(after string) bool {
	trimmed := strings.TrimLeft(after, " \t")
	return trimmed == "" || trimmed[0] == ';' || len(trimmed) < len(after) && startsParam(trimmed)
}

// startsParam reports whether s starts with the name of a parameter and "=".
func startsParam(s string) bool {
	s = strings.TrimLeft(s, " \t")
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return i > 0 && s[i] == '='
		}
	}
	return false
}

// isParamName reports whether s is the name of a parameter and "=".
func isParamName(s string) bool {
	name, ok := strings.CutSuffix(strings.TrimSpace(s), "=")
	return ok && IsToken(strings.TrimSpace(name))
}

// section is one section of a continued or encoded parameter (RFC 2231).
type section struct {
	param   string
	number  int
	encoded bool
	value   string
}

// newSection reports whether name is that of a section: param*, param*0 or
// param*0*.
func newSection(name, value string) (section, bool) {
	param, star, ok := strings.Cut(name, "*")
	if !ok {
		return section{}, false
	}
	digits, encoded := strings.CutSuffix(star, "*")
	number, _ := strconv.Atoi(digits) // anything but a number comes first
	return section{param, number, encoded || star == "", value}, true
}

// joinSections adds the parameters that sections form to params. They replace
// the plain values that some programs add for older ones.
func joinSections(sections []section, params map[string]string, decode func([]byte, string) string) {
	slices.SortStableFunc(sections, func(a, b section) int {
		return cmp.Or(cmp.Compare(a.param, b.param), cmp.Compare(a.number, b.number))
	})
	for len(sections) > 0 {
		param, charset := sections[0].param, ""
		var value []byte
		for i := 0; len(sections) > 0 && sections[0].param == param; i++ {
			s := sections[0]
			for len(sections) > 0 && sections[0].param == param && sections[0].number == s.number {
				sections = sections[1:] // the first of several counts
			}
			switch fields := strings.SplitN(s.value, "'", 3); {
			case !s.encoded:
				value = append(value, s.value...)
			case i == 0 && len(fields) == 3: // charset, language, text
				charset = fields[0]
				value = appendPercentDecoded(value, fields[2])
			default:
				value = appendPercentDecoded(value, s.value)
			}
		}
		if text := decode(value, charset); text != "" || params[param] == "" {
			params[param] = text
		}
	}
}

// appendPercentDecoded decodes %XX. Any other % stays.
func appendPercentDecoded(out []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			if c, ok := HexByte(s[i+1:]); ok {
				out = append(out, c)
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return out
}

// HexByte returns the byte that two hexadecimal digits at the start of s encode.
func HexByte[T string | []byte](s T) (b byte, ok bool) {
	if len(s) < 2 || !isHex(s[0]) || !isHex(s[1]) {
		return 0, false
	}
	return unhex(s[0])<<4 | unhex(s[1]), true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
