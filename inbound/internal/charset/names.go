package charset

import (
	"strconv"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode/utf32"
)

// byName returns the encoding of a charset, or nil if it is unknown or not
// supported. Wide reports whether it uses at least two bytes for every
// character. Names that no registry has are compared without punctuation and
// without the prefixes that vendors use.
func byName(name string) (e encoding.Encoding, wide bool) {
	squashed := squash(name)
	if label, ok := synonyms[squashed]; ok {
		return byLabel(label)
	}
	if _, err := htmlindex.Get(name); err == nil {
		return byLabel(name)
	}
	for {
		if label, ok := synonyms[squashed]; ok {
			return byLabel(label)
		}
		if e, wide = byLabel(numbered(squashed)); e != nil {
			return e, wide
		}
		rest, ok := cutPrefixes(squashed, "x", "cs", "windows", "win", "ms", "cp")
		if !ok || rest == "" {
			return byLabel(name)
		}
		squashed = rest
	}
}

// byLabel returns the encoding that a registry has under a label.
func byLabel(label string) (e encoding.Encoding, wide bool) {
	switch label {
	case "":
		return nil, false
	case "utf-32", "utf-32be":
		return utf32.UTF32(utf32.BigEndian, utf32.UseBOM), true
	case "utf-32le":
		return utf32.UTF32(utf32.LittleEndian, utf32.UseBOM), true
	}
	if e, err := htmlindex.Get(label); err == nil {
		// For safety, browsers must not show some charsets at all: their encoding
		// is the replacement.
		if canonical, err := htmlindex.Name(e); err != nil || canonical != "replacement" {
			if e == simplifiedchinese.GBK {
				return simplifiedchinese.GB18030, false // a superset; browsers decode GBK by it
			}
			return e, strings.HasPrefix(canonical, "utf-16")
		}
	}
	if e, err := ianaindex.MIME.Encoding(label); err == nil {
		return e, strings.HasPrefix(strings.ToLower(label), "utf-16")
	}
	return nil, false
}

// squash returns the letters and digits of a name, up to a modifier or a second
// name.
func squash(name string) string {
	if i := strings.IndexAny(name, "@$/"); i > 0 {
		name = name[:i]
	}
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, name)
}

// numbered returns the label of a name that is a vendor's or a standard's number,
// whatever follows it.
func numbered(name string) string {
	if rest, ok := cutPrefixes(name, "iso8859", "8859"); ok {
		if number := leadingDigits(strings.TrimLeft(rest, "0")); number != "" && len(number) <= 2 {
			return "iso-8859-" + number
		}
		return ""
	}
	if rest, ok := cutPrefixes(name, "latin", "isolatin", "l"); ok && len(rest) > 0 && len(rest) <= 2 {
		return latins[rest]
	}
	number := name
	if rest, ok := cutPrefixes(name, "windows", "win", "ansi", "cp", "ms", "ibm", "dos"); ok {
		number = rest
	} else if len(leadingDigits(name)) != len(name) {
		return ""
	}
	number = leadingDigits(number)
	if label, ok := codePages[number]; ok {
		return label
	}
	if len(number) == 4 && strings.HasPrefix(number, "125") {
		return "windows-" + number
	}
	if len(number) == 5 && "28591" <= number && number <= "28606" {
		n, _ := strconv.Atoi(number)
		return "iso-8859-" + strconv.Itoa(n-28590)
	}
	if number != "" {
		return "ibm" + number
	}
	return ""
}

func cutPrefixes(s string, prefixes ...string) (rest string, ok bool) {
	for _, prefix := range prefixes {
		if rest, ok = strings.CutPrefix(s, prefix); ok {
			return rest, true
		}
	}
	return s, false
}

func leadingDigits(s string) string {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return s[:i]
		}
	}
	return s
}

// latins are the labels of Latin-1 to Latin-10.
var latins = map[string]string{
	"1": "iso-8859-1", "2": "iso-8859-2", "3": "iso-8859-3", "4": "iso-8859-4", "5": "iso-8859-9",
	"6": "iso-8859-10", "7": "iso-8859-13", "8": "iso-8859-14", "9": "iso-8859-15", "10": "iso-8859-16",
}

// codePages are the labels of code pages, and of Windows' numbers of character
// sets in fonts.
var codePages = map[string]string{
	"367": "us-ascii", "20127": "us-ascii", "646": "us-ascii", "819": "iso-8859-1",
	"65001": "utf-8", "1200": "utf-16le", "1201": "utf-16be", "12000": "utf-32le", "12001": "utf-32be",
	"858": "ibm00858", "874": "windows-874", "20866": "koi8-r", "878": "koi8-r", "21866": "koi8-u", "1168": "koi8-u", "10000": "macintosh", "10007": "x-mac-cyrillic",
	"932": "shift_jis", "943": "shift_jis", "51932": "euc-jp", "20932": "euc-jp", "50220": "iso-2022-jp", "50221": "iso-2022-jp", "50222": "iso-2022-jp",
	"936": "gbk", "1386": "gbk", "20936": "gbk", "51936": "gbk", "54936": "gb18030", "52936": "hz-gb-2312",
	"949": "euc-kr", "51949": "euc-kr", "970": "euc-kr", "950": "big5", "951": "big5",
	"128": "shift_jis", "129": "euc-kr", "134": "gbk", "136": "big5", "161": "windows-1253", "162": "windows-1254",
	"163": "windows-1258", "177": "windows-1255", "178": "windows-1256", "186": "windows-1257", "204": "windows-1251", "222": "windows-874", "238": "windows-1250",
}

// synonyms are names without punctuation that no registry has like that.
var synonyms = map[string]string{
	"us": "us-ascii", "ascii": "us-ascii", "usascii": "us-ascii", "asciius": "us-ascii", "usascii7": "us-ascii", "7bit": "us-ascii", "iso646": "us-ascii", "646": "us-ascii",
	"iso646us": "us-ascii", "iso646irv": "us-ascii", "iso646irv1983": "us-ascii", "iso646irv1991": "us-ascii", "isoir6": "us-ascii", "ansi": "us-ascii", "iso": "us-ascii",
	"ansix34": "us-ascii", "ansix341968": "us-ascii", "ansix341986": "us-ascii", "csascii": "us-ascii",
	"isowestern": "iso-8859-1", "western": "iso-8859-1", "we8iso8859p1": "iso-8859-1", "we8mswin1252": "windows-1252",

	"utf": "utf-8", "utf8": "utf-8", "utf8unicode": "utf-8", "unicodeutf8": "utf-8", "unicode11utf8": "utf-8", "utf8mac": "utf-8",
	"utf8mb3": "utf-8", "utf8mb4": "utf-8", "utf8n": "utf-8", "utf8sig": "utf-8", "cesu8": "utf-8", "utf8utf8": "utf-8",
	"utf16": "utf-16", "utf16le": "utf-16le", "utf16be": "utf-16be", "utf32": "utf-32", "utf32le": "utf-32le", "utf32be": "utf-32be",
	"unicode": "utf-16", "ucs2": "utf-16", "ucs2le": "utf-16le", "ucs2be": "utf-16be", "iso10646ucs2": "utf-16", "unicodefeff": "utf-16", "unicodefffe": "utf-16be",
	"ucs4": "utf-32", "ucs4le": "utf-32le", "ucs4be": "utf-32be", "iso10646ucs4": "utf-32",

	"koi": "koi8-r", "koi8": "koi8-r", "koi8r": "koi8-r", "koi8u": "koi8-u", "koi8ru": "koi8-u",
	"mac": "macintosh", "macroman": "macintosh", "macintoshroman": "macintosh", "maccyrillic": "x-mac-cyrillic", "macukraine": "x-mac-cyrillic", "macukrainian": "x-mac-cyrillic",
	"tis620": "tis-620", "tis6200": "tis-620", "tis62025330": "tis-620", "thai": "tis-620",
	"iso885911": "windows-874",
	"greek8":    "iso-8859-7", "suneugreek": "iso-8859-7", "ecma114": "iso-8859-6", "ecma118": "iso-8859-7", "asmo708": "iso-8859-6",

	"gb": "gbk", "gb2312": "gbk", "gb231280": "gbk", "gbk": "gbk", "euccn": "gbk", "xeuccn": "gbk", "chinese": "gbk", "gb18030": "gb18030", "gb180302000": "gb18030", "gb180302005": "gb18030",
	"hz": "hz-gb-2312", "hzgb2312": "hz-gb-2312",
	"big5": "big5", "big5hkscs": "big5", "big5hk": "big5", "big5tw": "big5", "cnbig5": "big5", "big5eten": "big5",
	"eucjp": "euc-jp", "eucjpms": "euc-jp", "eucjpwin": "euc-jp", "eucjapanese": "euc-jp", "ujis": "euc-jp",
	"sjis": "shift_jis", "shiftjis": "shift_jis", "shiftjis2004": "shift_jis", "sjiswin": "shift_jis", "mskanji": "shift_jis", "windows31j": "shift_jis",
	"jis": "iso-2022-jp", "iso2022jp": "iso-2022-jp", "iso2022jp1": "iso-2022-jp", "iso2022jp2": "iso-2022-jp", "iso2022jp3": "iso-2022-jp", "iso2022jp2004": "iso-2022-jp",
	"iso2022jpms": "iso-2022-jp", "iso2022jpext": "iso-2022-jp", "csiso2022jp": "iso-2022-jp",
	"euckr": "euc-kr", "uhc": "euc-kr", "korean": "euc-kr", "ksc5601": "euc-kr", "ksc56011987": "euc-kr", "ksc56011989": "euc-kr", "ksx1001": "euc-kr",
}

// IsWide reports whether a charset uses at least two bytes for every character.
func IsWide(name string) bool {
	_, wide := byName(name)
	return wide
}
