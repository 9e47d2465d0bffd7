package verify

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"hash"
	"math/big"
	"time"

	"github.com/goanymail/anymail"
)

// Step is what a verifier compared, for a person to find out why a request is
// refused.
//
// A Step holds valid signatures and secrets: whoever reads it can forge what it
// is about. It is for a tool on a developer's own machine, never for a server,
// its logs or its answers. Nothing of it may be changed.
type Step struct {
	// Header is the name of the header that is looked at, where the verifier
	// knows it.
	Header string
	// Offered are the signatures, or the secret, that the payload came with.
	Offered [][]byte
	// Content is what has to be signed, as chunks that follow one another. Nil
	// for a secret.
	Content [][]byte
	// SignedAt is the signed time, if there is one.
	SignedAt time.Time
	// Attempts has one element for each key that was tried.
	Attempts []Attempt
	// Err is the answer: nil where the payload proved authentic.
	Err error
}

// Attempt is what one key makes of the content of a [Step].
type Attempt struct {
	// Key is the index of the key, Kind what kind it is, for people.
	Key  int
	Kind string
	// Expected is the only signature, or the secret, that this key accepts. Nil
	// for a public key, which cannot make one.
	Expected []byte
	// Digest is what a public key's signature has to be of. Nil where the
	// content is signed itself (Ed25519).
	Digest []byte
	// Signed is the digest that an offered RSA signature is of. Where it is
	// not nil the owner of the key did sign, but perhaps something else.
	Signed []byte
	// Valid says that this key proves the payload authentic.
	Valid bool
}

type traceKey struct{}

// WithTrace returns a context under which the verifiers of this package tell
// trace what they compare, besides answering as they always do. Read the
// warning at [Step] first.
func WithTrace(ctx context.Context, trace func(Step)) context.Context {
	return context.WithValue(ctx, traceKey{}, trace)
}

// Trace is for verifiers outside this package that compare by themselves: it
// hands over a Step if ctx comes from [WithTrace]. Otherwise step is not called.
func Trace(ctx context.Context, step func() Step) {
	if trace, ok := ctx.Value(traceKey{}).(func(Step)); ok {
		trace(step())
	}
}

// traceClaim traces what keys make of a claim, of which there is none if it
// could not be read, and returns err.
func traceClaim(ctx context.Context, c *claim, keys []key, err error) error {
	Trace(ctx, func() Step {
		s := Step{Err: err}
		if c == nil {
			return s
		}
		s.Content, s.SignedAt = c.chunks, c.at
		s.Offered = append(append(s.Offered, c.macs...), c.signatures...)
		for i, key := range keys {
			a := key.explain(c)
			a.Key = i
			s.Attempts = append(s.Attempts, a)
		}
		return s
	})
	return err
}

func (k *macKey) explain(c *claim) Attempt {
	h := k.pool.Get().(hash.Hash)
	defer k.pool.Put(h)
	sum := macOf(h, c)
	return Attempt{Kind: fmt.Sprintf("HMAC of %d bits", 8*k.size), Expected: sum, Valid: k.prove(c) != nil}
}

func (k publicKey) explain(c *claim) Attempt {
	a := Attempt{Valid: k.prove(c) != nil}
	switch public := k.public.(type) {
	case ed25519.PublicKey:
		a.Kind = "Ed25519"
		return a
	case *ecdsa.PublicKey:
		a.Kind = "ECDSA " + public.Curve.Params().Name + " with " + k.hash.String()
	case *rsa.PublicKey:
		a.Kind = fmt.Sprintf("RSA of %d bits with %s", public.N.BitLen(), k.hash)
		for _, signature := range c.signatures {
			if a.Signed = signedDigest(public, k.hash, signature); a.Signed != nil {
				break
			}
		}
	}
	a.Digest = c.sum(k.hash)
	return a
}

// signedDigest returns the digest that a PKCS #1 v1.5 signature is of, or nil
// where the signature is not of this key and hash. Other than a verification it
// does not know the digest beforehand, so that it proves nothing.
func signedDigest(public *rsa.PublicKey, hash crypto.Hash, signature []byte) []byte {
	if len(signature) != public.Size() {
		return nil
	}
	m := new(big.Int).Exp(new(big.Int).SetBytes(signature), big.NewInt(int64(public.E)), public.N)
	padded := m.FillBytes(make([]byte, public.Size()))
	// 0x00 0x01, 0xff as often as it takes, 0x00, DigestInfo: RFC 8017, 9.2.
	head, ok := bytes.CutPrefix(padded, []byte{0, 1, 0xff})
	if !ok || len(head) < hash.Size() {
		return nil
	}
	digest := head[len(head)-hash.Size():]
	if rsa.VerifyPKCS1v15(public, hash, digest, signature) != nil {
		return nil
	}
	return digest
}

// traceSecret traces the comparison of a secret, and returns its outcome.
func traceSecret(ctx context.Context, keys []string, given string, proof anymail.Proof, err error) (anymail.Proof, error) {
	Trace(ctx, func() Step {
		s := Step{Offered: [][]byte{[]byte(given)}, Err: err}
		for i, key := range keys {
			s.Attempts = append(s.Attempts, Attempt{
				Key: i, Kind: "secret", Expected: []byte(key), Valid: err == nil && i == proof.Key,
			})
		}
		return s
	})
	return proof, err
}
