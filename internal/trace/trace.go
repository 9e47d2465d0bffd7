// Package trace lets a developer's tool see what verifiers compare, to find out
// why a request is refused.
//
// A [Step] holds valid signatures and secrets: a program that reads it can forge
// what it is about. It is for a tool on a developer's own machine, never for a
// server, its logs or its responses. That is why the package is internal.
package trace

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"math/big"
	"time"
)

// Step is one comparison by a verifier. It must not be changed.
type Step struct {
	// Header is the name of the header that the verifier reads, if it knows it.
	Header string
	// Offered are the signatures, or the secret, that the payload came with.
	Offered [][]byte
	// Content is what has to be signed, as chunks that follow one another. It
	// is nil for a secret.
	Content [][]byte
	// SignedAt is the signed time, if there is one.
	SignedAt time.Time
	// Attempts has one element for each key that was tried.
	Attempts []Attempt
	// Err is the result: nil if the payload proved authentic.
	Err error
}

// Attempt is the result of one key on the content of a [Step].
type Attempt struct {
	// Key is the index of the key.
	Key int
	// Kind describes the kind of key, for people.
	Kind string
	// Expected is the only signature, or the secret, that this key accepts. It
	// is nil for a public key, which cannot make signatures.
	Expected []byte
	// Digest is what the signature of a public key has to cover. It is nil if
	// the content itself is signed (Ed25519).
	Digest []byte
	// Signed is the digest that an offered RSA signature covers. If it is not
	// nil, the owner of the key did sign, but perhaps something else.
	Signed []byte
	// Valid reports whether this key proves the payload authentic.
	Valid bool
}

type contextKey struct{}

// With returns a context under which verifiers pass each comparison to f. Their
// results do not change. Read the warning in the package documentation first.
func With(ctx context.Context, f func(Step)) context.Context {
	return context.WithValue(ctx, contextKey{}, f)
}

// Record is for verifiers: it passes on a Step if ctx comes from [With].
// Otherwise it does not call step.
func Record(ctx context.Context, step func() Step) {
	if f, ok := ctx.Value(contextKey{}).(func(Step)); ok {
		f(step())
	}
}

// PublicKey describes what a public key requires of signatures of a digest. The
// caller sets Key and Valid.
func PublicKey(public crypto.PublicKey, hash crypto.Hash, digest []byte, signatures [][]byte) Attempt {
	a := Attempt{Digest: digest}
	switch public := public.(type) {
	case ed25519.PublicKey:
		return Attempt{Kind: "Ed25519"}
	case *ecdsa.PublicKey:
		a.Kind = "ECDSA " + public.Curve.Params().Name + " with " + hash.String()
	case *rsa.PublicKey:
		a.Kind = fmt.Sprintf("RSA of %d bits with %s", public.N.BitLen(), hash)
		for _, signature := range signatures {
			if a.Signed = signedDigest(public, hash, signature); a.Signed != nil {
				break
			}
		}
	}
	return a
}

// signedDigest returns the digest that a PKCS #1 v1.5 signature covers, or nil
// if the signature is not of this key and hash. Unlike a verification it does
// not know the digest beforehand, so it proves nothing.
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
