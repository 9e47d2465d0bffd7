package jsonscan_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/internal/jsonscan"
	"github.com/goanymail/anymail/wire"
)

type event struct {
	Name string `json:"name"`
	Note string `json:"note"`
	List []struct{ A bool }

	others []string
}

func (e *event) Other(name, value string) {
	e.others = append(e.others, name+"="+value)
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

// A string that is kept keeps its own text in memory, if that is short, and otherwise
// nothing else.
func TestSharedText(t *testing.T) {
	d := jsonscan.NewDecoder(3)
	decode := func(note string) (name, start uintptr) {
		text := []byte(`{"name":"ada","note":"` + note + `"}`)
		var got event
		require.NoError(t, d.Decode(text, &got))
		clear(text)
		require.Equal(t, "ada", got.Name, "not a part of the caller's text")
		return uintptr(unsafe.Pointer(unsafe.StringData(got.Name))), uintptr(unsafe.Pointer(unsafe.StringData(got.Note)))
	}
	const between = uintptr(len(`ada","note":"`))
	name, note := decode("short")
	require.Equal(t, between, note-name, "parts of one text")
	next, _ := decode("short")
	require.Greater(t, max(name, next)-min(name, next), between, "not parts of one text")
	name, note = decode(strings.Repeat("x", jsonscan.MaxShared))
	require.NotEqual(t, between, note-name, "copies of their own")
}

// Lists of neighboring texts share memory, and appending to one does not change another.
func TestLists(t *testing.T) {
	d := jsonscan.NewDecoder(100)
	var lists []wire.Strings
	for i := range 100 {
		var list wire.Strings
		require.NoError(t, d.Decode(fmt.Appendf(nil, `["%d"%s]`, i, strings.Repeat(`,"x\n"`, i%20)), &list))
		require.Len(t, list, 1+i%20)
		lists = append(lists, list)
		_ = append(list, "appended")
	}
	for i, list := range lists {
		require.Equal(t, strconv.Itoa(i), list[0])
		for _, text := range list[1:] {
			require.Equal(t, "x\n", text)
		}
	}
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
