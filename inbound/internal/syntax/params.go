package syntax

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxParams is how many parameters of a field are read.
	maxParams = 100
	// MaxFieldBytes is how much of a field that describes a part is read.
	MaxFieldBytes = 32 << 10
)

// MediaType returns the media type of a Content-Type field in lower case, or ""
// if it has none, and the parameters.
func MediaType(field string) (string, map[string]string) {
	value, params := ParseParams(field)
	if main, sub, ok := strings.Cut(value, "/"); !ok || !isToken(main) || !isToken(sub) {
		value = ""
	}
	return value, params
}

// isToken reports whether s is a token of RFC 2045.
func isToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}

// ParseParams reads a field such as Content-Type or Content-Disposition: a
// first word, which it returns in lower case, and parameters by their
// lower-case names. Parameters may be continued and encoded (RFC 2231), in any
// charset; encoded words are left to the caller. It tolerates spaces in
// unquoted values, unclosed quotes, a missing semicolon after the first word,
// and repeated parameters, of which the first counts.
func ParseParams(field string) (first string, params map[string]string) {
	field = field[:min(len(field), MaxFieldBytes)]
	first, rest := strings.TrimSpace(field), ""
	if i := strings.IndexAny(first, "; \t"); i >= 0 {
		first, rest = first[:i], first[i+1:]
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
		} else if _, repeated := params[name]; !repeated {
			params[name] = value
		}
	}
	joinSections(sections, params)
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
		name, s = strings.ToLower(strings.TrimSpace(s[:i])), s[i:]
		if s[0] == ';' || name == "" {
			s = s[1:]
			continue // a word without a value, or a value without a name
		}
		s = strings.TrimLeft(s[1:], " \t")
		if strings.HasPrefix(s, `"`) {
			value, s = cutQuoted(s)
			_, rest, _ = strings.Cut(s, ";")
			return name, value, rest
		}
		value, rest, _ = strings.Cut(s, ";")
		return name, strings.TrimSpace(value), rest
	}
}

// cutQuoted cuts the quoted string off s. A backslash is an escape only before a
// quote or another backslash, since some programs do not escape the backslashes
// in paths.
func cutQuoted(s string) (value, rest string) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:]
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
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
func joinSections(sections []section, params map[string]string) {
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
		params[param] = DecodeText(value, charset)
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
