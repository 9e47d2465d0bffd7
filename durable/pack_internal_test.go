package durable

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestPack(t *testing.T) {
	one := []byte(`{"kind":"tracking","esp":"example"}`)
	for name, events := range map[string][][]byte{
		"one event":   {one},
		"many events": bytes.Split(bytes.Repeat(append(one, '\n'), 63), []byte("\n"))[:63],
		"large event": {[]byte(`{"raw":"` + strings.Repeat("x", 1<<20) + `"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := unpack(pack(events))
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(events, got))
		})
	}
	many := bytes.Split(bytes.Repeat(append(one, '\n'), 64), []byte("\n"))
	require.Less(t, len(pack(many)), 10*len(one))
}

func TestUnpack(t *testing.T) {
	for name, test := range map[string]struct {
		row    []byte
		events int
	}{
		"not compressed":          {[]byte("{\"esp\":\"a\"}\n{\"esp\":\"b\"}"), 2},
		"removed":                 {nil, 0},
		"compressed, but cut off": {pack([][]byte{[]byte(`{"esp":"example"}`)})[:5], 0},
		"compressed, but empty":   {[]byte{packed}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := unpack(test.row)
			require.Len(t, events, test.events)
			require.Equal(t, test.events == 0, err != nil)
		})
	}
}
