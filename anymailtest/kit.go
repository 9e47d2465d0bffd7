// Package anymailtest has what adapter authors and users' own tests need:
// kits that play an ESP (make its keys, its adapter and signed requests of
// every event type it has), a server and a recorder to post them to, and the
// conformance suite that every adapter passes.
//
// The kit of an ESP is in the package beside it, such as
// esp/mailgun/mailguntest; package esp/all/alltest has them all.
package anymailtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"text/template"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// Kit plays one ESP.
type Kit struct {
	// ESP is the canonical name, Title what people call it.
	ESP   string
	Title string
	// NewCredential makes a new key such as the ESP would show or be given.
	// Nil where the ESP signs nothing.
	NewCredential func() Credential
	// New makes the adapter that trusts these credentials. Where the adapter
	// fetches something from its ESP, it is connected to a made-up one that
	// holds what the samples refer to.
	New func(trusted ...Credential) (anymail.Adapter, error)
	// Sign signs a request as the ESP would at that time. Nil where the ESP
	// signs nothing. It may change everything but the meaning of the request.
	Sign func(r *Request, c Credential, at time.Time) error
	// Samples holds one or more for every event type that the ESP has.
	Samples []Sample
	// Batch puts the events of several unsigned requests, made by tracking
	// samples of the same endpoint, into one. Nil where there are no batches.
	Batch func(requests []Request) (Request, error)
	// Malformed makes an unsigned batch of three events of which the one in
	// the middle is malformed. Nil where there are no batches.
	Malformed func(Params) Request
	// UnsignedEndpoints are those whose requests the ESP does not sign though
	// it signs others.
	UnsignedEndpoints []string
	// BodyUnsigned says that signatures do not cover the body.
	BodyUnsigned bool
}

// Credential is a key or secret that an ESP and its user share.
type Credential struct {
	// Config is what the user configures: the secret, or the public key.
	Config string
	// Private is what the ESP signs with. It is for the kit alone.
	Private any
}

// Keys returns what users configure of credentials, as a source; nil for none,
// like a setting that was left out.
func Keys(credentials []Credential) anymail.KeySource {
	if len(credentials) == 0 {
		return nil
	}
	var keys []string
	for _, c := range credentials {
		keys = append(keys, c.Config)
	}
	return anymail.Keys(keys...)
}

// Sample makes one kind of request.
type Sample struct {
	// Name is unique in the kit: the ESP's own name of the event where that
	// is enough, for example "bounce" or "bounce-blocked".
	Name string
	// Endpoint is the path of the adapter's endpoint that it is for.
	Endpoint string
	// Types are those of the events that it holds, in order; none for a ping.
	Types []anymail.EventType
	// Reason is the reject reason of its first event.
	Reason anymail.RejectReason
	// Untimed says that the ESP gives no time with this event.
	Untimed bool
	// Make makes the request, not yet signed.
	Make func(Params) Request
}

// Params are what a sample is about. [NewParams] fills all fields.
type Params struct {
	Recipient string
	Sender    string
	Subject   string
	// MessageID is the id of the message as the send API would return it.
	MessageID string
	// EventID is different for every event; hexadecimal digits.
	EventID string
	// Number is different for every event, for ESPs that count.
	Number int64
	// Time is when the event happened, in UTC.
	Time     time.Time
	Tag      string
	Metadata map[string]string
	// MIME is the received message, for inbound samples that hold one.
	// Lines end in CRLF.
	MIME []byte
}

// NewParams returns made-up values, with new ids at each call.
func NewParams() Params {
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails
	number := int64(id[0])<<40 | int64(id[1])<<32 | int64(id[2])<<24 | int64(id[3])<<16 | int64(id[4])<<8 | int64(id[5])
	p := Params{
		Recipient: "ada@example.com",
		Sender:    "news@example.org",
		Subject:   "Your order",
		MessageID: "m-" + hex.EncodeToString(id[4:]),
		EventID:   hex.EncodeToString(id[:]),
		Number:    number + 1,
		Time:      time.Now().UTC().Truncate(time.Second),
		Tag:       "receipt",
		Metadata:  map[string]string{"order": "1701"},
	}
	p.MIME = p.message()
	return p
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

// Request is what an ESP posts, before it is known where to.
type Request struct {
	Endpoint string // the path of the adapter's endpoint
	// URL is the whole URL that it will be posted to, for ESPs that sign it.
	// It is set before Sign is called.
	URL    string
	Method string // POST if empty
	Header http.Header
	Body   []byte
}

// HTTP returns r as a request to its URL.
func (r Request) HTTP() (*http.Request, error) {
	method := r.Method
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequest(method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	return req, nil
}

// Credential makes a credential of a key that a user has: the secret itself
// where the ESP signs with a secret, and a private key in PEM (PKCS #8) where
// it signs with one. It returns an error where the ESP signs nothing, or with a
// certificate that cannot be had.
func (k *Kit) Credential(key string) (Credential, error) {
	if k.NewCredential == nil {
		return Credential{}, fmt.Errorf("anymailtest: %s signs nothing", k.Title)
	}
	switch example := k.NewCredential(); example.Private.(type) {
	case nil:
		return Credential{Config: key}, nil
	case string:
		return Credential{Config: key, Private: key}, nil
	case []byte:
		secret, err := verify.DecodeWebhookSecret(key)
		if err != nil {
			return Credential{}, fmt.Errorf("anymailtest: not a secret such as %s has", k.Title)
		}
		return Credential{Config: key, Private: secret}, nil
	case *ecdsa.PrivateKey, *rsa.PrivateKey:
		block, _ := pem.Decode([]byte(key))
		if block == nil {
			return Credential{}, fmt.Errorf("anymailtest: %s signs with a private key: give it in PEM", k.Title)
		}
		private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil || reflect.TypeOf(private) != reflect.TypeOf(example.Private) {
			return Credential{}, fmt.Errorf("anymailtest: not a private key such as %s has", k.Title)
		}
		return Credential{Private: private}, nil
	}
	return Credential{}, fmt.Errorf("anymailtest: %s signs with a certificate of its own", k.Title)
}

// Sample returns the sample of that name, and whether there is one.
func (k *Kit) Sample(name string) (Sample, bool) {
	for _, s := range k.Samples {
		if s.Name == name {
			return s, true
		}
	}
	return Sample{}, false
}

// MustJSON returns the JSON form of a value that has one, as what samples are
// made of does. It panics for any other.
func MustJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // ESPs write <, > and & as they are
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("anymailtest: %v", err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// JSON makes a request with a JSON body.
func JSON(endpoint string, body []byte) Request {
	return Request{
		Endpoint: endpoint,
		Header:   http.Header{"Content-Type": {"application/json"}},
		Body:     body,
	}
}

// Template returns a Make function that fills in a text/template from a file
// with [Params] and posts it as JSON. In the template, the function json writes
// a value as JSON.
func Template(files fs.FS, file, endpoint string) func(Params) Request {
	t := template.Must(template.New(file).Funcs(template.FuncMap{"json": toJSON}).ParseFS(files, file))
	for _, sub := range t.Templates() { // ParseFS names it by the last element alone
		t = sub
	}
	return func(p Params) Request {
		var b bytes.Buffer
		if err := t.Execute(&b, p); err != nil {
			panic(fmt.Sprintf("anymailtest: sample %s: %v", file, err)) // a mistake in the sample itself
		}
		return JSON(endpoint, bytes.TrimSpace(b.Bytes()))
	}
}

func toJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// URLEncoded makes a request with an application/x-www-form-urlencoded body.
func URLEncoded(endpoint string, values url.Values) Request {
	return Request{
		Endpoint: endpoint,
		Header:   http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		Body:     []byte(values.Encode()),
	}
}

// Field is a part of a multipart form; one with a Filename is a file.
type Field struct {
	Name, Value string
	Filename    string
	ContentType string
}

// Multipart makes a request with a multipart/form-data body.
func Multipart(endpoint string, fields ...Field) Request {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		h := textproto.MIMEHeader{}
		disposition := fmt.Sprintf("form-data; name=%q", f.Name)
		if f.Filename != "" {
			disposition += fmt.Sprintf("; filename=%q", f.Filename)
		}
		h.Set("Content-Disposition", disposition)
		if f.ContentType != "" {
			h.Set("Content-Type", f.ContentType)
		}
		part, _ := w.CreatePart(h) // a bytes.Buffer never fails
		_, _ = part.Write([]byte(f.Value))
	}
	_ = w.Close()
	return Request{
		Endpoint: endpoint,
		Header:   http.Header{"Content-Type": {w.FormDataContentType()}},
		Body:     b.Bytes(),
	}
}

// JoinArrays is a Batch for ESPs that post a JSON array of events: it joins
// the arrays (or single objects) that the requests hold.
func JoinArrays(requests []Request) (Request, error) {
	if len(requests) == 0 {
		return Request{}, fmt.Errorf("anymailtest: no requests to join")
	}
	joined := requests[0]
	joined.Header = joined.Header.Clone()
	var elements [][]byte
	for _, r := range requests {
		body := bytes.TrimSpace(r.Body)
		if bytes.HasPrefix(body, []byte("[")) {
			body = bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimPrefix(body, []byte("[")), []byte("]")))
		}
		if len(body) > 0 {
			elements = append(elements, body)
		}
	}
	joined.Body = append(append([]byte("["), bytes.Join(elements, []byte(","))...), ']')
	return joined, nil
}
