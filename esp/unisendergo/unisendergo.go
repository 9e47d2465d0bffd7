// Package unisendergo is the adapter for Unisender Go, which is also sold as
// UniOne.
//
// The body of a request has an MD5 over the body and the API key
// (https://docs.unione.io/en/web-api-ref#callback-format).
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/unisendergo.md
package unisendergo

import (
	"bytes"
	"crypto/md5"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// ESP is the canonical name of the adapter.
const ESP = "unisendergo"

// Config configures the adapter. Its zero value works if the Dispatcher has a
// shared secret, but then nothing checks the signature.
type Config struct {
	// APIKeys are the API keys, as Unisender Go shows them, of the user or the
	// project whose webhook it is. Any of them is accepted.
	APIKeys anymail.KeySource
	// MessageIDFrom is the name of a metadata value that is used as the message
	// id of a message that has it. Otherwise the id is the job_id, which all
	// recipients of one send call share. Senders that give each recipient an id
	// put it into metadata: django-anymail into "anymail_id".
	MessageIDFrom string
}

// Adapter is the adapter for one Unisender Go account or project.
type Adapter struct {
	config Config
}

// New returns an adapter. It returns [anymail.ErrConfig] if a key is empty or has
// white space around it.
func New(config Config) (*Adapter, error) {
	if err := verify.CheckKeys(config.APIKeys, "unisendergo.Config.APIKeys", nil); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "unisendergo".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking; Unisender Go has no inbound mail.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := anymail.Endpoint{
		Path:     "tracking",
		Patience: patience,
		Parser:   anymail.ParserFunc(a.parse),
		// Unisender Go tests the URL when a webhook is set.
		Probes: []string{"GET"},
		// It signs no time, retries if there is no answer within 3 seconds, and
		// stops a webhook at which ten events failed for a day.
		RepeatsSignature: true,
	}
	if a.config.APIKeys != nil {
		tracking.Verifier = verify.KeyedDigest{Keys: a.config.APIKeys, Hash: md5.New, Layout: claims}.Verifier()
	}
	return []anymail.Endpoint{tracking}
}

var (
	errNoAuth   = anymail.Unauthenticated(verify.ReasonMissing)
	errEncoding = anymail.Unauthenticated(verify.ReasonEncoding)
)

// claims reads the member "auth" of the body: the MD5 of the whole text, in
// which the value of "auth" is the API key. It uses the original text, because
// only that has the sender's escapes, spaces and order of keys.
func claims(p *anymail.Payload) ([]verify.SignedContent, error) {
	body, err := text(p)
	if err != nil {
		return nil, err
	}
	from, to, err := findAuth(body)
	if err != nil {
		return nil, err
	}
	given, err := verify.Hex(string(body[from:to]))
	if err != nil || len(given) != md5.Size {
		return nil, errEncoding
	}
	return []verify.SignedContent{{Signatures: [][]byte{given}, Content: [][]byte{body[:from], body[to:]}}}, nil
}

// findAuth returns where the text of the top-level "auth" is in body. Events hold
// text of strangers, so any other place that looks like it does not count.
//
// Nothing may follow the object: from an MD5 anyone can compute that of the same
// text with more appended.
func findAuth(body []byte) (from, to int, err error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if token, err := d.ReadToken(); err != nil || token.Kind() != '{' {
		return 0, 0, errNoAuth
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return 0, 0, errNoAuth
		}
		isAuth := name.String() == "auth"
		value, err := d.ReadValue()
		switch {
		case err != nil:
			return 0, 0, errNoAuth
		case !isAuth:
			continue
		case to > 0 || value.Kind() != '"':
			return 0, 0, errEncoding
		}
		to = int(d.InputOffset()) - 1
		from = to - len(value) + 2
	}
	if token, err := d.ReadToken(); err != nil || token.Kind() != '}' || to == 0 {
		return 0, 0, errNoAuth
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return 0, 0, errEncoding
	}
	return from, to, nil
}

// text returns the JSON text of the body, which the format json_post_gzip
// compresses. If Content-Encoding says so, the body is decompressed already.
func text(p *anymail.Payload) ([]byte, error) {
	if !bytes.HasPrefix(p.Body, []byte{0x1f, 0x8b}) {
		return p.Body, nil
	}
	body, err := p.Gunzip(p.Body)
	if errors.Is(err, anymail.ErrMalformed) {
		err = errEncoding
	}
	return body, err
}
