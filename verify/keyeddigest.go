package verify

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"hash"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/trace"
)

// KeyedDigest verifies a digest of a text that contains the key, the scheme that
// HMAC replaced. Keys and Layout must be set.
//
// If the key is not the last part of the text, the adapter must see to it that
// nothing can follow the signed content: from the digest of a text anyone can
// compute that of the same text with more appended.
type KeyedDigest struct {
	Keys anymail.KeySource
	// Hash is SHA-256 if nil.
	Hash func() hash.Hash
	// Layout reads what is signed. The digest is that of the chunks of the Content
	// with the key between each two: before, key, after.
	Layout Layout
}

// Verifier returns the verifier that d describes. The fingerprint is the digest.
func (d KeyedDigest) Verifier() anymail.Verifier {
	if d.Hash == nil {
		d.Hash = sha256.New
	}
	s := reader{claims: d.Layout, most: maxMACs}
	return verifier(d.Keys, d.parse, s.read)
}

func (d KeyedDigest) parse(text string) (key, error) {
	if text == "" {
		return nil, errEmptyKey
	}
	return digestKey{[]byte(text), d.Hash}, nil
}

type digestKey struct {
	secret []byte
	hash   func() hash.Hash
}

func (k digestKey) prove(c *claim) []byte {
	sum := k.sum(c.Content)
	for _, given := range c.macs {
		if subtle.ConstantTimeCompare(sum, given) == 1 {
			return sum
		}
	}
	return nil
}

func (k digestKey) sum(content [][]byte) []byte {
	h := k.hash()
	for i, chunk := range content {
		if i > 0 {
			_, _ = h.Write(k.secret) // a hash never fails
		}
		_, _ = h.Write(chunk)
	}
	return h.Sum(nil)
}

func (k digestKey) explain(c *claim) trace.Attempt {
	return trace.Attempt{Kind: fmt.Sprintf("digest of %d bits with the key in the text", 8*k.hash().Size()), Expected: k.sum(c.Content)}
}
