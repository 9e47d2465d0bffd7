package capture

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	requestLine  = regexp.MustCompile(`^([A-Za-z]{1,20}) +(\S+ +HTTP/[0-9.]+|/\S*|https?://\S+) *$`)
	responseLine = regexp.MustCompile(`^HTTP/[0-9.]+ +[0-9]{3}`)
	headerLine   = regexp.MustCompile("^(:?[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:(.*)$")
)

// readHTTP reads HTTP text. Lines may end in LF, the request line may be missing,
// and the lengths may be wrong.
func readHTTP(b []byte) (*Request, error) {
	r := &Request{Form: "HTTP", Header: http.Header{}}
	target := ""
	line, rest := cutLine(b)
	switch m := requestLine.FindStringSubmatch(line); {
	case m != nil:
		r.Method = m[1]
		target, _, _ = strings.Cut(m[2], " ")
		b = rest
	case responseLine.MatchString(line):
		return nil, fmt.Errorf("%w: it is a response", ErrUnknown)
	case !headerLine.MatchString(line):
		return nil, ErrUnknown
	case line[0] != ':': // HTTP/2 has fields instead
		r.note("there is no request line: a POST is assumed")
	}
	name, n := "", 0
headers:
	for len(b) > 0 {
		line, rest = cutLine(b)
		if line == "" {
			b = rest
			break
		}
		if n++; n > maxHeaders {
			return nil, fmt.Errorf("more than %d header fields", maxHeaders)
		}
		m := headerLine.FindStringSubmatch(line)
		switch values := r.Header[http.CanonicalHeaderKey(name)]; {
		case m != nil:
			name = m[1]
			r.add(&target, name, strings.TrimSpace(m[2]))
		case strings.TrimLeft(line, " \t") != line && len(values) > 0: // a folded line
			values[len(values)-1] += " " + strings.TrimSpace(line)
		case line[0] == '{' || line[0] == '[':
			r.note("there is no empty line between headers and body")
			break headers
		default:
			return nil, fmt.Errorf("line %d of the headers is invalid", n)
		}
		b = rest
	}
	r.URL = absolute(target, r.Header)
	r.body(b)
	return r, nil
}

// add adds a header field, or a field that HTTP/2 has instead of the request line.
func (r *Request) add(target *string, name, value string) {
	switch strings.ToLower(name) {
	case ":method":
		r.Method = value
	case ":path":
		*target = value
	case ":authority":
		r.Header.Set("Host", value)
	case ":scheme":
		r.Header.Set("X-Forwarded-Proto", value)
	default:
		if !strings.HasPrefix(name, ":") {
			r.Header.Add(name, value)
		}
	}
}

// cutLine returns the first line without its end, and what follows it.
func cutLine(b []byte) (line string, rest []byte) {
	text, rest, _ := bytes.Cut(b, []byte("\n"))
	return string(bytes.TrimSuffix(text, []byte("\r"))), rest
}

// body sets the body to what follows the headers, as far as they agree.
func (r *Request) body(b []byte) {
	r.Body = b
	if slices.ContainsFunc(r.Header.Values("Transfer-Encoding"), func(v string) bool { return strings.EqualFold(strings.TrimSpace(v), "chunked") }) {
		r.Header.Del("Transfer-Encoding")
		if whole, ok := unchunk(b); ok {
			r.Body = whole
		} else {
			r.note("the headers say chunked, but the body was captured without chunks")
		}
		return
	}
	declared, err := strconv.Atoi(r.Header.Get("Content-Length"))
	if err != nil || declared < 0 || declared == len(b) {
		return
	}
	if declared < len(b) && len(bytes.Trim(b[declared:], "\r\n")) == 0 {
		r.Body = b[:declared] // an editor added the line end
		return
	}
	r.changed("Content-Length is %d, but the body was captured with %d bytes: it is not the one that was sent", declared, len(b))
}

// unchunk decodes a chunked body, whose lines may end in LF.
func unchunk(b []byte) (whole []byte, ok bool) {
	whole = make([]byte, 0, len(b))
	for {
		line, rest := cutLine(b)
		digits, _, _ := strings.Cut(line, ";")
		size, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 31)
		if err != nil || size > uint64(len(rest)) {
			return nil, false
		}
		if size == 0 {
			return whole, true
		}
		whole = append(whole, rest[:size]...)
		if line, b = cutLine(rest[size:]); line != "" {
			return nil, false
		}
	}
}
