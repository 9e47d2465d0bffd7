package verify

import (
	"encoding/base64"
	"strings"

	"github.com/goanymail/anymail"
)

// StandardWebhooks describes the scheme of standardwebhooks.com: HMAC-SHA256
// over id, timestamp and body, in a list of "v1," signatures.
type StandardWebhooks struct {
	// Keys are secrets as the ESP shows them: "whsec_" and base64.
	Keys anymail.KeySource
	// Prefix is that of the header names, "webhook-" if empty; Svix, the
	// scheme's ancestor, has "svix-".
	Prefix string
	// DecodeKey is [DecodeWebhookSecret] if nil.
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
	return HMAC{
		Keys:       s.Keys,
		DecodeKey:  s.DecodeKey,
		Signatures: versionedList(s.Prefix + "signature"),
		Content:    HeadersAndBody(".", s.Prefix+"id", s.Prefix+"timestamp"),
		SignedAt:   UnixHeader(s.Prefix + "timestamp"),
	}.Verifier()
}

// DecodeWebhookSecret decodes the base64 of a secret after its "whsec_".
func DecodeWebhookSecret(secret string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
}

// maxSignatures bounds the list of one header; a sender in the middle of a
// rotation needs two.
const maxSignatures = 16

func versionedList(name string) Signatures {
	return func(p *anymail.Payload) ([][]byte, error) {
		value, err := Header(p, name)
		if err != nil {
			return nil, err
		}
		var signatures [][]byte
		for entry := range strings.FieldsSeq(value) {
			encoded, ok := strings.CutPrefix(entry, "v1,")
			if !ok {
				continue // of a version that may come one day
			}
			signature, err := base64.StdEncoding.Strict().DecodeString(encoded)
			if err != nil || len(signatures) == maxSignatures {
				return nil, errEncoding
			}
			signatures = append(signatures, signature)
		}
		if len(signatures) == 0 {
			return nil, errMissing
		}
		return signatures, nil
	}
}
