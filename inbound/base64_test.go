package inbound_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

func TestDecodeBase64(t *testing.T) {
	for in, want := range map[string]string{
		"":                                    "",
		"aGVsbG8=":                            "hello",
		"aGVsbG8":                             "hello",
		"aGVs\r\nbG8=\r\n":                    "hello",
		"aG Vs!\nb*G8=":                       "hello",
		"aGVsbG8=IHlvdQ==":                    "hello you", // concatenated
		"aGVsbA==\nbw==\nIHlvdQ":              "hello you",
		"aGVsbG8gd":                           "hello ", // six bits are not a byte
		"====":                                "",
		"!!!":                                 "",
		"_-8=":                                "\xff\xef",
		"/+8=":                                "\xff\xef",
		"data:;base64,":                       "u\xabZm\xab\x1e\xeb", // "database64"
		strings.Repeat("QUJD", 2000) + "QQ==": strings.Repeat("ABC", 2000) + "A",
		strings.Repeat("Q\nUJD", 2000):        strings.Repeat("ABC", 2000),
	} {
		require.Equal(t, want, string(inbound.DecodeBase64(in)), "%q", in)
	}
}

func TestDecodeBase64Size(t *testing.T) {
	for _, in := range []string{
		strings.Repeat("QUJD", 100_000),
		strings.Repeat(strings.Repeat("QUJD", 19)+"\r\n", 5000),
		strings.Repeat("QUI=\n", 100_000),
		strings.Repeat("!", 400_000) + "QUJD",
	} {
		out := inbound.DecodeBase64(in)
		require.LessOrEqual(t, cap(out), len(out)+len(out)/4+1024, "content must not occupy much more memory than it uses")
	}
}

func TestBase64(t *testing.T) {
	for in, want := range map[string]string{
		`"Z3LDvMOfZQ=="`:       "grüße",
		`"Z3LD\nvMOf\r\nZQ=="`: "grüße",
		`"_\/8="`:              "\xff\xff",
		`""`:                   "",
		`null`:                 "",
	} {
		content := inbound.Base64("before")
		require.NoError(t, json.Unmarshal([]byte(in), &content), in)
		require.Equal(t, want, string(content), in)
	}
	require.Error(t, json.Unmarshal([]byte(`[1]`), new(inbound.Base64)))
}

func TestDecodeBase64Source(t *testing.T) {
	for text, want := range map[string]string{
		`"Z3LD\nvMOf\r\nZQ=="`: "grüße",
		`"_\/8=\u0051Q=="`:     "\xff\xffA",
		`""`:                   "",
		`null`:                 "",
	} {
		var source wire.Source
		require.NoError(t, json.Unmarshal([]byte(text), &source), text)
		require.Equal(t, want, string(inbound.DecodeBase64Source(source, &anymail.Payload{})), text)
		require.Equal(t, want, string(inbound.DecodeBase64Source(source, nil)), text)
	}
	require.Equal(t, "grüße", string(inbound.DecodeBase64Field([]byte("Z3LDvMOfZQ=="), &anymail.Payload{})))
}
