package inbound

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// decodeTransfer undoes a Content-Transfer-Encoding. What needs no decoding is
// returned as it is, without room to append to.
func decodeTransfer(encoding string, body []byte) []byte {
	switch firstToken(encoding) {
	case "base64":
		d := newBase64Decoder(len(body) - bytes.Count(body, []byte{'\n'}) - bytes.Count(body, []byte{'\r'}))
		d.write(body)
		return d.end()
	case "quoted-printable":
		return decodeQuotedPrintable(body)
	}
	return body[:len(body):len(body)]
}

// DecodeBase64 decodes s in the standard or the URL alphabet. It never fails:
// characters of neither are skipped, after padding the next text may follow,
// and where the end is cut off the rest is decoded as far as it goes.
func DecodeBase64(s string) []byte {
	d := newBase64Decoder(len(s) - strings.Count(s, "\n") - strings.Count(s, "\r"))
	var chunk [3 << 10]byte // a multiple of four, so that clean text stays in step
	for s != "" {
		n := copy(chunk[:], s)
		d.write(chunk[:n])
		s = s[n:]
	}
	return d.end()
}

// Base64 is content that stands in JSON as a string of base64, decoded as
// [DecodeBase64] does but without the string in between, which takes more memory
// than the content.
type Base64 []byte

// UnmarshalJSON implements [json.Unmarshaler].
func (content *Base64) UnmarshalJSON(b []byte) error {
	if len(b) < 2 || b[0] != '"' || bytes.IndexByte(b, '\\') >= 0 {
		var text string
		err := json.Unmarshal(b, &text)
		*content = DecodeBase64(text)
		return err
	}
	d := newBase64Decoder(len(b) - 2)
	d.write(b[1 : len(b)-1])
	*content = d.end()
	return nil
}

// base64Decoder appends to out what is written to it in base64.
type base64Decoder struct {
	out   []byte
	group [4]byte // of characters, six bits each
	n     int     // how many there are of it
}

// newBase64Decoder returns one with room for exactly what n characters decode
// to if none of them is junk.
func newBase64Decoder(n int) *base64Decoder {
	return &base64Decoder{out: make([]byte, 0, (n+3)/4*3)}
}

func (d *base64Decoder) write(b []byte) {
	for len(b) > 0 {
		line := b
		if end := bytes.IndexByte(b, '\n'); end >= 0 {
			line = b[:end+1]
		}
		b = b[len(line):]
		d.writeSlowly(line[d.writeFast(line):])
	}
}

// writeFast decodes whole groups at the start of a line and returns how long
// they are. It leaves to writeSlowly what is not plain base64.
func (d *base64Decoder) writeFast(line []byte) int {
	if d.n > 0 {
		return 0
	}
	n := len(line)
	for n > 0 && (line[n-1] == '\n' || line[n-1] == '\r') {
		n--
	}
	n &^= 3
	if n > 0 && line[n-1] == '=' {
		n -= 4
	}
	size := n / 4 * 3
	if n == 0 || cap(d.out)-len(d.out) < size {
		return 0
	}
	got, err := base64.StdEncoding.Decode(d.out[len(d.out):len(d.out)+size], line[:n])
	if err != nil || got != size {
		return 0
	}
	d.out = d.out[:len(d.out)+size]
	return n
}

func (d *base64Decoder) writeSlowly(b []byte) {
	for _, c := range b {
		six := base64Values[c]
		if six > 63 {
			if c == '=' {
				d.endGroup()
			}
			continue
		}
		d.group[d.n] = six
		if d.n++; d.n == len(d.group) {
			d.endGroup()
		}
	}
}

// endGroup decodes a group, which need not be full.
func (d *base64Decoder) endGroup() {
	switch g := d.group; d.n {
	case 2:
		d.out = append(d.out, g[0]<<2|g[1]>>4)
	case 3:
		d.out = append(d.out, g[0]<<2|g[1]>>4, g[1]<<4|g[2]>>2)
	case 4:
		d.out = append(d.out, g[0]<<2|g[1]>>4, g[1]<<4|g[2]>>2, g[2]<<6|g[3])
	}
	d.n = 0
}

// end returns what was decoded.
func (d *base64Decoder) end() []byte {
	d.endGroup()
	return fit(d.out)
}

// base64Values has the six bits of every character of the alphabets; 64 stands
// for the others.
var base64Values = func() (values [256]byte) {
	for i := range values {
		values[i] = 64
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		values[c] = byte(i)
	}
	values['-'], values['_'] = 62, 63
	return values
}()

// decodeQuotedPrintable never fails: what is no escape stays as it is.
func decodeQuotedPrintable(b []byte) []byte {
	// An escape is two bytes shorter when decoded, a soft line break somewhat
	// more, so that this is little more than what is needed.
	out := make([]byte, 0, max(0, len(b)-2*bytes.Count(b, []byte{'='})))
	for len(b) > 0 {
		line, next := lineAt(b, 0)
		end := b[len(line):next]
		b = b[next:]
		if trimmed := bytes.TrimRight(line, " \t"); len(end) > 0 || bytes.HasSuffix(trimmed, []byte{'='}) {
			line = trimmed // white space at the end of a line was added on the way
		}
		if soft, ok := bytes.CutSuffix(line, []byte{'='}); ok {
			line, end = soft, nil
		}
		for {
			i := bytes.IndexByte(line, '=')
			if i < 0 {
				break
			}
			out = append(out, line[:i]...)
			line = line[i:]
			if len(line) > 2 && isHex(line[1]) && isHex(line[2]) {
				out = append(out, unhex(line[1])<<4|unhex(line[2]))
				line = line[3:]
			} else {
				out = append(out, '=')
				line = line[1:]
			}
		}
		out = append(out, line...)
		out = append(out, end...)
	}
	return fit(out)
}

// fit returns b, or a copy where b would keep much more memory than it uses.
func fit(b []byte) []byte {
	if cap(b)-len(b) > len(b)/8+64 {
		return bytes.Clone(b)
	}
	return b
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// unhex returns the value of a hexadecimal digit.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
