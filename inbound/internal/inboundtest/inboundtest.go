// Package inboundtest has checks that the fuzz targets of several packages share.
package inboundtest

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// SafeFilename fails if name is neither empty nor the name of a file in the
// current directory.
func SafeFilename(t *testing.T, name string) {
	t.Helper()
	if name == "" {
		return
	}
	OneLine(t, name)
	require.True(t, filepath.IsLocal(name), "%q", name)
	require.Equal(t, name, filepath.Base(name))
	require.NotContains(t, name, `\`)
	require.NotContains(t, name, ":")
	require.NotEqual(t, ".", name)
	require.LessOrEqual(t, len(name), 255)
}

// OneLine fails if s is not valid UTF-8 or has control characters.
func OneLine(t *testing.T, s string) {
	t.Helper()
	require.True(t, utf8.ValidString(s), "%q", s)
	require.Equal(t, -1, strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }), "%q", s)
}

// Readable fails if an address is empty, or it or its name is not one line.
func Readable(t *testing.T, list []anymail.Address) {
	t.Helper()
	for _, a := range list {
		OneLine(t, a.Name)
		OneLine(t, a.Address)
		require.NotEmpty(t, a.Address)
	}
}
