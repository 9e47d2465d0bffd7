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
		{name: "invalid UTF-8", text: "{\"X-\xff\":\"\xfe\"}", want: wire.Headers{{Name: "X-\ufffd", Value: "\ufffd"}}},
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

func TestHeadersCustom(t *testing.T) {
	headers := wire.Headers{{Name: "Subject", Value: "Hi"}, {Name: "X-Order", Value: "42"}, {Name: "x-tag", Value: "a"}, {Name: "X-", Value: "no name"}}
	require.Equal(t, anymail.Metadata{"X-Order": "42", "x-tag": "a"}, headers.Custom())
	require.Nil(t, wire.Headers{{Name: "Subject", Value: "Hi"}}.Custom())
}
