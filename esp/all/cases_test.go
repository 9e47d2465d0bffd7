package all_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/simulator"
)

const formType = "multipart/form-data; boundary=xYz"

// parts makes a multipart form of the header blocks and contents of its parts.
func parts(list ...string) string {
	return "--xYz\r\n" + strings.Join(list, "\r\n--xYz\r\n") + "\r\n--xYz--\r\n"
}

func field(name, value string) string {
	return "Content-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value
}

// winmail is the file that Outlook makes of a message with report.pdf.
const winmail = "eJ8+IgEAAQiABwAYAAAASVBNLk1pY3Jvc29mdCBNYWlsLk5vdGUAMQgBDIACAAcAAADP8Oji5fIAYAUCApAGAA4AAAAAAAAAAAAAAAAAAAAAAAAAAhCAAQALAAAAcmVwb3J0LnBkZgAEBAIPgAYABAAAACVQREb/AA=="

// cases are requests that real senders and mail programs cause and that are easily
// lost or misread. Want is a part of the JSON form of the first event.
var cases = []struct {
	name              string
	esp, endpoint     string
	contentType, body string // JSON if there is no content type
	want              string
	attachments       int // how many, if not 0
}{
	{
		name: "file name with quotes in it", esp: "sendgrid", endpoint: "inbound", contentType: formType,
		body: parts(field("headers", "From: Ada <ada@example.com>\nSubject: hi\n"), field("text", "hello"), field("attachments", "1"),
			"Content-Disposition: form-data; name=\"attachment1\"; filename=\"a \"b\" c.pdf\"\r\nContent-Type: application/pdf\r\n\r\n%PDF"),
		want:        `{"message":{"subject":"hi","text":"hello","attachments":[{"content_type":"application/pdf","size":4}]}}`,
		attachments: 1,
	},
	{
		name: "file name without quotes", esp: "sendgrid", endpoint: "inbound", contentType: formType,
		body: parts(field("headers", "From: Ada <ada@example.com>\n"), field("text", "hello"),
			"Content-Disposition: form-data; name=\"attachment1\"; filename=my report.pdf\r\nContent-Type: application/pdf\r\n\r\n%PDF"),
		want:        `{"message":{"text":"hello","attachments":[{"content_type":"application/pdf","size":4}]}}`,
		attachments: 1,
	},
	{
		name: "file name that is not closed", esp: "mailgun", endpoint: "inbound", contentType: formType,
		body: parts(field("recipient", "help@in.example"), field("from", "Ada <ada@example.com>"), field("body-plain", "hello"),
			field("message-headers", `[["Subject","hi"],["From","Ada <ada@example.com>"]]`),
			"Content-Disposition: form-data; name=\"attachment-1\"; filename=\"a.pdf\r\nContent-Type: application/pdf\r\n\r\n%PDF"),
		want:        `{"message":{"subject":"hi","text":"hello","attachments":[{"content_type":"application/pdf","size":4}]}}`,
		attachments: 1,
	},
	{
		name: "empty file name", esp: "sendgrid", endpoint: "inbound", contentType: formType,
		body: parts(field("headers", "From: Ada <ada@example.com>\n"), field("text", "hello"),
			"Content-Disposition: form-data; name=\"attachment1\"; filename=\"\"\r\nContent-Type: image/png\r\n\r\nPNG!"),
		want:        `{"message":{"attachments":[{"content_type":"image/png","size":4}]}}`,
		attachments: 1,
	},
	{
		name: "line breaks and NUL in a subject, Postmark", esp: "postmark", endpoint: "inbound",
		body: `{"FromFull":{"Email":"ada@example.com","Name":"A\r\nBcc: evil@example.com"},"ToFull":[{"Email":"b@in.example","Name":"n\u0000"}],
			"MessageID":"m","Subject":"s\r\nBcc: evil@example.com","TextBody":"a\u0000b","Headers":[]}`,
		want: `{"message":{"subject":"s  Bcc: evil@example.com","text":"ab","from":[{"name":"A  Bcc: evil@example.com","address":"ada@example.com"}],"to":[{"name":"n","address":"b@in.example"}]}}`,
	},
	{
		name: "line breaks in a subject, Brevo", esp: "brevo", endpoint: "inbound",
		body: `{"items":[{"Uuid":["u-1"],"MessageId":"<m@example.com>","From":{"Name":"A\r\nX: y","Address":"ada@example.com"},
			"To":[{"Name":"n","Address":"b@in.example"}],"Subject":"s\r\nBcc: evil@example.com","RawTextBody":"t","Headers":{}}]}`,
		want: `{"message":{"subject":"s  Bcc: evil@example.com","from":[{"name":"A  X: y","address":"ada@example.com"}]}}`,
	},
	{
		name: "several envelope recipients, SendGrid", esp: "sendgrid", endpoint: "inbound", contentType: formType,
		body: parts(field("headers", "From: Ada <ada@example.com>\n"), field("text", "hello"),
			field("envelope", `{"to":["support@in.example","sales@in.example"],"from":"ada@example.com"}`)),
		want: `{"message":{"envelope_sender":"ada@example.com","envelope_recipient":"support@in.example","envelope_recipients":["support@in.example","sales@in.example"]}}`,
	},
	{
		name: "an odd member of the envelope", esp: "sendgrid", endpoint: "inbound", contentType: formType,
		body: parts(field("headers", "From: Ada <ada@example.com>\n"), field("text", "hello"),
			field("envelope", `{"to":["support@in.example"],"from":"ada@example.com","size":{"bytes":"many"},"helo":7}`)),
		want: `{"message":{"envelope_sender":"ada@example.com","envelope_recipient":"support@in.example"}}`,
	},
	{
		name: "the only text has a name", esp: "mailgun", endpoint: "inbound_mime", contentType: formType,
		body: parts(field("recipient", "help@in.example"), field("body-mime", "From: ada@example.com\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"+
			"--b\r\nContent-Type: text/plain; name=body.txt\r\n\r\nhello\r\n--b\r\nContent-Type: text/html; name=body.html\r\n\r\n<p>hello</p>\r\n--b--\r\n")),
		want: `{"message":{"text":"hello","html":"<p>hello</p>"}}`,
	},
	{
		name: "a footer behind base64", esp: "mailgun", endpoint: "inbound_mime", contentType: formType,
		body: parts(field("recipient", "help@in.example"), field("body-mime", "From: ada@example.com\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"+
			"R3LDvMOfZQ==\r\n--\r\nThis list has rules, see https://lists.example.org\r\n")),
		want: `{"message":{"text":{"prefix":"Grüße"}}}`,
	},
	{
		name: "a charset that the bytes rule out", esp: "mailgun", endpoint: "inbound_mime", contentType: formType,
		body: parts(field("recipient", "help@in.example"), field("body-mime", "From: ada@example.com\r\nContent-Type: text/plain; charset=iso-2022-jp\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße")),
		want: `{"message":{"text":"Grüße"}}`,
	},
	{
		name: "a charset by a loose name", esp: "mailgun", endpoint: "inbound_mime", contentType: formType,
		body: parts(field("recipient", "help@in.example"), field("body-mime", "From: ada@example.com\r\nContent-Type: text/plain; charset=win-1251\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xcf\xf0\xe8\xe2\xe5\xf2")),
		want: `{"message":{"text":"Привет"}}`,
	},
	{
		name: "parameters of an attachment", esp: "mailgun", endpoint: "inbound_mime", contentType: formType,
		body: parts(field("recipient", "help@in.example"), field("body-mime", "From: ada@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n"+
			"--b\r\nContent-Type: text/calendar; charset=iso-8859-1; method=REPLY\r\nContent-Disposition: attachment; filename=invite.ics\r\n\r\nZ\xfcrich\r\n--b--\r\n")),
		want:        `{"message":{"text":"hello","attachments":[{"content_type":"text/calendar","filename":"invite.ics","params":{"charset":"iso-8859-1","method":"REPLY"}}]}}`,
		attachments: 1,
	},
	{
		name: "winmail.dat, Postmark", esp: "postmark", endpoint: "inbound",
		body: `{"FromFull":{"Email":"ada@example.com"},"MessageID":"m","TextBody":"hello","Attachments":[{"Name":"winmail.dat","ContentType":"application/ms-tnef","Content":"` + winmail + `"}]}`,
		want: `{"message":{"text":"hello","attachments":[{"filename":"report.pdf","size":4}]}}`,
	},
	{
		name: "winmail.dat, SendGrid", esp: "sendgrid", endpoint: "inbound", contentType: formType,
		body: parts(field("headers", "From: Ada <ada@example.com>\n"), field("text", "hello"),
			"Content-Disposition: form-data; name=\"attachment1\"; filename=\"winmail.dat\"\r\nContent-Type: application/ms-tnef\r\n\r\n"+decoded(winmail)),
		want: `{"message":{"text":"hello","attachments":[{"filename":"report.pdf","size":4}]}}`,
	},
	{
		name: "winmail.dat, Mailgun", esp: "mailgun", endpoint: "inbound", contentType: formType,
		body: parts(field("recipient", "help@in.example"), field("from", "Ada <ada@example.com>"), field("body-plain", "hello"),
			"Content-Disposition: form-data; name=\"attachment-1\"; filename=\"winmail.dat\"\r\nContent-Type: application/ms-tnef\r\n\r\n"+decoded(winmail)),
		want: `{"message":{"text":"hello","attachments":[{"filename":"report.pdf","size":4}]}}`,
	},
	{
		name: "an event at the top of the body", esp: "unisendergo", endpoint: "tracking",
		body: `{"auth":"x","retry_count":1,"event_name":"transactional_email_status","status":"delivered","email":"ada@example.com","job_id":"job-1"}`,
		want: `{"event_type":"delivered","recipient":"ada@example.com","message_id":"job-1"}`,
	},
	{
		name: "custom arguments that SendGrid has names for", esp: "sendgrid", endpoint: "tracking",
		body: `[{"event":"delivered","email":"ada@example.com","timestamp":1790000000,"sg_event_id":"e","sg_message_id":"abc.filter0001.1.2.0","campaign_id":"c-1","template":"t-1","pool":"blue"}]`,
		want: `{"event_type":"delivered","metadata":{"campaign_id":"c-1","template":"t-1","pool":"blue"}}`,
	},
	{
		name: "no such user behind 5.7.1", esp: "postmark", endpoint: "tracking",
		body: `{"RecordType":"Bounce","ID":7,"Type":"HardBounce","MessageID":"m","Email":"ada@example.com","Details":"smtp;550 5.7.1 No such user!"}`,
		want: `{"event_type":"bounced","reject_reason":"invalid","bounce":{"category":"hard","smtp_code":550,"enhanced_code":"5.7.1"}}`,
	},
	{
		name: "a code within the answer", esp: "mailgun", endpoint: "tracking",
		body: `{"signature":{},"event-data":{"event":"failed","severity":"permanent","reason":"bounce","id":"i","timestamp":1790000000,"recipient":"ada@example.net",
			"delivery-status":{"code":550,"message":"","description":"host mx.example.net[192.0.2.1] said: 550 5.1.1 <ada@example.net>: gone (in reply to RCPT TO command)"}}}`,
		want: `{"event_type":"bounced","reject_reason":"invalid","bounce":{"category":"hard","smtp_code":550,"enhanced_code":"5.1.1"}}`,
	},
}

func decoded(text string) string {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic(err) // the constant above
	}
	return string(b)
}

// TestCases parses each of the cases as the adapter with its default settings does.
func TestCases(t *testing.T) {
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			spec, ok := all.Find(tt.esp)
			require.True(t, ok)
			adapter, err := spec.Adapter(esp.Values{})
			require.NoError(t, err)
			contentType := tt.contentType
			if contentType == "" {
				contentType = "application/json"
			}
			events, err := simulator.Parse(adapter, simulator.Request{
				Endpoint: tt.endpoint, Header: http.Header{"Content-Type": {contentType}}, Body: []byte(tt.body),
			})
			require.NoError(t, err)
			require.NotEmpty(t, events)
			form, err := json.Marshal(events[0])
			require.NoError(t, err)
			var got, want any
			require.NoError(t, json.Unmarshal(form, &got))
			require.NoError(t, json.Unmarshal([]byte(tt.want), &want))
			requireWithin(t, "event", want, got)
			if ev, ok := events[0].(*anymail.InboundEvent); ok && tt.attachments > 0 {
				require.Len(t, ev.Message.Attachments, tt.attachments)
			}
		})
	}
}

// requireWithin demands that every member of want is in got. An object with
// nothing but a prefix stands for a string that begins so.
func requireWithin(t *testing.T, at string, want, got any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		if prefix, ok := w["prefix"].(string); ok && len(w) == 1 {
			text, _ := got.(string)
			require.True(t, strings.HasPrefix(text, prefix), "%s is %q, want it to begin with %q", at, text, prefix)
			return
		}
		g, ok := got.(map[string]any)
		require.True(t, ok, "%s is %v, want an object", at, got)
		for name, value := range w {
			requireWithin(t, at+"."+name, value, g[name])
		}
	case []any:
		g, ok := got.([]any)
		require.True(t, ok && len(g) == len(w), "%s is %v, want %v", at, got, want)
		for i := range w {
			requireWithin(t, at, w[i], g[i])
		}
	default:
		require.True(t, reflect.DeepEqual(want, got), "%s is %v, want %v", at, got, want)
	}
}
