package allsim_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

// ownMessages are messages of a user, and what they say.
var ownMessages = map[string]struct {
	mime string
	want anymail.InboundMessage
}{
	"plain text": {
		"From: Grace <grace@example.net>\nTo: desk@example.org\nSubject: My own\nMessage-ID: <own@example.net>\n\nHello\n",
		anymail.InboundMessage{
			From:    []anymail.Address{{Name: "Grace", Address: "grace@example.net"}},
			To:      []anymail.Address{{Address: "desk@example.org"}},
			Subject: "My own", MessageID: "own@example.net", Text: "Hello\n",
		},
	},
	"text, html and files": {
		`From: =?ISO-8859-1?Q?Gr=E9ce?= <grace@example.net>
To: "Desk, the" <desk@example.org>, Carl <carl@example.org>
Cc: dora@example.org
Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=
Message-ID: <own@example.net>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

sch=F6n
--a
Content-Type: text/html; charset=utf-8

<p>schön <img src="cid:dot@example.net"></p>
--a--
--b
Content-Type: image/png; name=dot.png
Content-Disposition: inline; filename=dot.png
Content-ID: <dot@example.net>
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--b
Content-Type: text/csv; charset=utf-8
Content-Disposition: attachment; filename*=UTF-8''Gr%C3%B6%C3%9Fen.csv

a,b
--b--
`,
		anymail.InboundMessage{
			From:    []anymail.Address{{Name: "Gréce", Address: "grace@example.net"}},
			To:      []anymail.Address{{Name: "Desk, the", Address: "desk@example.org"}, {Name: "Carl", Address: "carl@example.org"}},
			CC:      []anymail.Address{{Address: "dora@example.org"}},
			Subject: "Grüße", MessageID: "own@example.net",
			Text: "schön", HTML: `<p>schön <img src="cid:dot@example.net"></p>`,
			Attachments: []anymail.Attachment{
				{Filename: "dot.png", ContentType: "image/png", ContentID: "dot@example.net", Content: []byte("\x89PNG\r\n\x1a\n")},
				{Filename: "Größen.csv", ContentType: "text/csv", Content: []byte("a,b")},
			},
		},
	},
}

// The samples that take a message of the user's own deliver it, at every ESP that
// receives mail.
func TestOwnMessage(t *testing.T) {
	// What ESPs leave out or change when they parse a message.
	options := []cmp.Option{
		cmpopts.EquateEmpty(),
		cmpopts.IgnoreFields(anymail.Attachment{}, "Params", "Disposition", "Size"),
		cmpopts.AcyclicTransformer("lines", func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }),
	}
	for _, sim := range allsim.List() {
		t.Run(sim.ESP, func(t *testing.T) {
			adapter, _, err := sim.NewAccount()
			require.NoError(t, err)
			_, receives := sim.SampleOf(anymail.EventInbound)
			_, takes := sim.SampleOf(anymail.EventInbound, func(s simulator.Sample) bool { return s.TakesMIME })
			require.Equal(t, receives, takes, "no sample takes a message")
			for _, sample := range sim.Samples {
				if !sample.TakesMIME {
					continue
				}
				for name, own := range ownMessages {
					t.Run(sample.Name+" "+name, func(t *testing.T) {
						p := simulator.NewParams()
						p.SetMIME([]byte(own.mime))
						events := anymailtest.Parse(t, adapter, sample.Make(p))
						require.Len(t, events, 1)
						m := events[0].(*anymail.InboundEvent).Message
						got := anymail.InboundMessage{
							From: m.From, To: m.To, CC: m.CC, Subject: m.Subject, MessageID: m.MessageID, Text: m.Text, HTML: m.HTML, Attachments: m.Attachments,
						}
						if diff := cmp.Diff(own.want, got, options...); diff != "" {
							t.Errorf("message (-want +got):\n%s", diff)
						}
					})
				}
			}
		})
	}
}
