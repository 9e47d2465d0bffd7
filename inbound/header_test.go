package inbound_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
)

func TestDecodeHeader(t *testing.T) {
	for in, want := range map[string]string{
		"":                                             "",
		"plain text":                                   "plain text",
		"=?utf-8?Q?caf=C3=A9?=":                        "café",
		"=?UTF-8?q?a_b=5Fc?=":                          "a b_c",
		"=?utf-8?B?Y2Fmw6k=?=":                         "café",
		"=?utf-8*fr?Q?caf=c3=a9?= noir":                "café noir",
		"=?koi8-r?B?7cnS?=":                            "Мир",
		"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=":           "日本",
		"=?gb18030?Q?=C4=E3?=":                         "你",
		"=?iso-8859-1?Q?=E9?= =?utf-8?Q?=C3=A9?=":      "éé", // the space between words is dropped
		"=?utf-8?Q?a?=\r\n =?utf-8?Q?b?=":              "ab",
		"=?utf-8?Q?a?= and =?utf-8?Q?b?=":              "a and b",
		"=?utf-8?Q?=C3?= =?utf-8?Q?=A9?=":              "é", // split within a character
		"=?utf-8?B?ww==?= =?utf-8?B?qQ==?=":            "é",
		"=?utf-8?B?Y2F?= =?utf-8?B?mw6k=?=":            "café", // split within four characters
		"=?utf-8?Q?=C3?= =?utf-8?B?qQ==?=":             "é",
		"=?utf-8?Q?two words?=":                        "two words",
		"a=?utf-8?Q?=C3=A9?=b":                         "aéb",
		`"=?utf-8?Q?=C3=A9?=" <a@example.org>`:         `"é" <a@example.org>`,
		"=?x-unknown?Q?abc?=":                          "abc",
		"=?utf-8?Q?caf=E9?=":                           "café", // actually Latin-1
		"=?utf-8?B?Y2Fmw6k?=":                          "café", // without padding
		"=?utf-8?B?***?=!":                             "!",
		"=?utf-8?Q?100%=ZZ=?=":                         "100%=ZZ=",
		"=?utf-8?Q??=x":                                "x",
		"=?utf-8?X?abc?=":                              "=?utf-8?X?abc?=",
		"=??Q?abc?=":                                   "=??Q?abc?=",
		"=?utf-8?Q?never closed":                       "=?utf-8?Q?never closed",
		"=?utf-8?Q?lost =?utf-8?Q?found?=":             "=?utf-8?Q?lost found",
		"1 =? 2 ?= 3":                                  "1 =? 2 ?= 3",
		"=?utf-8?Q?a=0D=0ABcc:_b?=":                    "a  Bcc: b",
		"=?utf-8?Q?a=00=1B=E2=80=A8b?=":                "a   b",
		"a\r\nBcc: b":                                  "a  Bcc: b",
		"folded\r\n\tline":                             "folded\tline",
		"caf\xe9":                                      "café",
		"=?utf-8?Q?=3D=3Futf-8=3FQ=3Fa=3F=3D?=":        "=?utf-8?Q?a?=", // decoded once
		"=?utf-8?Q?=3D?= =?utf-8?Q?=3Futf-8=3FQ=3Fa?=": "=?utf-8?Q?a",
	} {
		require.Equal(t, want, inbound.DecodeHeader(in), "%q", in)
	}
}

func TestParseHeaders(t *testing.T) {
	want := anymail.Headers{
		{Name: "Received", Value: "one"},
		{Name: "Subject", Value: "é: folded twice"},
		{Name: "received", Value: "two"},
		{Name: "X-Empty"},
		{Name: "X-8-Bit", Value: "ü"},
	}
	const block = "Received: one\nSubject: =?utf-8?Q?=C3=A9?=: folded\n  twice\nreceived:two\nX-Empty: \nX-8-Bit : \xfc\n"
	want[1].Value = "é: folded  twice"
	for _, end := range []string{"\n", "\r\n", "\r"} {
		text := strings.ReplaceAll(block, "\n", end)
		require.Empty(t, cmp.Diff(want, inbound.ParseHeaders([]byte(text))), "%q", end)
		require.Empty(t, cmp.Diff(want, inbound.ParseHeaders([]byte(text+end+"Not: header"))), "%q", end)
		require.Empty(t, cmp.Diff(want, inbound.ParseHeaders([]byte(strings.TrimRight(text, "\r\n")))), "%q", end)
	}
	require.Empty(t, inbound.ParseHeaders(nil))
	require.Empty(t, inbound.ParseHeaders([]byte("no field here")))
	require.Empty(t, inbound.ParseHeaders([]byte(": value")))
	require.Empty(t, inbound.ParseHeaders([]byte("Na\xefme: value")))
}

// A decoded name stays one name.
func TestParseHeadersQuotes(t *testing.T) {
	for in, want := range map[string]string{
		"=?utf-8?Q?Ng=2C_Zo=C3=AB?= <z@example.org>":     `"Ng, Zoë" <z@example.org>`,
		`"=?utf-8?Q?Ng=2C_Zo=C3=AB?=" <z@example.org>`:   `"Ng, Zoë" <z@example.org>`,
		"=?utf-8?Q?=22Z=22?= <z@example.org>":            `"\"Z\"" <z@example.org>`,
		`"=?utf-8?Q?=22Z?=" <z@example.org>`:             `"\"Z" <z@example.org>`,
		"=?utf-8?Q?Zo=C3=AB?= Ng <z@example.org>":        "Zoë Ng <z@example.org>",
		`"a\"b" =?utf-8?Q?=2C?= <z@example.org>`:         `"a\"b" "," <z@example.org>`,
		"=?utf-8?Q?Zo=C3=AB=40example=2Eorg?= <z@e.org>": `"Zoë@example.org" <z@e.org>`,
	} {
		hs := inbound.ParseHeaders([]byte("Reply-To: " + in))
		require.Equal(t, want, hs.Get("Reply-To"))
		require.Equal(t, inbound.Addresses(in), inbound.Addresses(want), in)
	}
	hs := inbound.ParseHeaders([]byte("Subject: =?utf-8?Q?=2C=22?="))
	require.Equal(t, `,"`, hs.Get("Subject"), "quoted only in fields with addresses")
}

func TestSetHeaders(t *testing.T) {
	given := anymail.Headers{
		{Name: "from", Value: "=?utf-8?Q?Ng=2C_Zo=C3=AB?= <z@example.org>"},
		{Name: "TO", Value: "a@example.com"},
		{Name: "Subject", Value: "=?utf-8?Q?=C3=A9?="},
		{Name: "Message-Id", Value: "<m@example.org>"},
		{Name: "References", Value: "<a@example.org>"},
		{Name: "Date", Value: "5 Feb 2026 10:00:00 +0000"},
	}
	m := anymail.InboundMessage{To: []anymail.Address{{Address: "kept@example.com"}}, MessageID: "kept"}
	inbound.SetHeaders(&m, given)
	require.Equal(t, "=?utf-8?Q?=C3=A9?=", given[2].Value, "the argument is not changed")
	require.Equal(t, "é", m.Headers.Get("Subject"))
	require.Len(t, m.Headers, len(given))
	require.Equal(t, []anymail.Address{{Name: "Ng, Zoë", Address: "z@example.org"}}, m.From)
	require.Equal(t, []anymail.Address{{Address: "kept@example.com"}}, m.To)
	require.Equal(t, "kept", m.MessageID)
	require.Equal(t, "é", m.Subject)
	require.Equal(t, []string{"a@example.org"}, m.References)
	require.Equal(t, int64(1770285600), m.Date.Unix())

	inbound.SetHeaders(&m, nil)
	require.Empty(t, m.Headers)
	require.Equal(t, "é", m.Subject)
}
