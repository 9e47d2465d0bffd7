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
	"github.com/goanymail/anymail/internal/trace"
)

// PublicKey verifies a signature that a private key made: ECDSA, RSA (PKCS #1
// v1.5) or Ed25519. The kind of the configured key decides, never the request.
// Keys must be set, and either Signatures or Layout.
type PublicKey struct {
	// Keys are PEM or base64 DER, as [ParsePublicKey] accepts them.
	Keys anymail.KeySource
	// Hash is SHA-256 if 0. Ed25519 signs the content itself.
	Hash crypto.Hash
	// Signatures reads the signatures, at most four.
	Signatures Signatures
	// Content is [Body] if nil.
	Content Content
	// SignedAt reads the signed time, if the ESP signs one.
	SignedAt SignedAt
	// Layout, if set, replaces Signatures, Content and SignedAt.
	Layout Layout
}

// Verifier returns the verifier that k describes. The fingerprint is the digest
// of the content: a content can have several valid signatures.
func (k PublicKey) Verifier() anymail.Verifier {
	if k.Hash == 0 {
		k.Hash = crypto.SHA256
	}
	s := reader{signatures: k.Signatures, content: k.Content, signedAt: k.SignedAt, claims: k.Layout, most: maxSignatures, public: true}
	return verifier(k.Keys, k.parse, s.read)
}

func (k PublicKey) parse(text string) (key, error) {
	if !k.Hash.Available() {
		return nil, errors.New("its hash is not linked into the program")
	}
	public, err := ParsePublicKey(text)
	return publicKey{public, k.Hash}, err
}

// maxSignatures bounds how many signatures one request may offer to a public
// key, since each one is tried. A rotation needs two.
const maxSignatures = 4

// publicKey is a public key and the hash that is used with it.
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
		return len(signature) == ed25519.SignatureSize && ed25519.Verify(public, c.joined(), signature)
	}
	return false
}

func (k publicKey) explain(c *claim) trace.Attempt {
	return trace.PublicKey(k.public, k.hash, c.sum(k.hash), c.signatures)
}

// ParsePublicKey reads one public key (PKIX, or PKCS #1 for RSA) in PEM or in
// base64 DER, with or without line breaks, or as the p= tag of a DKIM record. An
// Ed25519 key may also be the base64 of its 32 bytes alone. It refuses RSA keys
// of less than 1024 or more than 8192 bits.
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

// maxRSABits bounds the cost of one verification, as in crypto/tls.
const maxRSABits = 8192

func checkRSA(public *rsa.PublicKey) error {
	if n := public.N.BitLen(); n < 1024 || n > maxRSABits {
		return errors.New("it is an RSA key of less than 1024 or more than 8192 bits")
	}
	return nil
}
