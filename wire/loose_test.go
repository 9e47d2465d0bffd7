package wire_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

func TestObject(t *testing.T) {
	type detail struct {
		Reason string `json:"reason"`
	}
	for text, want := range map[string]detail{
		`{"reason":"full"}`: {Reason: "full"},
		`{}`:                {},
		`[]`:                {},
		`["full"]`:          {},
		`""`:                {},
		`"full"`:            {},
		`null`:              {},
		`7`:                 {},
	} {
		got := wire.Object[detail]{Value: detail{Reason: "of the event before"}}
		require.NoError(t, wire.Unmarshal([]byte(text), &got), text)
		require.Equal(t, want, got.Value, text)
	}
	var o wire.Object[detail]
	require.Error(t, wire.Unmarshal([]byte(`{"reason":[1]}`), &o))
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

func TestTextIsUTF8(t *testing.T) {
	var text wire.Text
	require.NoError(t, wire.Unmarshal([]byte("{\"a\":\"\xff\"}"), &text))
	require.Equal(t, wire.Text("{\"a\":\"\ufffd\"}"), text)
}

func TestHeaders(t *testing.T) {
	tests := []struct {
		name, text string
		want       wire.Headers
	}{
		{
			name: "object, in its order, with repeats",
			text: `{"Received":["from b","from a"],"Subject":"Hi","X-Empty":"","X-Number":7,"Also":null,"Alpha":"last"}`,
			want: wire.Headers{
				{Name: "Received", Value: "from b"}, {Name: "Received", Value: "from a"}, {Name: "Subject", Value: "Hi"},
				{Name: "X-Empty"}, {Name: "X-Number", Value: "7"}, {Name: "Also"}, {Name: "Alpha", Value: "last"},
			},
		},
		{
			name: "a name twice",
			text: `{"Received":"from b","Received":"from a"}`,
			want: wire.Headers{{Name: "Received", Value: "from b"}, {Name: "Received", Value: "from a"}},
		},
		{
			name: "list of objects",
			text: `[{"name":"X-Tags","value":"a"},{"Name":"X-Tags","Value":"b"},{"value":"nameless"},"no object",null]`,
			want: wire.Headers{{Name: "X-Tags", Value: "a"}, {Name: "X-Tags", Value: "b"}},
		},
		{name: "no UTF-8", text: "{\"X-\xff\":\"\xfe\"}", want: wire.Headers{{Name: "X-\ufffd", Value: "\ufffd"}}},
		{name: "empty object", text: `{}`},
		{name: "empty list", text: `[]`},
		{name: "null", text: `null`},
		{name: "text", text: `"Subject: Hi"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := wire.Headers{{Name: "of", Value: "the event before"}}
			require.NoError(t, wire.Unmarshal([]byte(tt.text), &got))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSuppression(t *testing.T) {
	for words, want := range map[string]anymail.RejectReason{
		"":                                    anymail.RejectBlocked,
		"blocked : due to blacklist user":     anymail.RejectBlocked,
		"blocked : due to unsubscribed user":  anymail.RejectUnsubscribed,
		"contactFlaggedAsSpam":                anymail.RejectSpam,
		"COMPLAINT":                           anymail.RejectSpam,
		"hardBounce":                          anymail.RejectBounced,
		"invalid address":                     anymail.RejectInvalid,
		"unsubscribed after a spam complaint": anymail.RejectSpam,
	} {
		require.Equal(t, want, wire.Suppression(words), words)
	}
}
