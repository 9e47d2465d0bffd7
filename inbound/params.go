package inbound

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// maxParams is how many parameters of a field are read.
const maxParams = 100

// mediaType returns the media type of a Content-Type field in lower case, or ""
// where there is none in it, and the parameters.
func mediaType(field string) (string, map[string]string) {
	value, params := parseParams(field)
	if main, sub, ok := strings.Cut(value, "/"); !ok || !isToken(main) || !isToken(sub) {
		value = ""
	}
	return value, params
}

// isToken tells whether s is a token of RFC 2045.
func isToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}

// firstToken returns the first word of s in lower case, without quotes.
func firstToken(s string) string {
	s = strings.TrimLeft(s, " \t\"'")
	if i := strings.IndexAny(s, " \t\"';,("); i >= 0 {
		s = s[:i]
	}
	return strings.ToLower(s)
}

// parseParams reads a field such as Content-Type or Content-Disposition: a
// first word, which it returns in lower case, and parameters, by their names in
// lower case. Parameters may be split and encoded as in RFC 2231, in any
// charset; encoded words are left to the caller. Whatever is wrong is read as
// far as it can be: blanks in values without quotes, quotes that are never
// closed, repeated parameters (the first one counts), a missing semicolon after
// the first word.
func parseParams(field string) (first string, params map[string]string) {
	field = field[:min(len(field), maxFieldBytes)]
	first, rest := strings.TrimSpace(field), ""
	if i := strings.IndexAny(first, "; \t"); i >= 0 {
		first, rest = first[:i], first[i+1:]
	}
	if strings.Trim(rest, "; \t") == "" {
		return strings.ToLower(first), nil
	}
	params = map[string]string{}
	var pieces []piece
	for range maxParams {
		var name, value string
		if name, value, rest = cutParam(rest); name == "" {
			break
		}
		if p, ok := newPiece(name, value); ok {
			pieces = append(pieces, p)
		} else if _, repeated := params[name]; !repeated {
			params[name] = value
		}
	}
	joinPieces(pieces, params)
	return strings.ToLower(first), params
}

// cutParam cuts the first parameter off s. The name is empty where there is
// none any more.
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

// cutQuoted cuts the quoted string off s. A backslash counts as an escape only
// before a quote and another backslash, since some programs do not escape the
// ones in paths.
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

// piece is one of the pieces that a parameter comes in after RFC 2231.
type piece struct {
	param   string
	number  int
	encoded bool
	value   string
}

// newPiece tells whether name is that of a piece: param*, param*0 or param*0*.
func newPiece(name, value string) (piece, bool) {
	param, star, ok := strings.Cut(name, "*")
	if !ok {
		return piece{}, false
	}
	digits, encoded := strings.CutSuffix(star, "*")
	number, _ := strconv.Atoi(digits) // what is no number comes first
	return piece{param, number, encoded || star == "", value}, true
}

// joinPieces puts pieces together into params, over what stands there
// unencoded for older programs.
func joinPieces(pieces []piece, params map[string]string) {
	slices.SortStableFunc(pieces, func(a, b piece) int {
		return cmp.Or(cmp.Compare(a.param, b.param), cmp.Compare(a.number, b.number))
	})
	for len(pieces) > 0 {
		param, charset := pieces[0].param, ""
		var value []byte
		for i := 0; len(pieces) > 0 && pieces[0].param == param; i++ {
			p := pieces[0]
			for len(pieces) > 0 && pieces[0].param == param && pieces[0].number == p.number {
				pieces = pieces[1:] // the first of several counts
			}
			switch parts := strings.SplitN(p.value, "'", 3); {
			case !p.encoded:
				value = append(value, p.value...)
			case i == 0 && len(parts) == 3:
				charset = parts[0]
				value = appendPercent(value, parts[2])
			default:
				value = appendPercent(value, p.value)
			}
		}
		params[param] = DecodeText(value, charset)
	}
}

// appendPercent decodes %XX; a % before anything else stays.
func appendPercent(out []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			out = append(out, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return out
}
