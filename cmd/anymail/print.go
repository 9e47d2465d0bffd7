package main

import (
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// printable replaces what could steer a terminal; senders choose the text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// clipped is printable, on one line of so many characters at most.
func clipped(s string, most int) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' || r == '\t' }), " ")
	runes := []rune(printable(s))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most-1]) + "…"
}

// isTerminal says whether a writer is one.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colours marks text where that is wanted: on a terminal that is not a dumb one,
// unless NO_COLOR is set (https://no-color.org).
type colours bool

func coloursFor(w io.Writer) colours {
	return colours(isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb")
}

func (c colours) with(code, s string) string {
	if !c || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (c colours) good(s string) string   { return c.with("32", s) }
func (c colours) bad(s string) string    { return c.with("1;31", s) }
func (c colours) doubt(s string) string  { return c.with("33", s) }
func (c colours) faint(s string) string  { return c.with("2", s) }
func (c colours) strong(s string) string { return c.with("1", s) }
