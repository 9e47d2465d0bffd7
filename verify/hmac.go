package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"hash"
	"sync"

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

// Verifier returns the verifier that h describes. The nonce is the MAC.
func (h HMAC) Verifier() anymail.Verifier {
	if h.Content == nil {
		h.Content = Body
	}
	return verifier(h.Keys, h.parse, func(p *anymail.Payload) (*claim, error) {
		if h.Signatures == nil {
			return nil, errMissing
		}
		macs, err := h.Signatures(p)
		if err != nil {
			return nil, err
		}
		if len(macs) > maxMACs {
			return nil, errEncoding
		}
		c := &claim{macs: macs}
		return c, c.read(p, h.SignedAt, h.Content)
	})
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
		return nil, errors.New("it is empty")
	}
	newHash := h.Hash
	if newHash == nil {
		newHash = sha256.New
	}
	return &macKey{newHash().Size(), sync.Pool{New: func() any { return hmac.New(newHash, secret) }}}, nil
}

// macKey keeps keyed hashes that are ready to be used: to make one takes three
// times as long as to hash a short body.
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
	h := k.pool.Get().(hash.Hash)
	defer k.pool.Put(h)
	sum := macOf(h, c)
	for _, mac := range c.macs {
		if hmac.Equal(sum, mac) {
			return sum
		}
	}
	return nil
}

func macOf(h hash.Hash, c *claim) []byte {
	h.Reset()
	for _, chunk := range c.chunks {
		_, _ = h.Write(chunk) // a hash never fails
	}
	return h.Sum(nil)
}
