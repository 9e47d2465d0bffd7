package jsonscan_test

import (
	"bytes"
	"strings"
	"testing"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/internal/jsonscan"
)

type event struct {
	Name string `json:"name"`
	Note string `json:"note"`
	List []struct{ A bool }

	others []string
}

func (e *event) Other(name string, value []byte) {
	e.others = append(e.others, name+"="+string(value))
}

func TestDecode(t *testing.T) {
	var got event
	require.NoError(t, jsonscan.Decode([]byte(` {"name":"a","x":[1, 2],"note":"\u00e9\ud800","List":[{"A":true},null],"name":"b","\u0079":null} `), &got))
	require.Equal(t, "b", got.Name, "the last one wins")
	require.Equal(t, "é\ufffd", got.Note)
	require.Len(t, got.List, 2)
	require.True(t, got.List[0].A)
	require.Equal(t, []string{"x=[1, 2]", "y=null"}, got.others)
}

// A string that is kept keeps nothing else in memory.
func TestStringsAreCopies(t *testing.T) {
	text := []byte(`{"name":"ada","note":"` + strings.Repeat("x", 1000) + `"}`)
	var got event
	require.NoError(t, jsonscan.Decode(text, &got))
	name, note := uintptr(unsafe.Pointer(unsafe.StringData(got.Name))), uintptr(unsafe.Pointer(unsafe.StringData(got.Note)))
	require.Greater(t, max(name, note)-min(name, note), uintptr(len(`ada","note":"`)), "not parts of one text")
	clear(text)
	require.Equal(t, "ada", got.Name)
}

func TestElements(t *testing.T) {
	tests := []struct {
		array string
		want  []string
	}{
		{` [ 1 , "a]" , {"b":[2]} ] `, []string{"1", `"a]"`, `{"b":[2]}`}},
		{`[]`, nil},
		{`{"a":1}`, nil},
		{`x`, nil},
		{``, nil},
		{`[1,[2`, []string{"1"}},
	}
	for _, tt := range tests {
		var got []string
		for value := range jsonscan.Elements([]byte(tt.array)) {
			got = append(got, string(value))
			require.Equal(t, len(value), cap(value), "appending must not write into the array")
		}
		require.Equal(t, tt.want, got, tt.array)
	}
}

func TestInvalidTextEndsEarly(t *testing.T) {
	whole := `{"name":"a\"b","x":{"y":[1,{}]},"List":[{"A":true}],"note":null}`
	for end := range len(whole) {
		require.Error(t, jsonscan.Decode([]byte(whole[:end]), new(event)), whole[:end])
	}
}

// FuzzUnquote compares with the library.
func FuzzUnquote(f *testing.F) {
	for _, seed := range []string{`a\r\n\"\\\/\b\f\t`, `\u00e9\ud83d\ude00`, `\ud83d\u0041\udc00\ud800`, "\xff\u00e9", `\ud83d\ud83d\ude00`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, inner string) {
		quoted := []byte(`"` + inner + `"`)
		for end := range min(len(quoted), 100) { // no part of it makes anything panic
			jsonscan.UnquoteInPlace(bytes.Clone(quoted[:end]))
		}
		if !jsontext.Value(quoted).IsValid(jsonscan.Lenient) || bytes.IndexByte(quoted, '"') != 0 {
			return
		}
		want, _ := jsontext.AppendUnquote(nil, quoted)
		require.Equal(t, string(want), string(jsonscan.UnquoteBytes(quoted)))
		require.Equal(t, string(want), jsonscan.Unquote(quoted))
		got := jsonscan.UnquoteInPlace(bytes.Clone(quoted))
		require.Equal(t, string(want), string(got))
		require.Equal(t, len(got), cap(got))
	})
}
