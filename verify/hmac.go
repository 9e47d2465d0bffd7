package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"sync"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/trace"
)

// HMAC verifies a keyed hash. Keys must be set, and either Signatures or Layout.
type HMAC struct {
	Keys anymail.KeySource
	// Hash is SHA-256 if nil.
	Hash func() hash.Hash
	// DecodeKey turns a key as the ESP shows it into bytes. If nil, the key is
	// its own bytes. An empty key never verifies anything.
	DecodeKey func(string) ([]byte, error)
	// Signatures reads the signatures, at most 16.
	Signatures Signatures
	// Content is [Body] if nil.
	Content Content
	// SignedAt reads the signed time, if the ESP signs one.
	SignedAt SignedAt
	// Layout, if set, replaces Signatures, Content and SignedAt.
	Layout Layout
}

// Verifier returns the verifier that h describes. The fingerprint is the MAC.
func (h HMAC) Verifier() anymail.Verifier {
	s := reader{signatures: h.Signatures, content: h.Content, signedAt: h.SignedAt, claims: h.Layout, most: maxMACs}
	return verifier(h.Keys, h.parse, s.read)
}

// maxMACs bounds how many signatures one request may offer to a keyed hash. A
// sender in the middle of a rotation needs two; more cost next to nothing.
const maxMACs = 16

func (h HMAC) parse(text string) (key, error) {
	secret := []byte(text)
	if h.DecodeKey != nil {
		var err error
		if secret, err = h.DecodeKey(text); err != nil {
			return nil, errors.New("it cannot be decoded") // err may quote the secret
		}
	}
	if len(secret) == 0 {
		return nil, errEmptyKey
	}
	newHash := h.Hash
	if newHash == nil {
		newHash = sha256.New
	}
	return &macKey{newHash().Size(), sync.Pool{New: func() any { return hmac.New(newHash, secret) }}}, nil
}

var errEmptyKey = errors.New("it is empty")

// macKey keeps keyed hashes for reuse: making one takes three times as long as
// hashing a short body.
type macKey struct {
	size int
	pool sync.Pool
}

func (k *macKey) prove(c *claim) []byte {
	fits := false
	for _, mac := range c.macs {
		fits = fits || len(mac) == k.size
	}
	if !fits {
		return nil // without hashing the body
	}
	sum := k.mac(c.Content)
	for _, mac := range c.macs {
		if hmac.Equal(sum, mac) {
			return sum
		}
	}
	return nil
}

func (k *macKey) mac(content [][]byte) []byte {
	h := k.pool.Get().(hash.Hash)
	defer k.pool.Put(h)
	h.Reset()
	for _, chunk := range content {
		_, _ = h.Write(chunk) // a hash never fails
	}
	return h.Sum(nil)
}

func (k *macKey) explain(c *claim) trace.Attempt {
	return trace.Attempt{Kind: fmt.Sprintf("HMAC of %d bits", 8*k.size), Expected: k.mac(c.Content)}
}
