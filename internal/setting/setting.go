// Package setting has the rules for the text of a configured value, whichever
// way it was configured.
package setting

import (
	"errors"
	"slices"
	"strings"
	"unicode"
)

var (
	errEmpty       = errors.New("must not be empty")
	errSpace       = errors.New("must not have white space around it")
	errInvisible   = errors.New("must not have control characters or invisible ones")
	errPlaceholder = errors.New(`must be a value: programs that fill in templates write this text for a missing one`)
)

// CheckText refuses a text that is empty or was damaged on its way into the
// configuration. The error does not quote it.
func CheckText(text string) error {
	if isPEM(text) {
		return nil
	}
	switch {
	case text == "":
		return errEmpty
	case strings.TrimSpace(text) != text:
		return errSpace
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }):
		return errInvisible
	}
	return nil
}

// placeholders are what YAML, Go's templates, Python and JavaScript write for a
// missing value. Anyone can guess them.
var placeholders = []string{"null", "Null", "NULL", "~", "nil", "<nil>", "<no value>", "%!s(<nil>)", "None", "undefined"}

// CheckSecret is CheckText for a key or a secret, which must not be what stands
// for a missing value.
func CheckSecret(text string) error {
	if slices.Contains(placeholders, text) {
		return errPlaceholder
	}
	return CheckText(text)
}

// isPEM reports whether a text is a PEM file, which has lines.
func isPEM(text string) bool { return strings.HasPrefix(strings.TrimSpace(text), "-----BEGIN ") }
