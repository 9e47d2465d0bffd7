package wire_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/wire"
)

func TestMembers(t *testing.T) {
	type member struct{ Name, Value string }
	tests := []struct {
		name, object string
		want         []member
	}{
		{"in order, repeats kept", `{"b":1,"a":"x","b":[2, 3]}`, []member{{"b", "1"}, {"a", `"x"`}, {"b", "[2, 3]"}}},
		{"white space", " {\n \"a\" : { \"b\" : null } , \"c\":\"\" }\r\n", []member{{"a", `{ "b" : null }`}, {"c", `""`}}},
		{"escaped names", `{"\u0061\"b":true}`, []member{{`a"b`, "true"}}},
		{"names that are not UTF-8", "{\"a\xff\":1}", []member{{"a\ufffd", "1"}}},
		{"the empty name", `{"":0}`, []member{{"", "0"}}},
		{"nothing", `{}`, nil},
		{"not an object", `[{"a":1}]`, nil},
		{"not JSON", `x`, nil},
		{"empty", ``, nil},
		{"cut off", `{"a":1,"b":{"c"`, []member{{"a", "1"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []member
			for name, value := range wire.Members([]byte(tt.object)) {
				got = append(got, member{string(name), string(value)})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// An iteration may end early and may contain another.
func TestMembersNested(t *testing.T) {
	var names []string
	for name, value := range wire.Members([]byte(`{"a":{"b":1,"c":2},"d":3}`)) {
		names = append(names, string(name))
		for inner := range wire.Members(value) {
			names = append(names, string(inner))
			break
		}
	}
	require.Equal(t, []string{"a", "b", "d"}, names)
}

func TestFrom(t *testing.T) {
	for object, want := range map[string]string{
		`{"a":{"in":1},"in":{"b":[2]},"in":3} `: `{"b":[2]},"in":3} `,
		`{"\u0069n" : null}`:                    `null}`,
		`{"a":{"in":1}}`:                        ``,
		`["in",{"in":1}]`:                       ``,
		`{"in":`:                                ``,
		`{"a":{`:                                ``,
		` `:                                     ``,
	} {
		require.Equal(t, want, string(wire.From([]byte(object), "in")), object)
	}
}

func TestStringMember(t *testing.T) {
	for object, want := range map[string]string{
		`{"a":1,"type":"x\u0041"}`:             "xA",
		`{"type":"first","type":"second"}`:     "first",
		`{"type":null,"type":"second"}`:        "",
		`{"type":["x"]}`:                       "",
		`{"Type":"x","data":{"type":"y"}}`:     "",
		`{"type":"x","cut":`:                   "x",
		`[{"type":"x"}]`:                       "",
		``:                                     "",
		"{\"\\u0074ype\":\"escaped\"}":         "escaped",
		`{"data":{"deep":[{}]},"type":"last"}`: "last",
	} {
		require.Equal(t, want, wire.StringMember([]byte(object), "type"), object)
	}
}

func TestAny(t *testing.T) {
	for text, want := range map[string]any{
		`"Gr\u00fc\u00dfe"`:       "Grüße",
		`"a\"b"`:                  `a"b`,
		"\"\xff\"":                "\ufffd",
		`9007199254740993`:        json.Number("9007199254740993"),
		`-1.50`:                   json.Number("-1.50"),
		`true`:                    true,
		`null`:                    nil,
		`[1,"x"]`:                 []any{json.Number("1"), "x"},
		`{"a":{"b":false},"n":2}`: map[string]any{"a": map[string]any{"b": false}, "n": json.Number("2")},
		``:                        nil,
		`nonsense`:                nil,

		// White space around a value, as JSON defines it, and not as Unicode does.
		" \t\r\n\"a b \" \t\r\n": "a b ",
		" 1.50 ":                 json.Number("1.50"),
		"\ntrue\n":               true,
		"false ":                 false,
		" null":                  nil,
		"\n[ 1 ]\n":              []any{json.Number("1")},
		" {\"a\": 1} ":           map[string]any{"a": json.Number("1")},
		" \t\r\n":                nil,
		"\u00a0true":             nil,
	} {
		if diff := cmp.Diff(want, wire.Any([]byte(text))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// FuzzMembers compares Members with encoding/json, for objects that it accepts.
// No other input makes Members panic.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{`{"a":1,"b":{"c":[null]}}`, `{"\u0061":"\ud800"}`, `{"a":`, `[]`, "{\"\xff\":0}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		got := map[string]any{}
		for name, value := range wire.Members(object) {
			got[string(name)] = wire.Any(value)
		}
		var want map[string]any
		if json.Unmarshal(object, &want) != nil || want == nil {
			return
		}
		for name := range want {
			if _, ok := got[name]; !ok {
				t.Errorf("member %q is missing", name)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d members, want %d", len(got), len(want))
		}
	})
}
