// Package mailgun is the adapter for Mailgun.
//
// Mailgun signs the time and a token, which are in the body, but not the rest
// of it (https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks).
// So a signature counts once only, and a shared secret in the URL is recommended in
// addition.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/mailgun.md
package mailgun

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/fetch"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "mailgun"

// Config configures the adapter. Its zero value works if the Dispatcher has a
// shared secret, but then nothing checks the signature.
type Config struct {
	// SigningKeys are HTTP webhook signing keys, as Mailgun shows them. Mailgun
	// signs an event of a subaccount with the key of the subaccount and with
	// that of the primary account; one of the two is enough. Accounts that
	// never had a signing key sign with the private API key.
	SigningKeys anymail.KeySource
	// APIKeys are private API keys. The first one gets the messages that a route
	// stored: store(notify="..."). Without it a message has what the
	// notification says, which is everything except the contents of the
	// attachments.
	APIKeys anymail.KeySource
	// Client fetches stored messages. It has a timeout of 30 seconds if nil.
	Client *http.Client
}

// Adapter is the adapter for one Mailgun account.
type Adapter struct {
	config Config
	api    fetch.Getter
}

// New returns an adapter. It returns [anymail.ErrConfig] if a key is empty.
func New(config Config) (*Adapter, error) {
	if err := errors.Join(
		verify.CheckKeys(config.SigningKeys, "mailgun.Config.SigningKeys", nil),
		verify.CheckKeys(config.APIKeys, "mailgun.Config.APIKeys", nil),
	); err != nil {
		return nil, err
	}
	// The URLs of stored messages are not signed, and the request has the key.
	hosts := []string{".mailgun.net", ".mailgun.org"}
	return &Adapter{config, fetch.Getter{Client: config.Client, Hosts: hosts}}, nil
}

// ESP returns "mailgun".
func (*Adapter) ESP() string { return ESP }

// window has room for the last of the retries, which go on for 8 hours. Mailgun does
// not document whether it signs each one anew. A token counts only once, which makes
// a long window safe.
// https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http
const window = 9 * time.Hour

// Mailgun retries after anything but 200 and 406. 406 alone stops the retries, so no
// setting may cause it.
var mapStatus = esp.Replace(http.StatusBadRequest, http.StatusNotAcceptable)

const maxBody = 48 << 20 // 25 MB of message, parsed or as received, escaped as a form

// Endpoints returns tracking, inbound, and inbound_mime: Mailgun posts the raw
// message to URLs that end in "mime". The fields say what was posted.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	var verifier anymail.Verifier
	if a.config.SigningKeys != nil {
		verifier = verify.HMAC{Keys: a.config.SigningKeys, Layout: claims}.Verifier()
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

// The members of a JSON webhook. The first has the signed content.
const (
	signatureMember = "signature"
	eventMember     = "event-data"
)

func isJSON(p *anymail.Payload) bool {
	return p.MediaType() == "application/json"
}

// signature is what Mailgun signs, and its signatures: that of the account, and
// that of the primary account if the event is of a subaccount.
type signature struct {
	Timestamp wire.Text `json:"timestamp"`
	Token     string    `json:"token"`
	Own       string    `json:"signature"`
	Parent    string    `json:"parent-signature"`
}

// readSignature reads the signature from a JSON body or a form.
func readSignature(p *anymail.Payload) (s signature, err error) {
	if isJSON(p) {
		if err := wire.Unmarshal(wire.Member(p.Body, signatureMember), &s); err != nil {
			return s, anymail.Unauthenticated(verify.ReasonMissing)
		}
		return s, nil
	}
	fields, err := p.FormFields("timestamp", "token", "signature", "parent-signature")
	switch {
	case errors.Is(err, anymail.ErrTooLarge):
		return s, err
	case err != nil:
		return s, anymail.Unauthenticated(verify.ReasonMissing)
	}
	return signature{
		Timestamp: wire.Text(own(fields, "timestamp")),
		Token:     own(fields, "token"),
		Own:       own(fields, "signature"),
		Parent:    own(fields, "parent-signature"),
	}, nil
}

// claims describes HMAC-SHA256 over timestamp and token, with nothing between
// them.
func claims(p *anymail.Payload) ([]verify.SignedContent, error) {
	s, err := readSignature(p)
	if err != nil {
		return nil, err
	}
	if s.Timestamp == "" || s.Token == "" {
		return nil, anymail.Unauthenticated(verify.ReasonMissing)
	}
	at, err := verify.Unix(s.Timestamp.String())
	if err != nil {
		return nil, err
	}
	content := []byte(s.Timestamp.String() + s.Token)
	// Not the MAC: an attacker could leave out one of two signatures.
	fingerprint := sha256.Sum256(content)
	claim := verify.SignedContent{Content: [][]byte{content}, SignedAt: at, Fingerprint: fingerprint[:]}
	for _, text := range []string{s.Own, s.Parent} {
		if signature, err := verify.Hex(text); err == nil {
			claim.Signatures = append(claim.Signatures, signature)
		}
	}
	return []verify.SignedContent{claim}, nil
}

// own returns a field of the signature. The user's variables are fields of the same
// form and may have the same names, but the signature is last.
func own(fields anymail.Fields, name string) string {
	list := fields[name]
	if len(list) == 0 {
		return ""
	}
	return string(list[len(list)-1])
}
