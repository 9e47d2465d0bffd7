package syntax

import (
	"strings"

	"github.com/goanymail/anymail/internal/mimefield"
)

// MediaType returns the media type of a Content-Type field in lower case, or ""
// if it has none, and the parameters.
func MediaType(field string) (string, map[string]string) {
	value, params := ParseParams(field)
	value = strings.Trim(value, `"',`)
	if main, sub, ok := strings.Cut(value, "/"); !ok || !mimefield.IsToken(main) || !mimefield.IsToken(sub) {
		value = ""
	}
	return value, params
}

// Disposition returns the first word of a Content-Disposition field in lower
// case, or "" if it is not a token.
func Disposition(field string) string {
	if word := FirstToken(field); mimefield.IsToken(word) {
		return word
	}
	return ""
}

// ParseParams is [mimefield.ParseParams] with all charsets.
func ParseParams(field string) (first string, params map[string]string) {
	return mimefield.ParseParams(field, DecodeText)
}
