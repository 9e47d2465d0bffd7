// Package mailersend is the adapter for MailerSend.
//
// MailerSend signs the body of each webhook, and nothing else. Each webhook and each
// inbound route has its own secret
// (https://developers.mailersend.com/api/v1/webhooks.html#security).
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/mailersend.md
package mailersend

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "mailersend"

// Config configures the adapter. Its zero value works if the Dispatcher has a
// shared secret, but then nothing checks the signatures.
type Config struct {
	// TrackingSigningKeys are the signing secrets of webhooks, as MailerSend shows
	// them. Any of them is accepted.
	TrackingSigningKeys anymail.KeySource
	// InboundSigningKeys are the secrets of inbound routes, which have their own.
	InboundSigningKeys anymail.KeySource
}

// Adapter is the adapter for one MailerSend account.
type Adapter struct {
	config Config
}

// New returns an adapter. It returns [anymail.ErrConfig] if a secret is empty, has
// white space around it, or is the one that MailerSend publishes.
func New(config Config) (*Adapter, error) {
	if err := errors.Join(
		verify.CheckKeys(config.TrackingSigningKeys, "mailersend.Config.TrackingSigningKeys", checkSecret),
		verify.CheckKeys(config.InboundSigningKeys, "mailersend.Config.InboundSigningKeys", checkSecret),
	); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "mailersend".
func (*Adapter) ESP() string { return ESP }

// MailerSend never retries after a 4xx, but the user can fix a wrong address list.
var mapStatus = esp.Replace(http.StatusServiceUnavailable, http.StatusForbidden)

// Endpoints returns tracking and inbound. Each accepts the other's requests too: a
// setting at MailerSend decides what is posted where.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := anymail.Endpoint{
		Path:         "tracking",
		Patience:     patience,
		Verifier:     verifier(a.config.TrackingSigningKeys),
		Parser:       anymail.ParserFunc(parse),
		ContentTypes: []string{"application/json"},
		MapStatus:    mapStatus,
		Handshake:    answerTest,
		// No time is signed, and a webhook that fails often is paused.
		RepeatsSignature: true,
	}
	inbound := tracking
	inbound.Path = "inbound"
	inbound.Verifier = verifier(a.config.InboundSigningKeys)
	inbound.MaxBody = 80 << 20 // 25 MB of message, as received and again in parts
	return []anymail.Endpoint{tracking, inbound}
}

// testSecret signs the test that MailerSend makes before it saves a webhook,
// when the user cannot know the webhook's own secret. It is public
// (https://developers.mailersend.com/api/v1/webhooks.html#create-a-webhook), so
// it proves nothing, and a request that it signs must have no effect.
const testSecret = "test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G" //nolint:gosec // published

const testType = "webhook.test"

func checkSecret(secret string) error {
	switch {
	case strings.TrimSpace(secret) != secret:
		return errors.New("must not have white space around it")
	case secret == testSecret:
		return errors.New("must not be the published secret of the test, with which anyone can sign")
	}
	return nil
}

// verifier returns nil without secrets.
func verifier(secrets anymail.KeySource) anymail.Verifier {
	if secrets == nil {
		return nil
	}
	signature := verify.HexHeader("Signature")
	own := verify.HMAC{Keys: secrets, Signatures: signature}.Verifier()
	published := verify.HMAC{Keys: anymail.Keys(testSecret), Signatures: signature}.Verifier()
	ownOrTest := verify.Any(own, anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		_, err := published.Verify(ctx, p)
		return anymail.Proof{TestKey: err == nil}, err
	}))
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		if isTest(p) {
			return ownOrTest.Verify(ctx, p)
		}
		return own.Verify(ctx, p)
	})
}

// isTest reports whether p is the test, for the verifier and for the answer alike.
func isTest(p *anymail.Payload) bool { return wire.StringMember(p.Body, "type") == testType }

// answerTest answers the test, which has no events.
func answerTest(_ context.Context, p *anymail.Payload) (*anymail.Reply, error) {
	if !isTest(p) {
		return nil, nil
	}
	return &anymail.Reply{}, nil
}

func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	switch wire.StringMember(p.Body, "type") {
	case testType:
		return nil, nil // answerTest has answered it
	case inboundType:
		return parseInbound(p)
	}
	return wire.AtLeastOne(wire.Batch(p, fill))
}
