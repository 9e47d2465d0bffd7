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

// Names are compared as loosely as mail writes them.
func TestCharsetNames(t *testing.T) {
	for _, tt := range []struct {
		bytes, want string
		names       string
	}{
		{"caf\xe9", "café", "csascii us cp367 ibm367 iso-ir-6 iso_646.irv:1991 ansi_x3.4-1986 ansi_x3.4-1968 iso646-us 646 ISO646-US ascii us_ascii " +
			"latin1 l1 iso8859_1 8859-1 8859_1 iso_8859-1 iso-8859-1. iso:western we8iso8859p1 cp819 28591 1252 cp-1252 windows1252 win-1252 " +
			"windows-1252http-equivcontent-type windows-1252/iso ansi iso x-unknown none default utf-8 utf8? utf_8 x-utf-8"},
		{"5 \xa4", "5 €", "iso8859-15 iso_8859-15 iso8859_15 iso-8859-15@euro latin9 latin-9 l9 8859-15 28605"},
		{"\xbf\xf3\xb3w", "żółw", "8859_2 iso8859_2 iso-8859_2 iso-88592 iso-8859-02 latin-2 latin2 l2 csisolatin2 cp-1250 win1250 x-cp1250 windows1250 238"},
		{"\xbc\xd8\xe0", "Мир", "iso8859_5 iso-8859-5 8859-5 28595"},
		{"\xcc\xe8\xf0", "Мир", "win-1251 windows1251 windows_1251 cp-1251 ansi-1251 1251 x-windows-1251 204"},
		{"\xed\xc9\xd2", "Мир", "koi koi8 koi8r koi8_r cskoi8r 20866"},
		{"\x8c\xa8\xe0", "Мир", "cp-866 cp866 866 ibm866 csibm866 ibm-866"},
		{"\x82t\x82", "été", "cp-850 ibm850 850 cp850 cp437 437 cp858 858"},
		{"\xca", "\u00a0", "macroman macintosh-roman mac x-mac-roman"},
		{"\xa1\xb6", "กถ", "tis620 cp874 x-windows-874 dos-874 iso-8859-11 windows-874"},
		{"\xc4\xe3", "你", "euc-cn euccn gb-2312 gb_2312-80 gb2312-80 gb-18030 x-gbk ms936 936 chinese 134"},
		{"\xa7A\xa6n", "你好", "big-5 big5hkscs big5-hkscs cn-big5 x-x-big5 950 136"},
		{"\x93\xfa\x96\x7b", "日本", "shift-jis sjis ms_kanji windows-31j ms932 x-ms-cp932 932 128"},
		{"\xc6\xfc\xcb\xdc", "日本", "eucjp x-euc-jp ujis cp51932 eucjp-ms euc-jp-ms"},
		{"\x1b$BF|K\\\x1b(B!", "日本!", "iso2022jp iso-2022-jp-ms iso-2022-jp-1 cp50220 cp50221 csiso2022jp _iso-2022-jp$esc"},
		{"\xc7\xd1", "한", "euckr ks_c_5601 ksc5601 ksc_5601 x-windows-949 cp949 uhc korean 949"},
		{"A\x00\xe9\x00", "Aé", "utf-16-le utf16le utf-16 utf16 unicode ucs-2 ucs2 iso-10646-ucs-2 csunicode 1200"},
		{"A\x00\x00\x00\xe9\x00\x00\x00", "Aé", "utf-32 utf-32le utf32"},
		{"é € it’s", "é € it’s", "csascii us cp367 iso-ir-6 utf utf8-unicode unicode-1-1-utf-8 cp65001 65001 cesu-8 utf8-mac utf8mb4 latin-1 unknown-8bit"},
	} {
		for name := range strings.FieldsSeq(tt.names) {
			require.Equal(t, tt.want, inbound.DecodeText([]byte(tt.bytes), name), name)
		}
	}
}

// Text that cannot be in its declared charset is UTF-8.
func TestCharsetRuledOut(t *testing.T) {
	for name, text := range map[string]string{
		"iso-2022-jp":     "ほげ",
		"hz-gb-2312":      "你好",
		"big5":            "你好世界",
		"shift_jis":       "ほげテスト",
		"euc-jp":          "ほげテスト",
		"euc-kr":          "안녕하세요",
		"gb2312":          "你好世界",
		"gbk":             "Grüße: 你好世界, 你好",
		"iso-8859-2":      "żółw i żaba",
		"windows-1251":    "Привет",
		"koi8-r":          "Привет",
		"utf-16":          "Hello ascii",
		"unicode":         "<p>Hello</p>",
		"ucs-2":           "Größe",
		"utf-16be":        "Hello, you",
		"utf-32":          "Hello",
		"iso-10646-ucs-2": "plain",
		"tis-620":         "Grüße",
		"iso-8859-6":      "Grüße",
	} {
		require.Equal(t, text, inbound.DecodeText([]byte(text), name), name)
	}
	for _, tt := range []struct{ bytes, charset, want string }{
		{"\xc1\xaa\xcd\xa8", "gb2312", "联通"}, // valid UTF-8, too, but for its first byte
		{"\xca\xbf", "gb2312", "士"},          // valid UTF-8, too
		{"\xe1\xa1\xa7", "tis-620", "แกง"},   // valid UTF-8, too
		{"\xe1\xa0\xac", "cp866", "сам"},     // valid UTF-8, too
		{"\xc5\xa3", "koi8-r", "её"},         // valid UTF-8, too
		{"N-", "utf-16be", "中"},              // valid ASCII, too
		{"~{Dc:C~}", "hz", "你好"},
	} {
		require.Equal(t, tt.want, inbound.DecodeText([]byte(tt.bytes), tt.charset), tt.charset)
	}
}

// Lines in another charset do not change how the others are decoded.
func TestCharsetMixed(t *testing.T) {
	for _, tt := range []struct{ bytes, charset, want string }{
		{"Grüße aus Köln\n--\nList f\xfcr \xe9t\xe9\n", "utf-8", "Grüße aus Köln\n--\nList für été\n"},
		{"Grüße\nList f\xfcr \xe9t\xe9 \xe0 \xe8 \xf1 \xf2", "", "Grüße\nList für été à è ñ ò"},
		{"Gr\xfc\xdfe\n--\nListe für Köln\n", "iso-8859-1", "Grüße\n--\nListe für Köln\n"},
		{"\xc4\xe3\xba\xc3\n--\n你好世界\n", "gb2312", "你好\n--\n你好世界\n"},
		{"\xcc\xe8\xf0\nПривет\n\xcc\xe8\xf0", "windows-1251", "Мир\nПривет\nМир"},
		{"\x1b$BF|K\\\x1b(B\nGrüße\n\xff", "iso-2022-jp", "日本\nGrüße\n\uFFFD"},
		{"été\nd\xc3", "utf-8", "été\nd\uFFFD"}, // truncated
		{"\xcc\xe8\xf0\n\x98", "windows-1251", "Мир\n\uFFFD"},
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
