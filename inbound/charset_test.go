package inbound_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"

	"github.com/goanymail/anymail/inbound"
)

func TestDecodeText(t *testing.T) {
	for _, tt := range []struct{ bytes, charset, want string }{
		// Declared correctly.
		{"caf\xc3\xa9", "utf-8", "café"},
		{"caf\xc3\xa9", `"UTF8"`, "café"},
		{"caf\xe9", "iso-8859-1", "café"},
		{"caf\xe9", "ISO_8859-1", "café"},
		{"caf\xe9", "Latin-1", "café"},
		{"caf\xe9", "iso-8859-1 (western)", "café"},
		{"5 \xa4", "iso-8859-15", "5 €"},
		{"\xbf\xf3\xb3w", "iso-8859-2", "żółw"},
		{"\xbf\xf3\xb3w", "cp1250", "żółw"},
		{"\xed\xc9\xd2", "koi8-r", "Мир"},
		{"\xcc\xe8\xf0", "windows-1251", "Мир"},
		{"\xcc\xe8\xf0", "x-cp1251", "Мир"},
		{"\x8c\xa8\xe0", "cp866", "Мир"},
		{"\x82t\x82", "ibm437", "été"},
		{"\xf9\xec\xe5\xed", "iso-8859-8-i", "שלום"},
		{"\xc7\xe7", "iso-8859-7", "Ηη"},
		{"\xa1\xb6", "tis-620", "กถ"},
		{"\xc4\xe3\xba\xc3", "gb2312", "你好"},
		{"\xe9F", "gb2312", "镕"}, // in GBK only
		{"\xc4\xe3\xba\xc3", "cp936", "你好"},
		{"\xc4\xe3\x95\x32\x82\x36\x94\x39\xda\x33", "gb2312", "你𠀀💩"}, // in GB18030 only
		{"5 \x80", "cp936", "5 €"},
		{"\x95\x32\x82\x36", "gb18030", "𠀀"},
		{"~{Dc:C~}", "hz-gb-2312", "你好"},
		{"\xa7A\xa6n", "big5", "你好"},
		{"\xa7A\xa6n", "cp950", "你好"},
		{"\x93\xfa\x96\x7b", "shift_jis", "日本"},
		{"\x93\xfa\x96\x7b", "cp932", "日本"},
		{"\xc6\xfc\xcb\xdc", "euc-jp", "日本"},
		{"\x1b$BF|K\\\x1b(B!", "iso-2022-jp", "日本!"},
		{"\xc7\xd1", "ks_c_5601-1987", "한"},
		{"\xc7\xd1", "euc-kr", "한"},
		{"\xc7\xd1", "cp949", "한"},
		{"\x00A\x00\xe9", "utf-16be", "Aé"},
		{"A\x00\xe9\x00", "utf-16le", "Aé"},
		{"\x00A\x00\xe9", "utf-16", "Aé"},
		{"A\x00\xe9\x00", "utf-16", "Aé"}, // as some programs encode it
		{"\xca", "macintosh", "\u00a0"},

		// Decoded by a superset.
		{"\x93caf\xe9\x94 \x80", "iso-8859-1", "“café” €"},
		{"\x93caf\xe9\x94 \x80", "us-ascii", "“café” €"},

		// Declared wrongly or not at all.
		{"caf\xc3\xa9", "iso-8859-1", "café"},
		{"caf\xc3\xa9", "us-ascii", "café"},
		{"caf\xc3\xa9", "windows-1252", "café"},
		{"caf\xc3\xa9", "x-unknown", "café"},
		{"caf\xc3\xa9", "", "café"},
		{"caf\xe9", "x-unknown", "café"},
		{"caf\xe9", "utf-8", "café"},
		{"caf\xe9", "", "café"},
		{"\x1b$BF|K\\\x1b(B!", "", "日本!"},
		{"\xc3\xa9t\xc3\xa9 \xc3", "utf-8", "été \uFFFD"}, // truncated
		{"\xc3\xa9t\xc3\xa9 \xc3", "", "été \uFFFD"},
		{"\xed\xc9\xd2", "", "íÉÒ"}, // undeclared KOI8-R is not guessed

		// Byte order marks.
		{"\xef\xbb\xbfcaf\xc3\xa9", "koi8-r", "café"},
		{"\xff\xfeA\x00\xe9\x00", "", "Aé"},
		{"\xfe\xff\x00A\x00\xe9", "utf-8", "Aé"},
		{"\xff\xfeA\x00\xe9\x00", "utf-16le", "Aé"},

		// Not decoded.
		{"+AOk-", "utf-7", "+AOk-"},
		{"\x1b$)C\x0eGQ\x0f", "iso-2022-kr", "\x1b$)C\x0eGQ\x0f"},

		{"", "koi8-r", ""},
		{"", "", ""},
	} {
		require.Equal(t, tt.want, inbound.DecodeText([]byte(tt.bytes), tt.charset), "%q as %s", tt.bytes, tt.charset)
	}
}

// Text longer than the buffer is decoded completely.
func TestDecodeTextLong(t *testing.T) {
	for name, tt := range map[string]struct {
		encoding encoding.Encoding
		text     string
	}{
		"koi8-r":      {charmap.KOI8R, "Привет, как дела? "},
		"iso-8859-1":  {charmap.ISO8859_1, "Déjà vu à la fenêtre. "},
		"iso-8859-2":  {charmap.ISO8859_2, "Zażółć gęślą jaźń. "},
		"iso-2022-jp": {japanese.ISO2022JP, "こんにちは、日本 in ASCII。"},
		"shift_jis":   {japanese.ShiftJIS, "こんにちは、日本。"},
		"gb18030":     {simplifiedchinese.GB18030, "你好，𠀀。"},
		"big5":        {traditionalchinese.Big5, "你好 "},
		"euc-kr":      {korean.EUCKR, "안녕하세요 "},
	} {
		want := strings.Repeat(tt.text, 2000)
		encoded, err := tt.encoding.NewEncoder().String(want)
		require.NoError(t, err)
		require.Equal(t, want, inbound.DecodeText([]byte(encoded), name), name)
	}
}
