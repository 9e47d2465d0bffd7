package provenance_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail/internal/provenance"
	"github.com/goanymail/anymail/simulator"
)

const mail = "From: Ada <ada@example.com>\r\nSubject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@example.com>\r\n\r\nSee you.\r\n"

func TestMembers(t *testing.T) {
	form := simulator.Multipart("", simulator.Field{Name: "subject", Value: "Hi"}, simulator.Field{Name: "to", Value: `["a"]`},
		simulator.Field{Name: "file", Filename: "dot.png", Value: "\x89PNG"})
	inMail := func(path string) [][2]string {
		return [][2]string{
			{path + " › From", "Ada <ada@example.com>"}, {path + " › Subject", "Grüße"}, {path + " › Message-ID", "<1@example.com>"},
			{path + " › text", "See you.\r\n"},
		}
	}
	for name, tt := range map[string]struct {
		contentType, body string
		want              [][2]string
	}{
		"JSON": {
			"application/json", ` { "a" : "x" , "b":[1.50,true,null,{"c d":"\u00e9"}], "e":{"f-g":"h"}} `,
			[][2]string{{"a", "x"}, {"b[0]", "1.50"}, {"b[1]", "true"}, {`b[3]["c d"]`, "é"}, {"e.f-g", "h"}},
		},
		"JSON in JSON":     {"", `{"Message":"{\"mail\":{\"id\":\"1\"}}","note":"{no JSON"}`, [][2]string{{"Message.mail.id", "1"}, {"note", "{no JSON"}}},
		"broken JSON":      {"", `{"a":"x","b":`, [][2]string{{"a", "x"}}},
		"form":             {"application/x-www-form-urlencoded", "a=b+c&events=%5B%7B%22d%22%3A1%7D%5D&bad=%zz&=", [][2]string{{"a", "b c"}, {"events[0].d", "1"}}},
		"multipart":        {form.Header.Get("Content-Type"), string(form.Body), [][2]string{{"subject", "Hi"}, {"to[0]", "a"}, {"file › filename", "dot.png"}}},
		"a mail":           {"", string(simulator.MustJSON(map[string]string{"raw": mail})), inMail("raw")},
		"a mail in base64": {"", string(simulator.MustJSON(map[string]string{"raw": base64.StdEncoding.EncodeToString([]byte(mail))})), inMail("raw")},
		"nothing":          {"text/plain", "hello", nil},
		"too deep":         {"", strings.Repeat("[", 10_000), nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got [][2]string
			for _, m := range provenance.Members(tt.contentType, []byte(tt.body)) {
				got = append(got, [2]string{m.Path, m.Value})
			}
			require.Empty(t, cmp.Diff(tt.want, got))
		})
	}
}

// sources maps each field to "member how", in order.
func sources(l provenance.Listing) map[string]string {
	list := map[string]string{}
	for _, f := range l.Fields {
		var parts []string
		for _, s := range f.From {
			parts = append(parts, s.Path+" "+string(s.Match))
		}
		list[f.Name] = strings.Join(parts, "; ")
	}
	return list
}

func only(l provenance.Listing) (paths []string) {
	for _, m := range l.OnlyInRaw {
		paths = append(paths, m.Path)
	}
	return paths
}

func TestValues(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	for name, tt := range map[string]struct {
		ev   anymail.TrackingEvent
		raw  string
		want map[string]string
		only []string
	}{
		"equal": {
			anymail.TrackingEvent{Recipient: "ada@example.com", Metadata: anymail.Metadata{"n": json.Number("42000")}},
			`{"to":"ada@example.com","vars":{"n":42000},"x":"y"}`,
			map[string]string{"recipient": "to same", "metadata.n": "vars.n same"}, []string{"x"},
		},
		"of two, the one with the name": {
			anymail.TrackingEvent{Recipient: "ada@example.com"},
			`{"from":"ada@example.com","recipientAddress":"ada@example.com"}`,
			map[string]string{"recipient": "recipientAddress same"}, []string{"from"},
		},
		"brackets and case": {
			anymail.TrackingEvent{MessageID: "1@example.com"}, `{"smtp-id":"<1@Example.com>"}`,
			map[string]string{"message_id": "smtp-id alike"}, nil,
		},
		"within": {
			anymail.TrackingEvent{Bounce: anymail.Bounce{SMTPCode: 550, EnhancedCode: "5.1.1"}}, `{"a":"x5501","reply":"smtp; 550 5.1.1 unknown"}`,
			map[string]string{"bounce.smtp_code": "reply within", "bounce.enhanced_code": "reply within"}, []string{"a"},
		},
		"part of a number is no match": {
			anymail.TrackingEvent{Bounce: anymail.Bounce{SMTPCode: 250}}, `{"ts":1790000000.250}`,
			map[string]string{"bounce.smtp_code": ""}, []string{"ts"},
		},
		"a word of the library only by name": {
			anymail.TrackingEvent{RejectReason: anymail.RejectInvalid}, `{"status":"invalid","rejectReason":"Invalid","event":"UNKNOWN"}`,
			map[string]string{"reject_reason": "rejectReason alike", "event_type": "event alike"}, []string{"status"},
		},
		"short values only by name": {
			anymail.TrackingEvent{Geo: anymail.Geo{Country: "DE", City: "X"}, Automated: anymail.Yes}, `{"country":"DE","lang":"X","bot":true}`,
			map[string]string{"geo.country": "country same", "geo.city": "", "automated": ""}, []string{"lang", "bot"},
		},
		"nowhere": {
			anymail.TrackingEvent{IP: netip.MustParseAddr("192.0.2.1")}, `{"ip":"none"}`,
			map[string]string{"ip": ""}, []string{"ip"},
		},
		"seconds":      {anymail.TrackingEvent{Common: anymail.Common{Timestamp: at}}, `{"ts":1790000000,"x":1790000001}`, map[string]string{"timestamp": "ts same instant"}, []string{"x"}},
		"milliseconds": {anymail.TrackingEvent{Common: anymail.Common{Timestamp: at}}, `{"ts":1790000000000}`, map[string]string{"timestamp": "ts same instant"}, nil},
		"a zone":       {anymail.TrackingEvent{Common: anymail.Common{Timestamp: at}}, `{"at":"2026-09-21T16:13:20+02:00"}`, map[string]string{"timestamp": "at same instant"}, nil},
		"a mail's":     {anymail.TrackingEvent{Common: anymail.Common{Timestamp: at}}, `{"at":"Mon, 21 Sep 2026 14:13:20 +0000 (UTC)"}`, map[string]string{"timestamp": "at same instant"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tt.ev.Raw = anymail.Raw(tt.raw)
			tt.ev.Type = anymail.EventUnknown
			if tt.want["event_type"] == "" {
				tt.want["event_type"] = ""
			}
			l := provenance.List(&tt.ev, provenance.Body{Content: tt.ev.Raw})
			require.Empty(t, cmp.Diff(tt.want, sources(l)))
			require.Equal(t, tt.only, only(l))
		})
	}
}

// An event of a batch is compared with itself and with what surrounds it, not
// with other events.
func TestBatch(t *testing.T) {
	const own = `{"whom":"ada@example.com","id":"2"}`
	event := func(recipient, id string) *anymail.TrackingEvent {
		return &anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnknown, ID: id, Raw: anymail.Raw(own)}, Recipient: recipient}
	}
	body := provenance.Body{Content: []byte(`{"webhook-id":"msg-1","events":[{"whom":"bob@example.com","id":"1"},` + own + `]}`)}
	l := provenance.List(event("ada@example.com", "msg-1"), body)
	require.Empty(t, cmp.Diff(map[string]string{"event_type": "", "event_id": "webhook-id same", "recipient": "whom same"}, sources(l)))
	require.Equal(t, []string{"id"}, only(l))
	l = provenance.List(event("bob@example.com", ""), body)
	require.Empty(t, sources(l)["recipient"], "of another event")
}

// The event may be a text within the body.
func TestWrapped(t *testing.T) {
	const event = `{"whom":"ada@example.com"}`
	ev := &anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnknown, ID: "id-1", Raw: anymail.Raw(event)}, Recipient: "ada@example.com"}
	want := map[string]string{"event_type": "", "event_id": "ID same", "recipient": "whom same"}
	body := simulator.MustJSON(map[string]string{"ID": "id-1", "Message": event})
	require.Empty(t, cmp.Diff(want, sources(provenance.List(ev, provenance.Body{Content: body}))))
	form := simulator.URLEncoded("", map[string][]string{"events": {event}, "ID": {"id-1"}})
	require.Empty(t, cmp.Diff(want, sources(provenance.List(ev, provenance.Body{ContentType: form.Header.Get("Content-Type"), Content: form.Body}))))
}

// A value may be in a header, or in a fetched document.
func TestOthers(t *testing.T) {
	ev := &anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnknown, ID: "msg-1", Raw: anymail.Raw(`{}`)}}
	l := provenance.List(ev, provenance.Body{Content: ev.Raw, Others: []provenance.Member{{Path: "header Svix-Id", Value: "msg-1"}}})
	require.Equal(t, "header Svix-Id same", sources(l)["event_id"])
}

func TestInboundMail(t *testing.T) {
	ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound}, Message: anymail.InboundMessage{
		From: []anymail.Address{{Name: "Ada", Address: "ada@example.com"}}, Subject: "Grüße", Text: "See you.\r\n", RawMIME: anymail.Raw(mail),
		Headers: anymail.Headers{{Name: "From", Value: "Ada <ada@example.com>"}, {Name: "Subject", Value: "Grüße"}, {Name: "Message-ID", Value: "<1@example.com>"}},
	}}
	ev.Raw = anymail.Raw(simulator.MustJSON(map[string]string{"sender": "ada@example.com", "email": mail}))
	l := provenance.List(ev, provenance.Body{Content: ev.Raw})
	require.Empty(t, cmp.Diff(map[string]string{
		"event_type": "", "message.from[0].name": "email › From within", "message.from[0].address": "sender same", "message.subject": "email › Subject same",
		"message.text": "email › text same",
	}, sources(l)))
	require.Empty(t, l.OnlyInRaw, "all headers are in message.headers")

	ev.Message.RawMIME = nil
	ev.Raw = anymail.Raw(`{"Headers":[{"Name":"From","Value":"Ada <ada@example.com>"},{"Name":"Subject","Value":"Grüße"},{"Name":"Message-ID","Value":"<1@example.com>"}]}`)
	l = provenance.List(ev, provenance.Body{Content: ev.Raw})
	require.Empty(t, l.OnlyInRaw)
	ev.Raw = anymail.Raw(`{"email":{"headers":{"From":"Ada <ada@example.com>","Subject":"Grüße","Message-ID":["<1@example.com>"]}},"x":"y"}`)
	l = provenance.List(ev, provenance.Body{Content: ev.Raw})
	require.Equal(t, []string{"x"}, only(l))
}

// The listing of a large event is bounded.
func TestBounds(t *testing.T) {
	var b strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&b, `,"m%d":"%d"`, i, i)
	}
	ev := &anymail.TrackingEvent{Common: anymail.Common{Raw: anymail.Raw("{" + b.String()[1:] + "}")}, Recipient: "17"}
	require.Len(t, provenance.List(ev, provenance.Body{Content: ev.Raw}).OnlyInRaw, 5000)
}
