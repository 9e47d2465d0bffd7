package rawmime_test

import (
	"fmt"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/rawmime"
)

func ExampleParse() {
	raw := strings.ReplaceAll(`From: =?UTF-8?Q?Zo=C3=AB_Ng?= <zoe@example.org>
To: help@example.com
Subject: The picture
Content-Type: multipart/mixed; boundary=next

--next
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Voil=E0.
--next
Content-Type: image/png
Content-Disposition: attachment; filename="../dot.png"
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--next--
`, "\n", "\r\n")

	m := rawmime.Parse([]byte(raw), anymail.Limits{})
	fmt.Println("from:", m.From[0].Name, m.From[0].Address)
	fmt.Println("subject:", m.Subject)
	fmt.Println("text:", m.Text)
	for _, a := range m.Attachments {
		fmt.Println("attachment:", a.Filename, a.ContentType, a.Size)
	}
	// Output:
	// from: Zoë Ng zoe@example.org
	// subject: The picture
	// text: Voilà.
	// attachment: dot.png image/png 8
}
