// Package sendgrid is the adapter for Twilio SendGrid.
//
// SendGrid can sign event webhooks with ECDSA over the time and the raw body
// (https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features),
// and Inbound Parse under a security policy
// (https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/securing-your-parse-webhooks).
// Both can send an OAuth token in addition.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/sendgrid.md
package sendgrid

import (
	"crypto/ecdsa"
	"errors"
	"net/http"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/verify"
)

// ESP is the canonical name of the adapter.
const ESP = "sendgrid"

// Config configures the adapter. Its zero value works if the Dispatcher has a
// shared secret, but then nothing checks signatures.
type Config struct {
	// TrackingSigningKeys are the public keys of signed event webhooks, as
	// SendGrid shows them (base64 DER) or in PEM.
	TrackingSigningKeys anymail.KeySource
	// TrackingTokenCheck, if set, checks the OAuth access token of event webhooks. A
	// request needs it in addition to the signature if there are keys.
	// The token and the shared secret use the same header, so an endpoint has
	// one or the other: give [anymail.WithoutSharedSecret] to Register if the
	// Dispatcher has a secret.
	TrackingTokenCheck verify.TokenCheck

	// InboundSigningKeys and InboundTokenCheck are the same for Inbound Parse. The
	// security policy of the parse setting has the key.
	InboundSigningKeys anymail.KeySource
	InboundTokenCheck  verify.TokenCheck

	// MessageIDFrom is the name of a custom argument that is used as the message
	// id of an event that has it. Otherwise the id is the one that the send API
	// returns in X-Message-Id, which all recipients of one call share. Senders
	// that give each message its own id put it into such an argument:
	// django-anymail into "anymail_id".
	MessageIDFrom string
}

// Adapter is the adapter for one SendGrid account.
type Adapter struct {
	config Config
}

// New returns an adapter. It returns [anymail.ErrConfig] if a key is not a public key
// for ECDSA.
func New(config Config) (*Adapter, error) {
	err := errors.Join(
		verify.CheckKeys(config.TrackingSigningKeys, "sendgrid.Config.TrackingSigningKeys", checkKey),
		verify.CheckKeys(config.InboundSigningKeys, "sendgrid.Config.InboundSigningKeys", checkKey),
	)
	if err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

func checkKey(text string) error {
	key, err := verify.ParsePublicKey(text)
	if err != nil {
		return err
	}
	if _, ok := key.(*ecdsa.PublicKey); !ok {
		return errors.New("must be a key for ECDSA")
	}
	return nil
}

// ESP returns "sendgrid".
func (*Adapter) ESP() string { return ESP }

// SendGrid does not document whether it signs each retry anew. So a redelivery of
// completed events with the same signature is answered with 200, which ends the
// retries, and the windows have room for the last retry: one day for events
// (https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook),
// three for messages.
const (
	trackingWindow = 25 * time.Hour
	inboundWindow  = 73 * time.Hour
)

// Endpoints returns tracking and inbound.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{{
		Path:         "tracking",
		Verifier:     verifier(a.config.TrackingSigningKeys, a.config.TrackingTokenCheck),
		Parser:       anymail.ParserFunc(a.parseTracking),
		ContentTypes: []string{"application/json"},
		Window:       trackingWindow,

		RepeatsSignature: true,
	}, {
		Path:         "inbound",
		Verifier:     verifier(a.config.InboundSigningKeys, a.config.InboundTokenCheck),
		Parser:       anymail.ParserFunc(parseInbound),
		ContentTypes: []string{"multipart/form-data", "application/x-www-form-urlencoded"},
		Window:       inboundWindow,
		MaxBody:      48 << 20, // 30 MB of message, in any encoding

		RepeatsSignature: true,
		// After a 4xx SendGrid drops the message, without a notification.
		// https://support.sendgrid.com/hc/en-us/articles/46513815674395-Understanding-Inbound-Parse-Webhook-Retry-Logic
		MapStatus: esp.ReplaceClientErrors(http.StatusServiceUnavailable),
	}}
}

// verifier requires what is configured: a signature, a token, both, or nothing.
func verifier(keys anymail.KeySource, checkToken verify.TokenCheck) anymail.Verifier {
	const prefix = "X-Twilio-Email-Event-Webhook-"
	var proofs []anymail.Verifier
	if keys != nil {
		proofs = append(proofs, verify.PublicKey{
			Keys:       keys,
			Signatures: verify.Base64Header(prefix + "Signature"),
			Content:    verify.HeadersAndBody("", prefix+"Timestamp"),
			SignedAt:   verify.UnixHeader(prefix + "Timestamp"),
		}.Verifier())
	}
	if checkToken != nil {
		proofs = append(proofs, verify.Token{Check: checkToken, Scheme: "Bearer"}.Verifier())
	}
	switch len(proofs) {
	case 0:
		return nil
	case 1:
		return proofs[0]
	}
	return verify.All(proofs...)
}
