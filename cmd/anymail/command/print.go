package command

import (
	"io"
	"os"
	"strconv"
	"strings"

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

// isTerminal reports whether file is a terminal: a character device other than
// the null device.
func isTerminal(file any) bool {
	f, ok := file.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// count returns "1 event", "1,234 events".
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return thousands(n) + " " + what
}

// thousands separates the thousands by commas.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
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
