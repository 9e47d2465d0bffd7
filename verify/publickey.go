package verify

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"

	"github.com/goanymail/anymail"
)

// PublicKey verifies a signature made with a private key: ECDSA, RSA
// (PKCS #1 v1.5) or Ed25519, whichever kind the configured key is of; the
// message has no say in it. Keys and Signatures must be set.
type PublicKey struct {
	// Keys are PEM or base64 DER, as [ParsePublicKey] takes them.
	Keys anymail.KeySource
	// Hash is SHA-256 if 0. Ed25519 signs the content itself.
	Hash crypto.Hash
	// Signatures finds the signatures.
	Signatures Signatures
	// Content is [Body] if nil.
	Content Content
	// SignedAt finds the signed time, if the ESP signs one.
	SignedAt SignedAt
}

// Verifier returns the verifier that k describes.
func (k PublicKey) Verifier() anymail.Verifier {
	if k.Hash == 0 {
		k.Hash = crypto.SHA256
	}
	if k.Content == nil {
		k.Content = Body
	}
	keys := NewParsedKeys(k.Keys, ParsePublicKey)
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (proof anymail.Proof, err error) {
		signatures, err := k.Signatures(p)
		if err != nil {
			return proof, err
		}
		if k.SignedAt != nil {
			if proof.SignedAt, err = k.SignedAt(p); err != nil {
				return proof, err
			}
		}
		chunks, err := k.Content(p)
		if err != nil {
			return proof, err
		}
		candidates, err := keys.Get(ctx)
		if err != nil {
			return proof, err
		}
		h := k.Hash.New()
		for _, chunk := range chunks {
			_, _ = h.Write(chunk) // a hash never fails
		}
		digest := h.Sum(nil)
		for i, key := range candidates {
			for _, signature := range signatures {
				if k.valid(key, chunks, digest, signature) {
					// Not the signature: there can be several valid ones over
					// the same content.
					proof.Nonce, proof.Key = digest, i
					return proof, nil
				}
			}
		}
		return anymail.Proof{}, errMismatch
	})
}

func (k PublicKey) valid(key crypto.PublicKey, chunks [][]byte, digest, signature []byte) bool {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest, signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, k.Hash, digest, signature) == nil
	case ed25519.PublicKey:
		var content []byte
		for _, chunk := range chunks {
			content = append(content, chunk...)
		}
		return ed25519.Verify(key, content, signature)
	}
	return false
}

// ParsePublicKey reads a public key (PKIX, or PKCS #1 for RSA) in PEM or in
// base64 DER, with or without line breaks, also as the p= tag of a DKIM
// record. RSA keys of less than 1024 or more than 8192 bits are refused.
func ParsePublicKey(text string) (crypto.PublicKey, error) {
	text = strings.TrimSpace(text)
	var der []byte
	if block, _ := pem.Decode([]byte(text)); block != nil {
		der = block.Bytes
	} else {
		if _, p, ok := strings.Cut(text, "p="); ok {
			text, _, _ = strings.Cut(p, ";")
		}
		var err error
		if der, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err != nil {
			return nil, errors.New("it is neither PEM nor base64 DER")
		}
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		if key, err = x509.ParsePKCS1PublicKey(der); err != nil {
			return nil, errors.New("it holds no public key")
		}
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		if err := checkRSA(key); err != nil {
			return nil, err
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return nil, errors.New("it is of an unknown kind")
	}
	return key, nil
}

// maxRSABits bounds what one verification can cost; crypto/tls has the same.
const maxRSABits = 8192

func checkRSA(key *rsa.PublicKey) error {
	if n := key.N.BitLen(); n < 1024 || n > maxRSABits {
		return errors.New("it is an RSA key of less than 1024 or more than 8192 bits")
	}
	return nil
}

var _ = sha256.New // linked in for crypto.SHA256
