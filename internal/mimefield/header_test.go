package mimefield_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/internal/mimefield"
)

func TestScanHeader(t *testing.T) {
	isDelimiter := func(line []byte) bool { return string(line) == "--b" }
	for _, tt := range []struct {
		text      string
		inMessage []string // names, values, and the body
		inPart    []string
	}{
		{"", []string{""}, []string{""}},
		{"A: 1\nB:2\n\nbody", []string{"A", " 1", "B", "2", "body"}, []string{"A", " 1", "B", "2", "body"}},
		{"A: 1\r\n 2\r\n\r\nbody", []string{"A", " 1\r\n 2", "body"}, []string{"A", " 1\r\n 2", "body"}},
		{"A : 1\nbody", []string{"A", " 1", "body"}, []string{"A", " 1", "body"}},
		{" A: 1\n\nbody", []string{"A", " 1", "body"}, []string{"A", " 1", "body"}},
		{" body\nA: 1", []string{" body\nA: 1"}, []string{" body\nA: 1"}},
		{"A: 1\n--b\n\nbody", []string{"A", " 1", "--b\n\nbody"}, []string{"A", " 1", "--b\n\nbody"}},
		{"A: 1\nstray\n\nbody", []string{"A", " 1", "stray\n\nbody"}, []string{"A", " 1", "body"}},
		{"A: 1\nstray\nB: 2\n\nbody", []string{"A", " 1", "B", " 2", "body"}, []string{"A", " 1", "B", " 2", "body"}},
		{"A: 1\none\ntwo\nthree\n\nbody", []string{"A", " 1", "one\ntwo\nthree\n\nbody"}, []string{"A", " 1", "one\ntwo\nthree\n\nbody"}},
		{"A: 1\nÄ: 2\n\nbody", []string{"A", " 1", "body"}, []string{"A", " 1", "body"}},
		{"Ä: 2\n\nbody", []string{"Ä: 2\n\nbody"}, []string{"Ä: 2\n\nbody"}},
		{"stray\nContent-Type: a/b\n\nbody", []string{"Content-Type", " a/b", "body"}, []string{"Content-Type", " a/b", "body"}},
		{"Content-Type: a/b;\nx=y\n\nbody", []string{"Content-Type", " a/b;\nx=y", "body"}, []string{"Content-Type", " a/b;\nx=y", "body"}},
	} {
		for _, part := range []bool{false, true} {
			var got []string
			delimiter, want := isDelimiter, tt.inPart
			if !part {
				delimiter, want = nil, tt.inMessage
			}
			body := mimefield.ScanHeader([]byte(tt.text), delimiter, func(name, value []byte) { got = append(got, string(name), string(value)) })
			require.Equal(t, want, append(got, tt.text[body:]), "%q in a part: %t", tt.text, part)
		}
	}
}
