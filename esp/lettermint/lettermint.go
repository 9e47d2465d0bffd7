// Package lettermint is the adapter for Lettermint.
//
// Lettermint signs time and body, each webhook with its own secret
// (https://docs.lettermint.co/platform/webhooks/signing). Received mail is in the
// request, in parts.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/lettermint.md
package lettermint

import (
	"context"
	"errors"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "lettermint"

// Config configures the adapter. Its zero value works if the Dispatcher has a shared
// secret, but then nothing checks the signatures.
type Config struct {
	// TrackingSigningKeys are the signing secrets ("whsec_...") of webhooks of outbound
	// routes. Any of them is accepted.
	TrackingSigningKeys anymail.KeySource
	// InboundSigningKeys are the signing secrets of webhooks of inbound routes.
	InboundSigningKeys anymail.KeySource
}

// Adapter is the adapter for one Lettermint team.
type Adapter struct {
	config Config
}

// New returns an adapter. It returns [anymail.ErrConfig] if a secret is empty or has
// white space around it.
func New(config Config) (*Adapter, error) {
	if err := errors.Join(
		verify.CheckKeys(config.TrackingSigningKeys, "lettermint.Config.TrackingSigningKeys", nil),
		verify.CheckKeys(config.InboundSigningKeys, "lettermint.Config.InboundSigningKeys", nil),
	); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "lettermint".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking and inbound. Each accepts the other's requests too.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := endpoint("tracking", a.config.TrackingSigningKeys)
	inbound := endpoint("inbound", a.config.InboundSigningKeys)
	inbound.MaxBody = 50 << 20 // as in Lettermint's SDKs
	return []anymail.Endpoint{tracking, inbound}
}

func endpoint(path string, secrets anymail.KeySource) anymail.Endpoint {
	ep := anymail.Endpoint{
		Path:         path,
		Parser:       anymail.ParserFunc(parse),
		ContentTypes: []string{"application/json"},
		// Whether a retry is signed anew is not documented.
		RepeatsSignature: true,
	}
	if secrets != nil {
		ep.Verifier = verify.HMAC{Keys: secrets, Layout: signed}.Verifier() // the key is the whole text, "whsec_" too
	}
	return ep
}

const (
	signatureHeader = "X-Lettermint-Signature"
	deliveryHeader  = "X-Lettermint-Delivery"
)

// signed reads "t=<Unix seconds>,v1=<hex>". The signature is of the seconds, "." and
// the body. The delivery header, if there is one, repeats the seconds.
func signed(p *anymail.Payload) ([]verify.SignedContent, error) {
	header, err := verify.HeaderValue(p, signatureHeader)
	if err != nil {
		return nil, err
	}
	var seconds string
	var signatures [][]byte
	for field := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "t":
			if seconds != "" {
				return nil, anymail.Unauthenticated(verify.ReasonTimestamp)
			}
			seconds = value
		case "v1":
			signature, err := verify.Hex(value)
			if err != nil {
				return nil, err
			}
			signatures = append(signatures, signature)
		}
	}
	at, err := verify.Unix(seconds)
	if err != nil {
		return nil, err
	}
	for _, repeated := range p.Header.Values(deliveryHeader) {
		if repeated != seconds {
			return nil, anymail.Unauthenticated(verify.ReasonTimestamp)
		}
	}
	if signatures == nil {
		return nil, anymail.Unauthenticated(verify.ReasonMissing)
	}
	return []verify.SignedContent{{
		Signatures: signatures, SignedAt: at, Content: [][]byte{[]byte(seconds + "."), p.Body},
	}}, nil
}

func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	if wire.StringMember(p.Body, "event") == inboundType {
		return parseInbound(p)
	}
	return wire.AtLeastOne(wire.Batch(p, fill))
}
