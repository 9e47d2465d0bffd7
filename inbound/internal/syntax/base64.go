package syntax

import (
	"bytes"
	"encoding/base64"
	"io"
	"iter"
	"strings"
)

// DecodeBase64 decodes b in the standard or the URL alphabet. It skips other
// characters, continues after padding, and decodes a truncated end as far as
// possible.
func DecodeBase64(b []byte) []byte {
	d := newBase64Lines(len(b) - bytes.Count(b, []byte{'\n'}) - bytes.Count(b, []byte{'\r'}))
	d.write(b)
	return Fit(d.end())
}

// DecodeBase64InPlace is [DecodeBase64] in the memory of b.
func DecodeBase64InPlace(b []byte) []byte {
	d := &base64Lines{base64Decoder: base64Decoder{out: b[:0]}}
	d.write(b)
	out := d.end()
	return out[:len(out):len(out)]
}

// DecodeBase64Pieces is [DecodeBase64] for base64 in pieces of at most n bytes in all.
func DecodeBase64Pieces(n int, pieces iter.Seq[[]byte]) []byte {
	d := newBase64Lines(n)
	for piece := range pieces {
		d.write(piece)
	}
	return Fit(d.end())
}

// Base64Reader returns a reader of what [DecodeBase64] returns. It decodes b piece by
// piece.
func Base64Reader(b []byte) io.Reader {
	d := newBase64Lines(pieceSize)
	return &pieceReader{left: b, decode: func(piece []byte, last bool) []byte {
		d.out = d.out[:0]
		d.write(piece)
		if last {
			return d.end()
		}
		d.flush()
		return d.out
	}}
}

// DecodeBase64String is [DecodeBase64] for a string, which it does not copy.
func DecodeBase64String(s string) []byte {
	d := newBase64Lines(len(s) - strings.Count(s, "\n") - strings.Count(s, "\r"))
	var chunk [3 << 10]byte
	for s != "" {
		n := copy(chunk[:], s)
		d.write(chunk[:n])
		s = s[n:]
	}
	return Fit(d.end())
}

// base64Lines joins the lines that are written to it before it decodes them, since a
// long text takes less time than many short ones. It reads ahead of what it writes, so
// that out may be the start of what is written to it.
type base64Lines struct {
	base64Decoder
	joined [3 << 10]byte
	length int // of joined
}

// newBase64Lines returns a decoder with room for exactly what n characters of base64
// encode.
func newBase64Lines(n int) *base64Lines {
	return &base64Lines{base64Decoder: base64Decoder{out: make([]byte, 0, (n+3)/4*3)}}
}

func (l *base64Lines) write(b []byte) {
	for len(b) > 0 {
		line, next := b, len(b)
		if end := bytes.IndexByte(b, '\n'); end >= 0 {
			line, next = b[:end], end+1
		}
		line = bytes.TrimSuffix(line, []byte{'\r'})
		for len(line) > 0 {
			n := copy(l.joined[l.length:], line)
			line = line[n:]
			if l.length += n; l.length == len(l.joined) {
				l.flush()
			}
		}
		b = b[next:]
	}
}

// flush decodes the joined lines.
func (l *base64Lines) flush() {
	l.base64Decoder.write(l.joined[:l.length])
	l.length = 0
}

// end returns the decoded bytes.
func (l *base64Lines) end() []byte {
	l.flush()
	l.endQuantum()
	return l.out
}

// base64Decoder appends to out what the base64 that is written to it encodes.
type base64Decoder struct {
	out     []byte
	quantum [4]byte // of characters, six bits each
	n       int     // how many characters the quantum has
}

func (d *base64Decoder) write(b []byte) {
	for len(b) > 0 && d.n > 0 { // to the end of the quantum
		d.writeSlow(b[:1])
		b = b[1:]
	}
	d.writeSlow(b[d.writeFast(b):])
}

// writeFast decodes whole quanta at the start of b and returns their length. It leaves
// anything but plain base64 to writeSlow.
func (d *base64Decoder) writeFast(b []byte) int {
	n := len(b) &^ 3
	if n > 0 && b[n-1] == '=' {
		n -= 4
	}
	size := n / 4 * 3
	if n == 0 || cap(d.out)-len(d.out) < size {
		return 0
	}
	got, err := base64.StdEncoding.Decode(d.out[len(d.out):len(d.out)+size], b[:n])
	if err != nil || got != size {
		return 0
	}
	d.out = d.out[:len(d.out)+size]
	return n
}

func (d *base64Decoder) writeSlow(b []byte) {
	for _, c := range b {
		six := base64Values[c]
		if six > 63 {
			if c == '=' {
				d.endQuantum()
			}
			continue
		}
		d.quantum[d.n] = six
		if d.n++; d.n == len(d.quantum) {
			d.endQuantum()
		}
	}
}

// endQuantum decodes the current quantum, full or not.
func (d *base64Decoder) endQuantum() {
	switch q := d.quantum; d.n {
	case 2:
		d.out = append(d.out, q[0]<<2|q[1]>>4)
	case 3:
		d.out = append(d.out, q[0]<<2|q[1]>>4, q[1]<<4|q[2]>>2)
	case 4:
		d.out = append(d.out, q[0]<<2|q[1]>>4, q[1]<<4|q[2]>>2, q[2]<<6|q[3])
	}
	d.n = 0
}

// base64Values maps every character of both alphabets to its six bits, and all
// others to 64.
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

// Fit returns b, or a copy if b occupies much more memory than it uses.
func Fit(b []byte) []byte {
	if cap(b)-len(b) > len(b)/8+64 {
		return bytes.Clone(b)
	}
	return b
}
