package syntax_test

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/internal/inboundtest"
	"github.com/goanymail/anymail/inbound/internal/syntax"
)

func FuzzParseParams(f *testing.F) {
	for _, seed := range []string{
		"text/plain; charset=utf-8", `attachment; filename="a\"b\\c.txt"; filename*=utf-8''%C3%A9`, "a/b; x*1=b; x*0*=koi8-r'ru'%ED; x*=",
		`a/b; x="open; y=z`, "a/b x=y;;=;*=;**=*", "inline; filename=../../a.txt", "A/B; name==?utf-8?Q?=2E=2E?=",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		first, params := syntax.ParseParams(field)
		require.LessOrEqual(t, len(params), 100)
		size := len(first)
		for name, value := range params {
			require.NotContains(t, name, "*")
			size += len(value)
		}
		require.LessOrEqual(t, size, 3*len(field))
		a := inbound.NewAttachment(params["filename"], field, field, params["x"], nil)
		inboundtest.SafeFilename(t, a.Filename)
		inboundtest.SafeFilename(t, inbound.SafeFilename(field))
		require.Equal(t, inbound.SafeFilename(a.Filename), a.Filename, "a safe name stays unchanged")
		inboundtest.OneLine(t, a.ContentID)
		inboundtest.OneLine(t, a.ContentType)
	})
}

// FuzzBase64 compares the ways to decode base64 with the slowest one, byte by byte.
func FuzzBase64(f *testing.F) {
	for _, seed := range []string{"QUJD\r\nQUJD\r\nQQ==\r\n", "QQ==QUJD", "Q-_\nU*J D=", "\r\r\n\r", "QUJDQ"} {
		f.Add([]byte(seed), uint16(1000), uint16(7))
	}
	f.Fuzz(func(t *testing.T, b []byte, times, size uint16) {
		b = bytes.Repeat(b, 1+int(times)%2000)
		b = b[:min(len(b), 1<<20)]
		want := syntax.DecodeBase64Pieces(0, slices.Chunk(b, 1))
		require.True(t, bytes.Equal(want, syntax.DecodeBase64(b)))
		require.True(t, bytes.Equal(want, syntax.DecodeBase64String(string(b))))
		require.True(t, bytes.Equal(want, syntax.DecodeBase64Pieces(len(b), slices.Chunk(b, 1+int(size)))))
		read, err := io.ReadAll(syntax.Base64Reader(b))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, read))
		require.True(t, bytes.Equal(want, syntax.DecodeBase64InPlace(bytes.Clone(b))))
	})
}
