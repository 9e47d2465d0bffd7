// Package zeptomail is the adapter for ZeptoMail by Zoho.
//
// ZeptoMail signs the JSON text of an event, each webhook with its own key
// (https://www.zoho.com/zeptomail/help/webhooks.html). It posts no received mail.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/zeptomail.md
package zeptomail

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/verify"
)

// ESP is the canonical name of the adapter.
const ESP = "zeptomail"

// Config configures the adapter. Its zero value works if the Dispatcher has a shared
// secret, but then nothing checks the signatures.
type Config struct {
	// SigningKeys are the authentication keys of webhooks. Any of them is accepted.
	SigningKeys anymail.KeySource
}

// Adapter is the adapter for ZeptoMail.
type Adapter struct{ config Config }

// New returns an adapter. It returns [anymail.ErrConfig] if a key is empty or has white
// space around it.
func New(config Config) (*Adapter, error) {
	if err := verify.CheckKeys(config.SigningKeys, "zeptomail.Config.SigningKeys", nil); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "zeptomail".
func (*Adapter) ESP() string { return ESP }

const mediaForm = "application/x-www-form-urlencoded"

// ZeptoMail does not document which answers it takes as final. The user can fix a wrong
// address list, and the rate drops.
var mapStatus = esp.Replace(http.StatusServiceUnavailable, http.StatusForbidden, http.StatusTooManyRequests)

// Endpoints returns tracking.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := anymail.Endpoint{
		Path:             "tracking",
		Parser:           anymail.ParserFunc(parse),
		ContentTypes:     []string{"application/json", mediaForm},
		MapStatus:        mapStatus,
		Handshake:        answerTest,
		RepeatsSignature: true, // no time is signed
	}
	if a.config.SigningKeys != nil {
		tracking.Verifier = verify.HMAC{Keys: a.config.SigningKeys, Layout: signed}.Verifier()
	}
	return []anymail.Endpoint{tracking}
}

// answerTest answers an event without a message, by which ZeptoMail may test a URL.
func answerTest(_ context.Context, p *anymail.Payload) (*anymail.Reply, error) {
	if text, err := eventText(p); err == nil && len(bytes.TrimSpace(text)) == 0 {
		return &anymail.Reply{}, nil
	}
	return nil, nil
}

// eventText returns the JSON text of the event: the body, or the value of the only field
// of a form, whatever its name.
func eventText(p *anymail.Payload) ([]byte, error) {
	if p.MediaType() != mediaForm {
		return p.Body, nil
	}
	_, value, _ := bytes.Cut(p.Body, []byte("="))
	text, err := url.QueryUnescape(string(value))
	if err != nil {
		return nil, anymail.Malformed("form encoding", nil)
	}
	return []byte(text), nil
}

// signed reads "ts=<milliseconds>;s=<base64>;s-algorithm=HmacSHA256", in which the
// base64 is percent-encoded. The signature is of the event's text alone: it does not
// cover the time, so the time proves nothing.
func signed(p *anymail.Payload) ([]verify.SignedContent, error) {
	header, err := verify.HeaderValue(p, "Producer-Signature")
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for field := range strings.SplitSeq(header, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		if _, repeated := fields[name]; repeated {
			return nil, anymail.Unauthenticated(verify.ReasonRepeated)
		}
		fields[name] = value
	}
	if fields["s-algorithm"] != "HmacSHA256" { // the sender does not choose
		return nil, anymail.Unauthenticated(verify.ReasonEncoding)
	}
	encoded, err := url.PathUnescape(fields["s"])
	if err != nil {
		return nil, anymail.Unauthenticated(verify.ReasonEncoding)
	}
	signature, err := verify.Base64(encoded)
	if err != nil {
		return nil, err
	}
	text, err := eventText(p)
	if err != nil {
		return nil, anymail.Unauthenticated("no event to verify")
	}
	return []verify.SignedContent{{Signatures: [][]byte{signature}, Content: [][]byte{text}}}, nil
}
