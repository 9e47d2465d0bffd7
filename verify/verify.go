// Package verify has the building blocks of an adapter's [anymail.Verifier]:
//
//   - [HMAC], [PublicKey] and [KeyedDigest] for signatures,
//   - [StandardWebhooks] for the scheme of that name,
//   - [Token] for a secret that the ESP sends unchanged,
//   - [All] and [Any] to combine them.
//
// An adapter says where the ESP puts the signature ([HexHeader],
// [Base64Header]), what it signs ([Body], [HeadersAndBody]) and when it signed
// ([UnixHeader]). If that does not fit, it is one function from the payload to
// [SignedContent] values.
//
// The verifiers accept several keys, any of which may match, and refuse
// everything if there are none. They compare in constant time and refuse a
// repeated signature header. They do no I/O. A forged request costs at most what
// an authentic one does, times the keys and the few signatures that it may
// offer.
//
// Package verify/sns verifies messages of Amazon SNS, for which it fetches
// certificates.
package verify

import (
	"context"
	"errors"

	"github.com/goanymail/anymail"
)

// The reasons for which the verifiers of this package refuse a request.
const (
	ReasonMissing   anymail.Reason = "no signature"
	ReasonRepeated  anymail.Reason = "repeated signature header"
	ReasonEncoding  anymail.Reason = "signature is not well encoded"
	ReasonMismatch  anymail.Reason = "signature mismatch"
	ReasonNoKeys    anymail.Reason = "no key is configured"
	ReasonTimestamp anymail.Reason = "no readable timestamp"
	ReasonSeparator anymail.Reason = "separator within a signed header"
	ReasonToken     anymail.Reason = "token refused"
)

var (
	errMissing   = anymail.Unauthenticated(ReasonMissing)
	errRepeated  = anymail.Unauthenticated(ReasonRepeated)
	errEncoding  = anymail.Unauthenticated(ReasonEncoding)
	errMismatch  = anymail.Unauthenticated(ReasonMismatch)
	errNoKeys    = anymail.Unauthenticated(ReasonNoKeys)
	errTimestamp = anymail.Unauthenticated(ReasonTimestamp)
	errSeparator = anymail.Unauthenticated(ReasonSeparator)
	errToken     = anymail.Unauthenticated(ReasonToken)
)

// All returns a verifier that requires all of several proofs. Its own proof has
// the first signed time and the first fingerprint among theirs.
func All(verifiers ...anymail.Verifier) anymail.Verifier {
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		if len(verifiers) == 0 {
			return anymail.Proof{}, errNoKeys
		}
		var all anymail.Proof
		for _, v := range verifiers {
			if v == nil {
				return anymail.Proof{}, errNoKeys
			}
			proof, err := v.Verify(ctx, p)
			if err != nil {
				return anymail.Proof{}, err
			}
			if all.SignedAt.IsZero() {
				all.SignedAt = proof.SignedAt
			}
			if all.Fingerprint == nil {
				all.Fingerprint, all.Key = proof.Fingerprint, proof.Key
			}
		}
		return all, nil
	})
}

// Any returns a verifier that requires one of several proofs and returns the
// first. If all fail, it returns the first error that is not
// [anymail.ErrUnauthenticated], since one of them could not tell, or else the
// first error.
func Any(verifiers ...anymail.Verifier) anymail.Verifier {
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		var failed error
		for _, v := range verifiers {
			if v == nil {
				continue
			}
			proof, err := v.Verify(ctx, p)
			if err == nil {
				return proof, nil
			}
			if failed == nil || errors.Is(failed, anymail.ErrUnauthenticated) && !errors.Is(err, anymail.ErrUnauthenticated) {
				failed = err
			}
		}
		if failed == nil {
			failed = errNoKeys
		}
		return anymail.Proof{}, failed
	})
}
