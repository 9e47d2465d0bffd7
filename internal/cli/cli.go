// Package cli holds what the programs of this repository share: exit statuses,
// text that is safe on a terminal, new secrets.
package cli

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
	"unicode"
)

// ErrReported is an error that has been printed already.
var ErrReported = errors.New("failed")

// UsageError is a wrong command line or configuration.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }

func (e UsageError) Unwrap() error { return e.Err }

// Usagef returns a [UsageError].
func Usagef(format string, args ...any) error {
	return UsageError{fmt.Errorf(format, args...)}
}

// StatusError is an error with an exit status of its own.
type StatusError struct {
	Status int
	Err    error
}

func (e StatusError) Error() string { return e.Err.Error() }

func (e StatusError) Unwrap() error { return e.Err }

// ExitCode is 0 for nil, the status of a [StatusError], 2 for a [UsageError], and 1 for
// all other errors.
func ExitCode(err error) int {
	var usage UsageError
	var status StatusError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return status.Status
	case errors.As(err, &usage):
		return 2
	}
	return 1
}

// version is set by the linker in released programs (deploy/build.sh), which are
// built from a checkout.
var version string

// Version is the version of the program, or else of the main module, and of the Go
// toolchain.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return cmp.Or(version, info.Main.Version) + " " + info.GoVersion
}

// Duration is a positive d in its two largest units, such as 1h15m or 5m30s.
func Duration(d time.Duration) string {
	two := func(large, small time.Duration, l, s string) string {
		text := fmt.Sprintf("%d%s", d/large, l)
		if rest := d % large / small; rest > 0 {
			text += fmt.Sprintf("%d%s", rest, s)
		}
		return text
	}
	switch {
	case d >= time.Hour:
		return two(time.Hour, time.Minute, "h", "m")
	case d >= time.Minute:
		return two(time.Minute, time.Second, "m", "s")
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// Printable replaces the characters that could control a terminal: senders
// choose the text.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// NewSecret returns "anymail:password" with 130 random bits, in characters that
// need no escaping in a URL.
func NewSecret() string {
	return "anymail:" + strings.ToLower(rand.Text())
}
