package wire_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

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

// An error tells where, and nothing of what stands there.
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

func TestEventsIsolatesWhatIsMalformed(t *testing.T) {
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

// Strings that need unescaping or repair come out right among those that do not.
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

func TestNumber(t *testing.T) {
	require.Nil(t, wire.Number{}.Pointer())
	require.InDelta(t, 2.5, *wire.ParseNumber(" 2.5 ").Pointer(), 0)
	require.Equal(t, 2, wire.ParseNumber("2.9").Int())
	require.Equal(t, 0, wire.ParseNumber("1e300").Int())
}

func TestUnixTimeIsExact(t *testing.T) {
	require.Equal(t, int64(123456789), int64(wire.UnixTime("1790000000.123456789").Nanosecond()))
	require.Equal(t, int64(100000000), int64(wire.UnixTime("1790000000.1").Nanosecond()))
	for _, s := range []string{"", "0", "x", "1790000000.x", "-1", "1e99", "1790000000.-1"} {
		require.True(t, wire.UnixTime(s).IsZero(), s)
	}
}

func TestTime(t *testing.T) {
	want := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	require.Equal(t, want, wire.Time("2026-09-21 14:13:20", time.RFC3339, "2006-01-02 15:04:05"))
	require.Equal(t, want, wire.Time("2026-09-21T10:13:20-04:00", time.RFC3339))
	require.True(t, wire.Time("yesterday", time.RFC3339).IsZero())
}

func TestAddr(t *testing.T) {
	require.Equal(t, netip.MustParseAddr("192.0.2.1"), wire.Addr(" ::ffff:192.0.2.1"))
	require.Equal(t, netip.MustParseAddr("fe80::1"), wire.Addr("fe80::1%eth0"))
	for _, s := range []string{"", "x", "192.0.2.1:80", "192.0.2"} {
		require.False(t, wire.Addr(s).IsValid(), s)
	}
}

func TestSMTP(t *testing.T) {
	tests := []struct {
		response string
		code     int
		enhanced string
	}{
		{"550 5.1.1 no such user", 550, "5.1.1"},
		{"550-5.1.1 no such user", 550, "5.1.1"},
		{"smtp;550 5.1.1 no such user", 550, "5.1.1"},
		{"SMTP; 452 4.2.2 full", 452, "4.2.2"},
		{"550: blocked", 550, ""},
		{"421", 421, ""},
		{"5.7.1 refused", 0, "5.7.1"},
		{"550 [192.0.2.1] is listed", 550, ""},
		{"(550 5.7.606) banned", 550, "5.7.606"},
		{"host said: 550 5.1.1", 0, ""},
		{"Delivered after 250 seconds", 0, ""},
		{"999 9.9.9", 0, ""},
		{"", 0, ""},
	}
	for _, tt := range tests {
		code, enhanced := wire.SMTP(tt.response)
		require.Equal(t, tt.code, code, tt.response)
		require.Equal(t, tt.enhanced, enhanced, tt.response)
	}
}

func TestEnhancedCode(t *testing.T) {
	for _, s := range []string{"5.1.1", "4.7.28", "2.0.0", "5.7.606"} {
		require.Equal(t, s, wire.EnhancedCode(s))
	}
	for _, s := range []string{"", "5", "5.1", "3.1.1", "5.1.1.1", "5.1111.1", "5..1", "55.1.1", "5.1.x", "550"} {
		require.Empty(t, wire.EnhancedCode(s), s)
	}
}

func TestAnswer(t *testing.T) {
	ev := &anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventDeferred}, Bounce: anymail.Bounce{Category: anymail.BounceSoft}}
	wire.Answer(ev, "451 4.7.1 later")
	require.Equal(t, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.7.1"}, ev.Bounce)
	ev = &anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventDelivered}}
	wire.Answer(ev, "250 2.0.0 ok")
	require.Equal(t, "250 2.0.0 ok", ev.MTAResponse)
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

func FuzzSMTP(f *testing.F) {
	f.Add("550 5.1.1 x")
	f.Fuzz(func(t *testing.T, s string) {
		code, enhanced := wire.SMTP(s)
		if code != 0 && (code < 200 || code > 599) {
			t.Error(code)
		}
		if enhanced != "" && wire.EnhancedCode(enhanced) == "" {
			t.Error(enhanced)
		}
	})
}
