// Package postal is the adapter for Postal, a self-hosted mail server
// (https://github.com/postalserver/postal).
//
// Postal signs its webhooks and its requests to HTTP endpoints with the
// installation's RSA key (https://docs.postalserver.io/developer/webhooks).
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/postal.md
package postal

import (
	"context"
	"crypto"
	_ "crypto/sha1" // for Postal before 3.2
	"net/http"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/verify"
)

// ESP is the canonical name of the adapter.
const ESP = "postal"

// Config configures the adapter. Its zero value works if the Dispatcher has a
// shared secret, but then nothing checks the signature.
type Config struct {
	// SigningKeys are the installation's public key, in any of the forms in which
	// Postal shows it: what "postal default-dkim-record" prints, or only its p=
	// value; PEM; or the content of https://your.postal/.well-known/jwks.json.
	// Any of several keys is accepted. It is not the DKIM key of a domain.
	SigningKeys anymail.KeySource
	// RequireSHA256 refuses the SHA-1 signatures that Postal before version
	// 3.2 makes. If a request has both, only SHA-256 counts in any case.
	RequireSHA256 bool
}

// Adapter is the adapter for one Postal installation.
type Adapter struct {
	config Config
}

// New returns an adapter. It returns [anymail.ErrConfig] if one of the keys that the
// source has now is not a public RSA key.
func New(config Config) (*Adapter, error) {
	if config.SigningKeys != nil {
		if texts, err := config.SigningKeys.Keys(context.Background()); err == nil {
			if _, err := parseKeys(texts); err != nil {
				return nil, anymail.Misconfigured("postal.Config.SigningKeys", "%w", err)
			}
		}
	}
	return &Adapter{config}, nil
}

// ESP returns "postal".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking, for webhooks, and inbound, for HTTP endpoints.
// Each accepts the other's requests too: the user enters both URLs, at different
// places of Postal.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := anymail.Endpoint{
		Path:     "tracking",
		Patience: patience,
		Parser:   anymail.ParserFunc(parse),
		// No time is signed. For inbound, refusing a redelivery would make
		// Postal bounce a message that was received.
		RepeatsSignature: true,
	}
	if a.config.SigningKeys != nil {
		tracking.Verifier = a.verifier()
	}
	inbound := tracking
	inbound.Path = "inbound"
	// At an HTTP endpoint any 4xx is final: Postal bounces the message to its
	// sender or, at 429, drops it. After a 5xx it retries for a day.
	// https://github.com/postalserver/postal/blob/main/app/senders/http_sender.rb
	inbound.MapStatus = esp.ReplaceClientErrors(http.StatusServiceUnavailable)
	inbound.MaxBody = 64 << 20 // by default Postal accepts messages of 14 MB; it posts them in base64
	return []anymail.Endpoint{tracking, inbound}
}

const signature256 = "X-Postal-Signature-256"

// verifier checks the SHA-256 signature if there is one, and otherwise the older
// one.
func (a *Adapter) verifier() anymail.Verifier {
	keys := keySource(a.config.SigningKeys)
	current := verify.PublicKey{Keys: keys, Signatures: verify.Base64Header(signature256)}.Verifier()
	if a.config.RequireSHA256 {
		return current
	}
	older := verify.PublicKey{Keys: keys, Signatures: verify.Base64Header("X-Postal-Signature"), Hash: crypto.SHA1}.Verifier()
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		if len(p.Header.Values(signature256)) > 0 {
			return current.Verify(ctx, p)
		}
		return older.Verify(ctx, p)
	})
}
