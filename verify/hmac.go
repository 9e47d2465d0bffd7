package verify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"hash"

	"github.com/goanymail/anymail"
)

// HMAC verifies a keyed hash. Keys and Signatures must be set.
type HMAC struct {
	Keys anymail.KeySource
	// Hash is SHA-256 if nil.
	Hash func() hash.Hash
	// DecodeKey turns a key as the ESP shows it into bytes. If nil, the key is
	// its own bytes. An empty key never verifies anything.
	DecodeKey func(string) ([]byte, error)
	// Signatures finds the signatures.
	Signatures Signatures
	// Content is [Body] if nil.
	Content Content
	// SignedAt finds the signed time, if the ESP signs one.
	SignedAt SignedAt
}

// Verifier returns the verifier that h describes.
func (h HMAC) Verifier() anymail.Verifier {
	if h.Hash == nil {
		h.Hash = sha256.New
	}
	if h.Content == nil {
		h.Content = Body
	}
	keys := NewParsedKeys(h.Keys, func(text string) ([]byte, error) {
		key, err := []byte(text), error(nil)
		if h.DecodeKey != nil {
			key, err = h.DecodeKey(text)
		}
		if err == nil && len(key) == 0 {
			err = errors.New("it is empty")
		}
		return key, err
	})
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (proof anymail.Proof, err error) {
		signatures, err := h.Signatures(p)
		if err != nil {
			return proof, err
		}
		if h.SignedAt != nil {
			if proof.SignedAt, err = h.SignedAt(p); err != nil {
				return proof, err
			}
		}
		chunks, err := h.Content(p)
		if err != nil {
			return proof, err
		}
		candidates, err := keys.Get(ctx)
		if err != nil {
			return proof, err
		}
		for i, key := range candidates {
			mac := hmac.New(h.Hash, key)
			for _, chunk := range chunks {
				_, _ = mac.Write(chunk) // a hash never fails
			}
			sum := mac.Sum(nil)
			for _, signature := range signatures {
				if hmac.Equal(sum, signature) {
					proof.Nonce, proof.Key = sum, i
					return proof, nil
				}
			}
		}
		return anymail.Proof{}, errMismatch
	})
}
