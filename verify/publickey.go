package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // linked in for PublicKey.Hash
	_ "crypto/sha512"
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
	// Signatures finds the signatures, at most four.
	Signatures Signatures
	// Content is [Body] if nil.
	Content Content
	// SignedAt finds the signed time, if the ESP signs one.
	SignedAt SignedAt
}

// Verifier returns the verifier that k describes. The nonce is the digest of
// the content and not the signature, of which there can be several valid ones.
func (k PublicKey) Verifier() anymail.Verifier {
	if k.Hash == 0 {
		k.Hash = crypto.SHA256
	}
	if k.Content == nil {
		k.Content = Body
	}
	parse := func(text string) (key, error) {
		if !k.Hash.Available() {
			return nil, errors.New("its hash is not linked into the program")
		}
		public, err := ParsePublicKey(text)
		return publicKey{public, k.Hash}, err
	}
	return verifier(k.Keys, parse, func(p *anymail.Payload) (*claim, error) {
		if k.Signatures == nil {
			return nil, errMissing
		}
		signatures, err := k.Signatures(p)
		if err != nil {
			return nil, err
		}
		if len(signatures) > maxSignatures {
			return nil, errEncoding
		}
		c := &claim{signatures: signatures}
		return c, c.read(p, k.SignedAt, k.Content)
	})
}

// maxSignatures bounds how many signatures one request may offer to a public
// key, since every one is tried: two during a rotation, and some to spare.
const maxSignatures = 4

// publicKey is a public key and the hash that goes with it.
type publicKey struct {
	public crypto.PublicKey
	hash   crypto.Hash
}

func (k publicKey) prove(c *claim) []byte {
	for _, signature := range c.signatures {
		if k.valid(c, signature) {
			return c.sum(k.hash)
		}
	}
	return nil
}

func (k publicKey) valid(c *claim, signature []byte) bool {
	switch public := k.public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, c.sum(k.hash), signature)
	case *rsa.PublicKey:
		return len(signature) == public.Size() && rsa.VerifyPKCS1v15(public, k.hash, c.sum(k.hash), signature) == nil
	case ed25519.PublicKey:
		return len(signature) == ed25519.SignatureSize && ed25519.Verify(public, c.content(), signature)
	}
	return false
}

// ParsePublicKey reads one public key (PKIX, or PKCS #1 for RSA) in PEM or in
// base64 DER, with or without line breaks, also as the p= tag of a DKIM
// record. An Ed25519 key may also be the base64 of its 32 bytes alone. RSA
// keys of less than 1024 or more than 8192 bits are refused.
func ParsePublicKey(text string) (crypto.PublicKey, error) {
	text = strings.TrimSpace(text)
	var der []byte
	if block, rest := pem.Decode([]byte(text)); block != nil {
		if strings.TrimSpace(string(rest)) != "" {
			return nil, errors.New("it is more than one key")
		}
		der = block.Bytes
	} else {
		for tag := range strings.SplitSeq(text, ";") {
			if name, value, ok := strings.Cut(tag, "="); ok && strings.TrimSpace(name) == "p" {
				text = value
				break
			}
		}
		var err error
		if der, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err != nil {
			return nil, errors.New("it is neither PEM nor base64 DER")
		}
		if len(der) == ed25519.PublicKeySize {
			return ed25519.PublicKey(der), nil
		}
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		if public, err = x509.ParsePKCS1PublicKey(der); err != nil {
			return nil, errors.New("it holds no public key")
		}
	}
	switch public := public.(type) {
	case *rsa.PublicKey:
		if err := checkRSA(public); err != nil {
			return nil, err
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return nil, errors.New("it is of an unknown kind")
	}
	return public, nil
}

// maxRSABits bounds what one verification can cost; crypto/tls has the same.
const maxRSABits = 8192

func checkRSA(public *rsa.PublicKey) error {
	if n := public.N.BitLen(); n < 1024 || n > maxRSABits {
		return errors.New("it is an RSA key of less than 1024 or more than 8192 bits")
	}
	return nil
}
