package inbound_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/internal/inboundtest"
)

func FuzzAddresses(f *testing.F) {
	for _, seed := range []string{
		"a@example.org", `"Lee, Ann" <a@example.org>, b@example.org (Bob)`, "G: a@x, B <b@x>;", "=?utf-8?Q?Ng,_J?= <j@x>",
		`"open <a@x>, b@x`, "Ann (open <a@x>", "<@r:a@x>", "=?utf-8?B?QW5uIDxhQGV4YW1wbGUub3JnPg==?=", "a <b <c@x>>", "mailto:a@x;\xff", "<: a <b: c>, <d:", `"A "b, c" d" <e @ f . g> h@i j@k`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		got := inbound.Addresses(list)
		require.LessOrEqual(t, len(got), strings.Count(list, "@")+strings.Count(inbound.DecodeHeader(list), "@"))
		inboundtest.Readable(t, got)
		inboundtest.Readable(t, inbound.Addresses(inbound.ParseHeaders([]byte("To: "+list)).Get("To")))
		for _, id := range inbound.MessageIDs(list) {
			inboundtest.OneLine(t, id)
			require.NotEmpty(t, id)
		}
		date := inbound.Date(list)
		_, err := date.MarshalJSON()
		require.NoError(t, err)
		require.True(t, date.IsZero() || date.Year() >= 1900)
	})
}

func FuzzDecodeHeader(f *testing.F) {
	for _, seed := range []string{
		"plain", "=?utf-8?Q?caf=C3=A9_?= =?utf-8?B?Y2Fmw6k=?=", "=?koi8-r?B?7cnS?= =?gbk?Q?=C4=E3?=", "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=",
		"=?utf-8?Q?open", "=?=?=?= =?u?q?=0D=0A?=", "a\r\n b\rc\xe9", `"=?utf-8?Q?=22?=" x`, "=?utf-16?B?//5BAA==?=",
	} {
		f.Add(seed, "gbk")
	}
	f.Fuzz(func(t *testing.T, s, charset string) {
		inboundtest.OneLine(t, inbound.DecodeHeader(s))
		for _, h := range inbound.ParseHeaders([]byte(s)) {
			inboundtest.OneLine(t, h.Name)
			inboundtest.OneLine(t, h.Value)
		}
		text := inbound.DecodeText([]byte(s), charset)
		require.True(t, utf8.ValidString(text))
		require.LessOrEqual(t, len(text), 3*len(s))
		require.LessOrEqual(t, len(inbound.DecodeBase64(s)), len(s)/4*3+2)
	})
}
