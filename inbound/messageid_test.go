package inbound_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/inbound"
)

func TestMessageIDs(t *testing.T) {
	for in, want := range map[string][]string{
		"":                                nil,
		"<>":                              nil,
		"<a@example.org>":                 {"a@example.org"},
		" <a@x>\r\n\t<b@x><c@x>, <d@x>":   {"a@x", "b@x", "c@x", "d@x"},
		"a@x b@x":                         {"a@x", "b@x"},
		`Your mail of "Monday" <a@x> (b)`: {"a@x"},
		"<a@x\r\n .example.org>":          {"a@x.example.org"},
		"<a@x":                            {"a@x"},
		"<a@x <b@x>":                      {"a@x", "b@x"},
		"<\xe9@x>":                        {"é@x"},
	} {
		require.Equal(t, want, inbound.MessageIDs(in), "%q", in)
	}
	require.Len(t, inbound.MessageIDs(strings.Repeat("<a>", 1001)), 1000)
}
