package wire_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	library "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

type kinds struct {
	S       string `json:"s"`
	Named   named  `json:"named"`
	B       bool
	I       int
	F       *float64
	M       map[string]string
	R       json.RawMessage
	At      time.Time
	Skip    string `json:"-"`
	Inner   inner  `json:"inner"`
	Pointer *inner `json:"pointer"`
	List    []inner
	Bytes   []byte
	Any     any
	Again   []kinds
}

type named string

type inner struct {
	A string `json:"a"`
	B *bool  `json:"b"`
}

func TestUnmarshalKinds(t *testing.T) {
	yes := true
	tests := []struct {
		name, text string
		want       kinds
	}{
		{"null everywhere", `{"s":null,"named":null,"B":null,"I":null,"F":null,"M":null,"inner":null,"pointer":null,"List":null,"Bytes":null}`, kinds{}},
		{"a struct", `{"inner":{"a":"x","b":true}}`, kinds{Inner: inner{A: "x", B: &yes}}},
		{"a pointer", `{"pointer":{"a":"x"}}`, kinds{Pointer: &inner{A: "x"}}},
		{"elements", ` { "List" : [ {"a":"x"} , null , {"b":true} ] } `, kinds{List: []inner{{A: "x"}, {}, {B: &yes}}}},
		{"itself", `{"Again":[{"s":"x"}]}`, kinds{Again: []kinds{{S: "x"}}}},
		{"kinds that the library decodes", `{"I":-7,"M":{"k":"v"},"Bytes":"AQI=","Any":[1]}`, kinds{I: -7, M: map[string]string{"k": "v"}, Bytes: []byte{1, 2}, Any: []any{1.0}}},
		{"a type with a method", `{"R":{"x": 1}}`, kinds{R: json.RawMessage(`{"x": 1}`)}},
		{"the last of a name", `{"s":"a","s":"b"}`, kinds{S: "b"}},
		{"a name with escapes", `{"\u0073":"a","nam\u0065d":"b"}`, kinds{S: "a", Named: "b"}},
		{"names are compared exactly", `{"S":"a","b":true,"Inner":{"a":"x"}}`, kinds{}},
		{"no field of that name", `{"Skip":"a","-":"b","x":{"s":"c"}}`, kinds{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got kinds
			require.NoError(t, wire.Unmarshal([]byte(tt.text), &got))
			require.Empty(t, cmp.Diff(tt.want, got, cmpopts.EquateEmpty()))
		})
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	for _, text := range []string{
		``, `x`, `{`, `{"s":"a"`, `{"s":"a"}}`, `{"s":"a"} {}`, `{"s" "a"}`, `{s:"a"}`, `{"x":tru}`, `{"x":01}`,
		`{"s":1}`, `{"s":{}}`, `{"B":"yes"}`, `{"B":1}`, `{"I":"1"}`, `{"inner":[]}`, `{"inner":"x"}`, `{"List":{}}`, `{"List":[1]}`, `"text"`, `[]`, `7`,
	} {
		require.Error(t, wire.Unmarshal([]byte(text), new(kinds)), text)
	}
	err := wire.Unmarshal([]byte(`{"inner":{"a":["secret"]}}`), new(kinds))
	require.EqualError(t, err, "Inner: A: not a string", "the place, and nothing of the text")
}

type rest struct {
	Known string `json:"known"`

	others anymail.Metadata
}

func (r *rest) Other(name, value string) {
	if r.others == nil {
		r.others = anymail.Metadata{}
	}
	r.others[name] = wire.Any(value)
}

func TestSalvage(t *testing.T) {
	type message struct {
		ID   wire.Text `json:"id"`
		Text string    `json:"text"`
		List []string
		N    wire.Number
	}
	for text, want := range map[string]message{
		`{"id":7,"text":["a"],"List":["a","b"],"N":"x"}`: {ID: "7", List: []string{"a", "b"}},
		//nolint:gocritic // white space is tested too
		` {"text":{"a":1},"i\u0064":"x","other":[{}]} `: {ID: "x"},
		`{"List":{},"text":"last","N":2}`:               {Text: "last", N: wire.Number{Value: 2, Valid: true}},
		`{"text":"first","text":1}`:                     {Text: "first"},
		`{}`:                                            {},
	} {
		var got message
		require.True(t, wire.Salvage([]byte(text), &got), text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{``, ` `, `null`, `[]`, `"{}"`, `{"id":"x"`, `{"id":"x",}`, `{} {}`} {
		var got message
		require.False(t, wire.Salvage([]byte(text), &got), text)
		require.Zero(t, got, text)
	}
}

func TestOthers(t *testing.T) {
	var got rest
	require.NoError(t, wire.Unmarshal([]byte(`{"known":"a","text":"b\n","number":1.50,"\u006bnown":"c","\u0078":[true,null],"others":{}}`), &got))
	want := anymail.Metadata{"text": "b\n", "number": json.Number("1.50"), "x": []any{true, nil}, "others": map[string]any{}}
	require.Equal(t, "c", got.Known)
	require.Empty(t, cmp.Diff(want, got.others))
}

// A large text decodes as others do.
func TestUnmarshalLarge(t *testing.T) {
	long := make([]byte, 200_000)
	for i := range long {
		long[i] = "abcdefgh\n\""[i%10]
	}
	text, err := json.Marshal(map[string]any{"s": string(long), "inner": map[string]string{"a": "x"}})
	require.NoError(t, err)
	var got kinds
	require.NoError(t, wire.Unmarshal(text, &got))
	require.Equal(t, string(long), got.S)
	require.Equal(t, "x", got.Inner.A)
}

// A few bytes of JSON can stand for much memory.
func TestElementsAreBounded(t *testing.T) {
	const most = 10_000
	list := func(element string) string { return "[" + strings.Repeat(element+",", 3*most) + element + "]" }
	var members strings.Builder
	for i := range 3 * most {
		fmt.Fprintf(&members, `"m%d":1,`, i)
	}
	var got struct {
		Structs []struct{ A string }
		Strings wire.Strings
		Fields  wire.Headers
		Values  wire.Headers
		Members wire.Headers
		Data    wire.Metadata
		After   string
	}
	require.NoError(t, wire.Unmarshal(fmt.Appendf(nil, `{"Structs":%s,"Strings":%s,"Fields":%s,"Values":{"a":%s,"b":1},"Members":{%[5]s"z":1},"Data":{%[5]s"z":1},"After":"x"}`,
		list("{}"), list("1"), list(`{"name":"a"}`), list("1"), members.String()), &got))
	require.Len(t, got.Structs, most)
	require.Len(t, got.Strings, most)
	require.Len(t, got.Fields, most)
	require.Len(t, got.Values, most)
	require.Len(t, got.Members, most)
	require.Len(t, got.Data, most)
	require.Equal(t, "x", got.After)
	var pairs []wire.Strings
	require.NoError(t, wire.Unmarshal([]byte(list("[]")), &pairs))
	require.Len(t, pairs, most)
}

// FuzzUnmarshal compares Unmarshal with the library: the results are the same, or
// both return an error.
func FuzzUnmarshal(f *testing.F) {
	for _, seed := range []string{
		`{"s":"a","named":"\u00e9","B":true,"I":1,"F":0.5,"M":{"k":"v"}}`, `{"inner":{"a":"x","b":false},"pointer":null,"List":[{"a":"\ud800"}]}`,
		`{"At":"2026-09-21T14:13:20Z","Bytes":"AQI=","R":[1, 2]}`, "{\"s\":\"\xff\"}", `{"s":"a","s":null}`, `{"Again":[{"Again":[]}]}`, `[]`, `{"s":`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want, got kinds
		wantErr := library.Unmarshal(text, &want, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
		gotErr := wire.Unmarshal(text, &got)
		if (wantErr == nil) != (gotErr == nil) {
			t.Fatalf("library: %v, wire: %v", wantErr, gotErr)
		}
		if wantErr == nil {
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("(-library +wire):\n%s", diff)
			}
		}
	})
}

// FuzzScan decodes text that is not checked. It must not panic.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{`{"s":"a","inner":{"a":"x"},"List":[{}]}`, `{"s":"\`, `{"M":{]`, `{"s":}`, `{"Bytes":`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		events := wire.Events([][]byte{text}, func(*kinds, *anymail.TrackingEvent) {})
		require.Len(t, events, 1)
	})
}

// Errors get into logs, which must hold nothing of a payload.
func TestErrorsDoNotQuote(t *testing.T) {
	type number struct{ N uint8 }
	type all struct {
		Number  int
		Time    time.Time
		Addr    netip.Addr
		Bytes   []byte
		Text    string
		Numbers map[string]int
		List    []number
	}
	for _, text := range []string{
		`{"Number": "SECRET"}`, `{"Number": 1234567890123456789012345}`, `{"Time": "SECRET"}`, `{"Time": 1}`, `{"Addr": "SECRET"}`,
		`{"Bytes": "SECRET!"}`, `{"Text": {"SECRET": 1}}`, `{"Numbers": {"SECRET": "1"}}`, `{"Numbers": "SECRET"}`,
		`{"List": [{"N": "SECRET"}]}`, `{"List": [{"N": 1234567890}]}`, `"SECRET"`, `SECRET`, `{"SECRET": }`, `{"SECRET": 1}}`,
	} {
		require.Error(t, wire.Unmarshal([]byte(text), new(all)), text)
		for _, v := range []any{new(all), new(map[string]number), new([]number), new(int)} {
			if err := wire.Unmarshal([]byte(text), v); err != nil {
				require.NotRegexp(t, "SECRET|12345", err.Error(), "%T %s", v, text)
			}
		}
	}
}
