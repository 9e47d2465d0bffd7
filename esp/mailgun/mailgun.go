// Package mailgun is the adapter for Mailgun.
//
// Mailgun signs the time and a token, which are in the body, but not the rest
// of it (https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks).
// So a signature is taken once only, and a shared secret in the URL is a good
// thing to have besides.
package mailgun

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/internal/fetch"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "mailgun"

// Config is what the adapter has to know. Its zero value is fine where the
// Dispatcher has a shared secret, but then nothing checks the signature.
type Config struct {
	// SigningKeys are HTTP webhook signing keys, as Mailgun shows them. An
	// event of a subaccount is signed with the key of the subaccount and with
	// that of the primary account; one of the two is enough. Accounts that
	// never had a signing key of their own sign with the private API key.
	SigningKeys anymail.KeySource
	// APIKeys are the private API keys, of which the first gets the messages
	// that a route stored: store(notify="..."). Without it they are delivered
	// as far as the notification tells them, which is all but the contents of
	// the attachments.
	APIKeys anymail.KeySource
	// Client fetches stored messages. It has a timeout of 30 seconds if nil.
	Client *http.Client
}

// Adapter is the adapter for one Mailgun account.
type Adapter struct {
	config Config
	api    fetch.Getter
}

// New returns an adapter. It returns an error that is [anymail.ErrConfig] where
// a key is empty.
func New(config Config) (*Adapter, error) {
	if err := errors.Join(
		verify.CheckKeys(config.SigningKeys, "Mailgun signing key", nil),
		verify.CheckKeys(config.APIKeys, "Mailgun API key", nil),
	); err != nil {
		return nil, err
	}
	// The URLs of stored messages are not signed, and the key is sent to them.
	hosts := []string{".mailgun.net", ".mailgun.org"}
	return &Adapter{config, fetch.Getter{Client: config.Client, Hosts: hosts}}, nil
}

// ESP returns "mailgun".
func (*Adapter) ESP() string { return ESP }

// window has room for the last of the retries, which go on for 8 hours. Whether
// each is signed anew is not documented; that a token counts once is what keeps
// a long window safe.
// https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http
const window = 9 * time.Hour

// Mailgun retries everything but 200 and 406, which is the one status that says
// never again: no setting may lead to it.
var mapStatus = esp.Replace(http.StatusBadRequest, http.StatusNotAcceptable)

const maxBody = 48 << 20 // 25 MB of message, parsed or as it is, escaped as a form

// Endpoints returns tracking, inbound, and inbound_mime: Mailgun posts the raw
// message to URLs that end in "mime". What was posted is told by its fields.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	var verifier anymail.Verifier
	if a.config.SigningKeys != nil {
		verifier = newVerifier(a.config.SigningKeys)
	}
	inbound := anymail.Endpoint{
		Path:         "inbound",
		Verifier:     verifier,
		Parser:       anymail.ParserFunc(a.parseInbound),
		ContentTypes: []string{"application/x-www-form-urlencoded", "multipart/form-data"},
		Window:       window,
		MaxBody:      maxBody,
		MapStatus:    mapStatus,
	}
	rawMessage := inbound
	rawMessage.Path = "inbound_mime"
	return []anymail.Endpoint{{
		Path:         "tracking",
		Verifier:     verifier,
		Parser:       anymail.ParserFunc(parseTracking),
		ContentTypes: append([]string{"application/json"}, inbound.ContentTypes...),
		Window:       window,
		MaxBody:      maxBody, // legacy webhooks return the message that bounced
		MapStatus:    mapStatus,
	}, inbound, rawMessage}
}

// The members of a JSON webhook. What is signed is in the first.
const (
	signatureMember = "signature"
	eventMember     = "event-data"
)

func isJSON(p *anymail.Payload) bool {
	return p.MediaType() == "application/json"
}

// newVerifier checks HMAC-SHA256 over timestamp and token, with nothing between
// them, which are members of a JSON body or fields of a form.
func newVerifier(keys anymail.KeySource) anymail.Verifier {
	mac := verify.HMAC{
		Keys: keys,
		Signatures: func(p *anymail.Payload) ([][]byte, error) {
			var signatures [][]byte
			for _, text := range p.Header["Signature"] {
				if signature, err := hex.DecodeString(text); err == nil {
					signatures = append(signatures, signature)
				}
			}
			return signatures, nil
		},
		Content:  verify.HeadersAndBody("", "Timestamp", "Token"),
		SignedAt: verify.UnixHeader("Timestamp"),
	}.Verifier()
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		signed, err := signature(p)
		if err != nil {
			return anymail.Proof{}, err
		}
		proof, err := mac.Verify(ctx, &anymail.Payload{Header: signed})
		if err != nil {
			return anymail.Proof{}, err
		}
		// Not the MAC: of two signatures an attacker could leave out one.
		nonce := sha256.Sum256([]byte(signed.Get("Timestamp") + signed.Get("Token")))
		proof.Fingerprint = nonce[:]
		return proof, nil
	})
}

// signature returns what Mailgun signs, and its signatures, as headers, since
// that is where package verify looks for such things.
func signature(p *anymail.Payload) (http.Header, error) {
	if isJSON(p) {
		var w struct {
			Timestamp wire.Text `json:"timestamp"`
			Token     string    `json:"token"`
			Own       string    `json:"signature"`
			Parent    string    `json:"parent-signature"`
		}
		if err := wire.Unmarshal(wire.Member(p.Body, signatureMember), &w); err != nil {
			return nil, anymail.Unauthenticated("no signature")
		}
		return http.Header{
			"Timestamp": {w.Timestamp.String()},
			"Token":     {w.Token},
			"Signature": {w.Own, w.Parent},
		}, nil
	}
	form, err := p.Form()
	if errors.Is(err, anymail.ErrTooLarge) {
		return nil, err
	}
	if err != nil {
		return nil, anymail.Unauthenticated("no signature")
	}
	return http.Header{
		"Timestamp": {own(form.Fields, "timestamp")},
		"Token":     {own(form.Fields, "token")},
		"Signature": {own(form.Fields, "signature"), own(form.Fields, "parent-signature")},
	}, nil
}

// own returns a field of the signature. Variables of the user's are fields of
// the same form and may have the same names, but the signature is written last.
func own(fields anymail.Fields, name string) string {
	list := fields[name]
	if len(list) == 0 {
		return ""
	}
	return string(list[len(list)-1])
}
