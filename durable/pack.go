package durable

import (
	"bytes"
	"errors"

	"github.com/klauspost/compress/s2"
)

// packed begins a row of anymail_batch that is compressed. Rows of earlier versions
// are not: they begin with the "{" of an event.
const packed = 0

// pack joins the JSON of events, which has no newlines, and compresses it. Events of
// one ESP are much alike: a row of many is a fraction of their size.
func pack(events [][]byte) []byte {
	lines := bytes.Join(events, []byte("\n"))
	row := make([]byte, 1+s2.MaxEncodedLen(len(lines)))
	row[0] = packed
	return row[:1+len(s2.Encode(row[1:], lines))]
}

// unpack returns what was packed.
func unpack(row []byte) ([][]byte, error) {
	if len(row) == 0 {
		return nil, errors.New("the events are gone")
	}
	if row[0] == packed {
		lines, err := s2.Decode(nil, row[1:])
		if err != nil {
			return nil, err
		}
		row = lines
	}
	return bytes.Split(row, []byte("\n")), nil
}
