package syntax

import (
	"bytes"
	"io"
)

// pieceSize is about how many bytes of an encoded text are decoded at a time.
const pieceSize = 32 << 10

// pieceReader decodes a text piece by piece. What decode returns is used until the next
// call.
type pieceReader struct {
	left   []byte
	lines  bool // a piece has whole lines, even if one is longer than a piece
	decode func(piece []byte, last bool) []byte
	out    []byte // decoded and not yet read
}

// LineReader returns a reader of what decode makes of some lines of a text at a time.
func LineReader(text []byte, decode func(lines []byte) []byte) io.Reader {
	return &pieceReader{left: text, lines: true, decode: func(piece []byte, _ bool) []byte { return decode(piece) }}
}

func (r *pieceReader) Read(b []byte) (int, error) {
	for len(r.out) == 0 {
		if len(r.left) == 0 {
			return 0, io.EOF
		}
		piece := r.left[:r.end()]
		r.left = r.left[len(piece):]
		r.out = r.decode(piece, len(r.left) == 0)
	}
	n := copy(b, r.out)
	r.out = r.out[n:]
	return n, nil
}

// end returns where the next piece ends: after a line, if possible.
func (r *pieceReader) end() int {
	if len(r.left) <= pieceSize {
		return len(r.left)
	}
	if i := bytes.LastIndexByte(r.left[:pieceSize], '\n'); i >= 0 {
		return i + 1
	}
	if !r.lines {
		return pieceSize
	}
	if i := bytes.IndexByte(r.left[pieceSize:], '\n'); i >= 0 {
		return pieceSize + i + 1
	}
	return len(r.left)
}
