package main

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/goanymail/anymail/internal/cli"
)

// clipped returns printable text on one line, cut to a number of characters.
func clipped(s string, most int) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' || r == '\t' }), " ")
	runes := []rune(cli.Printable(s))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most-1]) + "…"
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colours colours text. It is false if w is not a terminal or a dumb one, or if
// NO_COLOR is set (https://no-color.org).
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
