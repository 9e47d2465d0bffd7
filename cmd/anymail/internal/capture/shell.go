package capture

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	errQuoting   = errors.New("the curl command is not well quoted")
	errExpansion = errors.New("the curl command contains a variable or another command: replace it by its value")
)

// shellWords splits the first simple command of a bash script into words. It
// removes quoting and redirections; it expands nothing and runs nothing.
func shellWords(script []byte) ([]string, error) {
	var (
		words    []string
		word     []byte
		inWord   bool
		redirect bool // the next word is the target of a redirection
	)
	end := func() {
		if inWord && !redirect {
			words = append(words, string(word))
		}
		redirect = redirect && !inWord
		word, inWord = nil, false
	}
	for i := 0; i < len(script); {
		rest := script[i:]
		switch c := rest[0]; {
		case bytes.HasPrefix(rest, []byte("\\\n")): // the line continues
			i += 2
		case c == ' ' || c == '\t':
			end()
			i++
		case c == '>' || c == '<' || bytes.HasPrefix(rest, []byte("&>")):
			if len(rest) > 1 && rest[1] == '(' {
				return nil, errExpansion
			}
			if inWord && len(bytes.Trim(word, "0123456789")) == 0 { // "2>"
				word, inWord = nil, false
			}
			end()
			redirect = true
			i += len(rest) - len(bytes.TrimLeft(rest, "<>&|"))
		case strings.IndexByte("\n;|&", c) >= 0, c == '#' && !inWord:
			end()
			return words, nil
		case c == '(' || c == ')':
			return nil, errQuoting
		default:
			text, n, err := unquote(rest)
			if err != nil {
				return nil, err
			}
			word, inWord = append(word, text...), true
			i += n
		}
	}
	end()
	return words, nil
}

// unquote returns the text of the character or quotation at the start of s, and
// the number of bytes that it takes there.
func unquote(s []byte) (text []byte, n int, err error) {
	switch {
	case s[0] == '\\' && len(s) > 1:
		return s[1:2], 2, nil
	case s[0] == '\'':
		i := bytes.IndexByte(s[1:], '\'')
		if i < 0 {
			return nil, 0, errQuoting
		}
		return s[1 : 1+i], i + 2, nil
	case s[0] == '"':
		return doubleQuoted(s)
	case bytes.HasPrefix(s, []byte(`$"`)): // translated by the locale
		text, n, err = doubleQuoted(s[1:])
		return text, n + 1, err
	case bytes.HasPrefix(s, []byte("$'")):
		return ansiQuoted(s)
	case expands(s):
		return nil, 0, errExpansion
	}
	return s[:1], 1, nil
}

// expands reports whether an expansion is at the start of s.
func expands(s []byte) bool {
	if s[0] == '`' {
		return true
	}
	if s[0] != '$' || len(s) < 2 {
		return false
	}
	c := s[1]
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || strings.IndexByte("{([@*#?$!-", c) >= 0
}

// doubleQuoted reads text in double quotes.
func doubleQuoted(s []byte) (text []byte, n int, err error) {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return text, i + 1, nil
		case s[i] == '\\' && i+1 < len(s) && strings.IndexByte("$`\"\\\n", s[i+1]) >= 0:
			if i++; s[i] != '\n' {
				text = append(text, s[i])
			}
		case expands(s[i:]):
			return nil, 0, errExpansion
		default:
			text = append(text, s[i])
		}
	}
	return nil, 0, errQuoting
}

// escapes are the escape sequences of one letter in $'...'.
var escapes = map[byte]byte{
	'a': '\a', 'b': '\b', 'e': 0x1b, 'E': 0x1b, 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v',
	'\\': '\\', '\'': '\'', '"': '"', '?': '?',
}

// ansiQuoted reads text in $'...', which has the escape sequences of C. An
// unknown one remains as it is.
func ansiQuoted(s []byte) (text []byte, n int, err error) {
	for i := 2; i < len(s); {
		switch {
		case s[i] == '\'':
			return text, i + 1, nil
		case s[i] != '\\' || i+1 == len(s):
			text = append(text, s[i])
			i++
		default:
			if c, ok := escapes[s[i+1]]; ok {
				text = append(text, c)
				i += 2
				continue
			}
			value, size := numericEscape(s[i:])
			text = append(text, value...)
			i += size
		}
	}
	return nil, 0, errQuoting
}

// numericEscape returns the text of \101, \x41, \u0041 or \U00000041 at the
// start of s and its size, or the backslash alone if there is none of these.
func numericEscape(s []byte) (text []byte, size int) {
	prefix, base := 2, 16
	var most int
	switch s[1] {
	case 'x':
		most = 2
	case 'u':
		most = 4
	case 'U':
		most = 8
	default:
		prefix, most, base = 1, 3, 8
	}
	end := prefix
	for end < len(s) && end < prefix+most {
		if _, err := strconv.ParseUint(string(s[end]), base, 8); err != nil {
			break
		}
		end++
	}
	value, err := strconv.ParseUint(string(s[prefix:end]), base, 32)
	if err != nil { // no digits
		return s[:1], 1
	}
	if s[1] == 'u' || s[1] == 'U' {
		return utf8.AppendRune(nil, rune(value)), end //nolint:gosec // AppendRune replaces what is not a character
	}
	return []byte{byte(value)}, end //nolint:gosec // bash takes the low eight bits, too
}
