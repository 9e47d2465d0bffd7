package syntax_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/inbound/internal/syntax"
)

func TestParseParams(t *testing.T) {
	for in, want := range map[string]struct {
		first  string
		params map[string]string
	}{
		"":                             {"", nil},
		"text/plain":                   {"text/plain", nil},
		"Text/Plain; Charset=UTF-8":    {"text/plain", map[string]string{"charset": "UTF-8"}},
		`a/b;x="y z";v=w`:              {"a/b", map[string]string{"x": "y z", "v": "w"}},
		`a/b; x="y\"z\\"`:              {"a/b", map[string]string{"x": `y"z\`}},
		`a/b; x="C:\new\a.txt"`:        {"a/b", map[string]string{"x": `C:\new\a.txt`}},
		"a/b; x=y; x=z":                {"a/b", map[string]string{"x": "y"}},
		"a/b; x = y ":                  {"a/b", map[string]string{"x": "y"}},
		"a/b; x=":                      {"a/b", map[string]string{"x": ""}},
		"a/b; x; y=z; =w; ;;":          {"a/b", map[string]string{"y": "z"}},
		`a/b; x="y`:                    {"a/b", map[string]string{"x": "y"}},
		`a/b; x="y" junk; z=w`:         {"a/b", map[string]string{"x": "y", "z": "w"}},
		"a/b x=y":                      {"a/b", map[string]string{"x": "y"}},
		"; x=y":                        {"", map[string]string{"x": "y"}},
		"a/b; x=two words; y=z":        {"a/b", map[string]string{"x": "two words", "y": "z"}},
		"a/b; x*=utf-8''%C3%A9":        {"a/b", map[string]string{"x": "é"}},
		"a/b; x=e; x*=utf-8'fr'%C3%A9": {"a/b", map[string]string{"x": "é"}},
		"a/b; x*=iso-8859-1''%E9":      {"a/b", map[string]string{"x": "é"}},
		"a/b; x*=%C3%A9":               {"a/b", map[string]string{"x": "é"}},
		"a/b; x*=utf-8''100%":          {"a/b", map[string]string{"x": "100%"}},
		"a/b; x*0=a; x*1=b":            {"a/b", map[string]string{"x": "ab"}},
		"a/b; x*1=b; x*0=a":            {"a/b", map[string]string{"x": "ab"}},
		"a/b; x*0=a; x*0=c; x*1=b":     {"a/b", map[string]string{"x": "ab"}},
		"a/b; x*10=k; x*9=j; x*2=c":    {"a/b", map[string]string{"x": "cjk"}},
		"a/b; x*0*=utf-8''%C3; x*1*=%A9; x*2=%41": {"a/b", map[string]string{"x": "é%41"}},
		"a/b; x*0*=koi8-r''%ED; x*1*='; y*=''z":   {"a/b", map[string]string{"x": "М'", "y": "z"}},

		// Quotes within quotes, and quotes that are not closed.
		`a/b; x="a "b" c.pdf"`:                 {"a/b", map[string]string{"x": `a "b" c.pdf`}},
		`a/b; x="a "b" c.pdf"; y=z`:            {"a/b", map[string]string{"x": `a "b" c.pdf`, "y": "z"}},
		`a/b; x="the "; y="z"`:                 {"a/b", map[string]string{"x": "the ", "y": "z"}},
		`a/b; x=""a".pdf"`:                     {"a/b", map[string]string{"x": `"a".pdf`}},
		`a/b; x="a "b; c" d.pdf"; y="z"`:       {"a/b", map[string]string{"x": `a "b; c" d.pdf`, "y": "z"}},
		`a/b; x="y; z="w"`:                     {"a/b", map[string]string{"x": "y", "z": "w"}},
		`a/b; x="y; z=w`:                       {"a/b", map[string]string{"x": "y", "z": "w"}},
		`a/b; x="y; z`:                         {"a/b", map[string]string{"x": "y; z"}},
		`a/b; x="y" junk; z="w"`:               {"a/b", map[string]string{"x": "y", "z": "w"}},
		`a/b; x="y" z="w"`:                     {"a/b", map[string]string{"x": "y", "z": "w"}},
		`a/b; x="a; y=z.pdf"`:                  {"a/b", map[string]string{"x": "a; y=z.pdf"}},
		"a/b; \x00x\x14=y":                     {"a/b", map[string]string{"x": "y"}},
		`a/b; x=""; y=`:                        {"a/b", map[string]string{"x": "", "y": ""}},
		`a/b; x=""; x="y"; x=z`:                {"a/b", map[string]string{"x": "y"}},
		`filename="x.bin"`:                     {"", map[string]string{"filename": "x.bin"}},
		`filename=x y.bin; size=3`:             {"", map[string]string{"filename": "x y.bin", "size": "3"}},
		`attachment filename="x.bin" size="3"`: {"attachment", map[string]string{"filename": "x.bin", "size": "3"}},
		"a/b; x=y filename=z w.bin size=3":     {"a/b", map[string]string{"x": "y", "filename": "z w.bin", "size": "3"}},
	} {
		first, params := syntax.ParseParams(in)
		require.Equal(t, want.first, first, "%q", in)
		require.Empty(t, cmp.Diff(want.params, params, cmpopts.EquateEmpty()), "%q", in)
	}
}
