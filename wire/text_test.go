package wire_test

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

func TestLooseTypes(t *testing.T) {
	type loose struct {
		Text  wire.Text
		List  wire.Strings
		Num   wire.Number
		Unix  wire.Unix
		Milli wire.UnixMilli
		RFC   wire.RFC3339
		Meta  wire.Metadata
	}
	at := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	tests := []struct {
		body string
		want loose
	}{
		{`{}`, loose{}},
		{`{"Text":null,"List":null,"Num":null,"Unix":null,"Milli":null,"RFC":null,"Meta":null}`, loose{}},
		{`{"Text":"","List":"","Num":"","Unix":"","Milli":"","RFC":"","Meta":""}`, loose{}},
		{`{"Text":{},"List":[],"Num":[],"Unix":{},"Milli":true,"RFC":[1],"Meta":[]}`, loose{Text: "{}"}},
		{`{"Text":12,"List":"a","Num":"1.5","Unix":"1790000000","Milli":"1790000000000","RFC":"2026-09-21T16:13:20+02:00","Meta":"{\"a\":\"b\"}"}`,
			loose{"12", wire.Strings{"a"}, wire.Number{Value: 1.5, Valid: true}, wire.Unix{Time: at}, wire.UnixMilli{Time: at}, wire.RFC3339{Time: at}, wire.Metadata{"a": "b"}}},
		{`{"Text":true,"List":["a",1,null],"Num":-2,"Unix":1790000000.25,"Milli":1790000000250,"RFC":"2026-09-21 14:13:20","Meta":{"n":9007199254740993}}`,
			loose{
				"true", wire.Strings{"a", "1", ""}, wire.Number{Value: -2, Valid: true}, wire.Unix{Time: at.Add(250 * time.Millisecond)},
				wire.UnixMilli{Time: at.Add(250 * time.Millisecond)}, wire.RFC3339{Time: at}, wire.Metadata{"n": json.Number("9007199254740993")},
			}},
		{`{"Unix":1.79e9,"Milli":1.79e12,"Num":"1e999","RFC":"2026-09-21T14:13:20.000000000Z","Meta":"not json"}`,
			loose{Unix: wire.Unix{Time: at}, Milli: wire.UnixMilli{Time: at}, RFC: wire.RFC3339{Time: at}}},
		{`{"Meta":[{"name":"a","value":1},{"Value":"b\u0062","NAME":"b"},{"value":"no name"},7]}`, loose{Meta: wire.Metadata{"a": "1", "b": "bb"}}},
		{`{"Meta":" {\"a\":[\"b\"]} "}`, loose{Meta: wire.Metadata{"a": []any{"b"}}}},
		{`{"Unix":-5,"Milli":-5,"Num":"NaN","RFC":"0000-00-00T00:00:00Z","Meta":17}`, loose{}},
		{`{"Unix":99999999999999,"Milli":9e99}`, loose{}},
	}
	for _, tt := range tests {
		var got loose
		require.NoError(t, wire.Unmarshal([]byte(tt.body), &got), tt.body)
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.body, diff)
		}
	}
}

func TestAddr(t *testing.T) {
	require.Equal(t, netip.MustParseAddr("192.0.2.1"), wire.Addr(" ::ffff:192.0.2.1"))
	require.Equal(t, netip.MustParseAddr("fe80::1"), wire.Addr("fe80::1%eth0"))
	for _, s := range []string{"", "x", "192.0.2.1:80", "192.0.2"} {
		require.False(t, wire.Addr(s).IsValid(), s)
	}
}

func TestTextIsUTF8(t *testing.T) {
	var text wire.Text
	require.NoError(t, wire.Unmarshal([]byte("{\"a\":\"\xff\"}"), &text))
	require.Equal(t, wire.Text("{\"a\":\"\ufffd\"}"), text)
}

func TestSource(t *testing.T) {
	for text, want := range map[string]string{
		`"a\r\n\u00e9"`: "a\r\né",
		`""`:            "",
		`null`:          "",
		`["a"]`:         "",
		`12`:            "",
	} {
		var got struct{ Source wire.Source }
		require.NoError(t, wire.Unmarshal([]byte(`{"Source":`+text+`}`), &got), text)
		require.Equal(t, want == "", got.Source.Empty(), text)
		require.Equal(t, want, string(got.Source.Decode(&anymail.Payload{})), text)
		require.Equal(t, want, string(got.Source.Decode(&anymail.Payload{})), "a payload that must not change was not changed")
		require.Equal(t, want, string(got.Source.Decode(nil)), text)
	}
}
