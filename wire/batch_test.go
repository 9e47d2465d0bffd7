package wire_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

func TestSplit(t *testing.T) {
	tests := []struct {
		body string
		want []string
		err  error
	}{
		{`[{"a":1}, {"a" : [2]} ,3]`, []string{`{"a":1}`, `{"a" : [2]}`, `3`}, nil},
		{" \r\n[ ] ", nil, nil},
		{` {"a":1} `, []string{`{"a":1}`}, nil},
		{`[{"a":1,"a":2},"` + "\xff" + `"]`, []string{`{"a":1,"a":2}`, "\"\xff\""}, nil},
		{`["\ud800"]`, []string{`"\ud800"`}, nil},
		{`[1,2,3,4]`, nil, anymail.ErrTooLarge},
		{``, nil, anymail.ErrMalformed},
		{`"text"`, nil, anymail.ErrMalformed},
		{`12`, nil, anymail.ErrMalformed},
		{`[1,]`, nil, anymail.ErrMalformed},
		{`[1`, nil, anymail.ErrMalformed},
		{`[1]]`, nil, anymail.ErrMalformed},
		{`[1] x`, nil, anymail.ErrMalformed},
		{`{"a":1}{"a":2}`, nil, anymail.ErrMalformed},
		{strings.Repeat("[", 100_000), nil, anymail.ErrMalformed},
		{strings.Repeat(`{"a":`, 20_000), nil, anymail.ErrMalformed},
	}
	for _, tt := range tests {
		got, err := wire.Split([]byte(tt.body), anymail.Limits{BatchEvents: 3})
		require.ErrorIs(t, err, tt.err, "%.40s", tt.body)
		var texts []string
		for _, element := range got {
			texts = append(texts, string(element))
			require.Equal(t, len(element), cap(element), "appending must not write into the body")
		}
		require.Equal(t, tt.want, texts, "%.40s", tt.body)
	}
}

// An error has the place and nothing of the text.
func TestSplitLines(t *testing.T) {
	tests := []struct {
		body string
		want []string
		err  error
	}{
		{`[{"a":1},{"a":2}]`, []string{`{"a":1}`, `{"a":2}`}, nil},
		{"{\n\"a\":1\n}\n", []string{"{\n\"a\":1\n}"}, nil},
		{"{\"a\":1}\r\n\n{\"a\":2}\n", []string{`{"a":1}`, `{"a":2}`}, nil},
		{"{\"a\":1}\n{\"a\":", []string{`{"a":1}`, `{"a":`}, nil},
		{"{}\n{}\n{}\n{}\n", nil, anymail.ErrTooLarge},
		{"one\ntwo\n", nil, anymail.ErrMalformed},
		{"\n\n", nil, anymail.ErrMalformed},
	}
	for _, tt := range tests {
		got, err := wire.SplitLines([]byte(tt.body), anymail.Limits{BatchEvents: 3})
		require.ErrorIs(t, err, tt.err, tt.body)
		var texts []string
		for _, element := range got {
			texts = append(texts, string(element))
			require.Equal(t, len(element), cap(element), "appending must not write into the body")
		}
		require.Equal(t, tt.want, texts, tt.body)
	}
}

func TestErrorsHoldNoPayload(t *testing.T) {
	_, err := wire.Split([]byte(`[{"email": ada@example.com}]`), anymail.Limits{})
	require.ErrorContains(t, err, "byte 11")
	require.NotContains(t, err.Error(), "ada")
}

type event struct {
	ID    string
	Event string
	Count int
}

func TestEventsIsolatesMalformedElements(t *testing.T) {
	body := []byte(`[{"ID":"1","Event":"ok","Extra":{}}, {"ID":2}, null, "x", {"ID":"3","Event":"panic"}, {"ID":"4","Event":"ok","id":"other"}]`)
	p := &anymail.Payload{Body: body}
	events, err := wire.Batch(p, func(w *event, ev *anymail.TrackingEvent) {
		if w.Event == "panic" {
			panic("a bug in the mapping")
		}
		ev.ID, ev.Type = w.ID, anymail.EventDelivered
	})
	require.NoError(t, err)
	var got []string
	for _, ev := range events {
		tracking := ev.(*anymail.TrackingEvent)
		got = append(got, fmt.Sprintf("%s|%s|%s", tracking.Type, tracking.ID, tracking.Raw))
		require.Equal(t, tracking.Type == anymail.EventUnknown, strings.HasPrefix(tracking.Description, "malformed event: "))
	}
	require.Equal(t, []string{
		`delivered|1|{"ID":"1","Event":"ok","Extra":{}}`,
		`unknown||{"ID":2}`,
		`unknown||null`,
		`unknown||"x"`,
		`unknown||{"ID":"3","Event":"panic"}`,
		`delivered|4|{"ID":"4","Event":"ok","id":"other"}`,
	}, got)
}

func TestAtLeastOne(t *testing.T) {
	one := []anymail.Event{&anymail.TrackingEvent{}}
	events, err := wire.AtLeastOne(one, nil)
	require.NoError(t, err)
	require.Equal(t, one, events)
	_, err = wire.AtLeastOne(nil, nil)
	require.ErrorIs(t, err, anymail.ErrMalformed)
	_, err = wire.AtLeastOne(nil, anymail.ErrTooLarge)
	require.Equal(t, anymail.ErrTooLarge, err)
}

// Strings that need unescaping or repair are right next to those that do not.
func TestEventsStrings(t *testing.T) {
	type texts struct {
		A, B string
		T    wire.Text
		L    wire.Strings
	}
	tests := []struct {
		body string
		want texts
	}{
		{`{"A":"plain","B":"é✓","T":"t","L":["x","y","z"]}`, texts{"plain", "é✓", "t", wire.Strings{"x", "y", "z"}}},
		{`{"A":"a\"b\\\u00e9\n","B":"","T":"\/","L":"one"}`, texts{"a\"b\\é\n", "", "/", wire.Strings{"one"}}},
		{`{"A":"\ud800!","B":"` + "\xff" + `","T":null,"L":null}`, texts{"\ufffd!", "\ufffd", "", nil}},
		{`{"A":null,"T":-1.5,"L":["a\tb",7]}`, texts{"", "", "-1.5", wire.Strings{"a\tb", "7"}}},
	}
	for _, tt := range tests {
		var got texts
		events := wire.Events([][]byte{[]byte(tt.body)}, func(w *texts, _ *anymail.TrackingEvent) { got = *w })
		require.Empty(t, events[0].(*anymail.TrackingEvent).Description, tt.body)
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.body, diff)
		}
		var plain texts
		require.NoError(t, wire.Unmarshal([]byte(tt.body), &plain))
		require.Equal(t, tt.want, plain, "decoded by itself")
	}
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte(`[{"a":1},2]`))
	f.Add([]byte(`{"a":"\ud800"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		before := string(body)
		elements, err := wire.Split(body, anymail.Limits{})
		require.Equal(t, before, string(body))
		if err != nil {
			require.Empty(t, elements)
			return
		}
		for _, element := range elements {
			var v any
			require.NoError(t, wire.Unmarshal(element, &v))
		}
	})
}
