package simulator

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

// Params are what a sample is about. [NewParams] fills all fields.
type Params struct {
	Recipient string
	Sender    string
	Subject   string
	// MessageID is the id of the message, as the send API returns it.
	MessageID string
	// EventID is unique to the event. It has hexadecimal digits.
	EventID string
	// Number is unique to the event, for ESPs that number events.
	Number int64
	// Time is when the event happened, in UTC.
	Time     time.Time
	Tag      string
	Metadata map[string]string
	// Topic is the ARN of the topic through which Amazon SES posts.
	Topic string
	// MIME is the received message, for samples with TakesMIME. Its lines end in
	// CRLF; see [Params.SetMIME].
	MIME []byte
}

// NewParams returns made-up values. Each call makes new ids.
func NewParams() Params {
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails
	return paramsOf(id, time.Now())
}

// FixedParams returns the made-up values that belong to a number and a time: the same
// for the same, with other ids for another number.
func FixedParams(n int, at time.Time) Params {
	sum := sha256.Sum256([]byte(strconv.Itoa(n)))
	return paramsOf([12]byte(sum[:12]), at)
}

func paramsOf(id [12]byte, at time.Time) Params {
	number := int64(id[0])<<40 | int64(id[1])<<32 | int64(id[2])<<24 | int64(id[3])<<16 | int64(id[4])<<8 | int64(id[5])
	p := Params{
		Recipient: "ada@example.com",
		Sender:    "news@example.org",
		Subject:   "Your order",
		MessageID: "m-" + hex.EncodeToString(id[4:]),
		EventID:   hex.EncodeToString(id[:]),
		Number:    number + 1,
		Time:      at.UTC().Truncate(time.Second),
		Tag:       "receipt",
		Metadata:  map[string]string{"order": "1701"},
		Topic:     "arn:aws:sns:eu-west-1:123456789012:mail",
	}
	p.MIME = p.message()
	return p
}

// SetMIME sets MIME to a message, such as the content of an .eml file, whatever its
// lines end in.
func (p *Params) SetMIME(message []byte) {
	lines := bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n"))
	p.MIME = bytes.ReplaceAll(lines, []byte("\n"), []byte("\r\n"))
}

func (p Params) message() []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("Received: from mail.example.com by mx.example.org; %s", p.Time.Format(time.RFC1123Z))
	line("Received: from desk.example.com by mail.example.com; %s", p.Time.Format(time.RFC1123Z))
	line("From: Ada Lovelace <ada@example.com>")
	line("To: Help Desk <help@inbound.example.org>")
	line("Subject: =?UTF-8?Q?R=C3=BCckfrage?=")
	line("Date: %s", p.Time.Format(time.RFC1123Z))
	line("Message-ID: <%s@example.com>", p.EventID)
	line("MIME-Version: 1.0")
	line("Content-Type: multipart/mixed; boundary=outer")
	line("")
	line("--outer")
	line("Content-Type: multipart/alternative; boundary=inner")
	line("")
	line("--inner")
	line("Content-Type: text/plain; charset=utf-8")
	line("Content-Transfer-Encoding: quoted-printable")
	line("")
	line("Gr=C3=BC=C3=9Fe, see the picture.")
	line("--inner")
	line("Content-Type: text/html; charset=utf-8")
	line("")
	line(`<p>Grüße, see the <img src="cid:pic@example.com">.</p>`)
	line("--inner--")
	line("--outer")
	line("Content-Type: image/png; name=dot.png")
	line("Content-Disposition: inline; filename=dot.png")
	line("Content-ID: <pic@example.com>")
	line("Content-Transfer-Encoding: base64")
	line("")
	line("iVBORw0KGgo=")
	line("--outer")
	line("Content-Type: text/plain")
	line("Content-Disposition: attachment; filename=notes.txt")
	line("")
	line("a note")
	line("--outer--")
	return b.Bytes()
}
