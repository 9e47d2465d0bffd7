package verify

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/goanymail/anymail"
)

// StandardWebhooks describes the scheme of standardwebhooks.com: a list of
// signatures over id, timestamp and body, "v1," by HMAC-SHA256 and "v1a," by
// Ed25519. The kind of the configured key decides which of them it tries.
//
// Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
type StandardWebhooks struct {
	// Keys are as the ESP shows them: secrets ("whsec_" and base64) or public
	// keys ("whpk_" and base64).
	Keys anymail.KeySource
	// Prefix begins the header names. It is "webhook-" if empty; Svix, from which
	// the scheme comes, has "svix-".
	Prefix string
	// DecodeKey decodes a secret. It is [DecodeWebhookSecret] if nil.
	DecodeKey func(string) ([]byte, error)
}

// Verifier returns the verifier that s describes.
func (s StandardWebhooks) Verifier() anymail.Verifier {
	if s.Prefix == "" {
		s.Prefix = "webhook-"
	}
	if s.DecodeKey == nil {
		s.DecodeKey = DecodeWebhookSecret
	}
	name := http.CanonicalHeaderKey(s.Prefix + "signature")
	at := UnixHeader(s.Prefix + "timestamp")
	content := HeadersAndBody(".", s.Prefix+"id", s.Prefix+"timestamp")
	return verifier(s.Keys, s.parse, func(p *anymail.Payload) ([]claim, error) {
		claims := make([]claim, 1)
		if err := readVersions(p, name, &claims[0]); err != nil {
			return nil, err
		}
		return claims, claims[0].fill(p, at, content)
	})
}

func (s StandardWebhooks) parse(text string) (key, error) {
	encoded, ok := strings.CutPrefix(text, "whpk_")
	if !ok {
		return HMAC{DecodeKey: s.DecodeKey}.parse(text)
	}
	public, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(public) != ed25519.PublicKeySize {
		return nil, errors.New("it is not an Ed25519 key")
	}
	return publicKey{ed25519.PublicKey(public), crypto.SHA256}, nil
}

// DecodeWebhookSecret decodes the base64 of a secret after its "whsec_".
func DecodeWebhookSecret(secret string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
}

// CheckWebhookSecret is for [CheckKeys], if all keys are secrets of Standard
// Webhooks. It refuses a secret that is empty or not base64.
func CheckWebhookSecret(secret string) error {
	if key, err := DecodeWebhookSecret(secret); err != nil || len(key) == 0 {
		return errors.New(`must be "whsec_" and base64`)
	}
	return nil
}

// readVersions reads the list of signatures, each with its version.
func readVersions(p *anymail.Payload, name string, c *claim) error {
	value, err := HeaderValue(p, name)
	if err != nil {
		return err
	}
	for entry := range strings.FieldsSeq(value) {
		version, encoded, _ := strings.Cut(entry, ",")
		list, most := &c.macs, maxMACs
		switch version {
		case "v1":
		case "v1a":
			list, most = &c.signatures, maxSignatures
		default:
			continue // a later version
		}
		if len(*list) == most {
			return errEncoding
		}
		signature, err := Base64(encoded)
		if err != nil {
			return err
		}
		*list = append(*list, signature)
	}
	if c.macs == nil && c.signatures == nil {
		return errMissing
	}
	return nil
}
