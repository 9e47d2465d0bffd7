package verify_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// request makes a payload with a body and headers, given as name, value, name,
// value; a name may be repeated.
func request(body string, headers ...string) *anymail.Payload {
	p := &anymail.Payload{Header: http.Header{}, Body: []byte(body)}
	for i := 0; i < len(headers); i += 2 {
		p.Header.Add(headers[i], headers[i+1])
	}
	return p
}

// The errors that verifiers return, as the log shows them.
const (
	noSignature = "not authenticated: no signature"
	repeated    = "not authenticated: repeated signature header"
	encoding    = "not authenticated: signature is not well encoded"
	mismatch    = "not authenticated: signature mismatch"
	noKeys      = "not authenticated: no key is configured"
	timestamp   = "not authenticated: no readable timestamp"
	separator   = "not authenticated: separator within a signed header"
)

// refuses checks that v refuses p with an error of that text, and returns no
// proof.
func refuses(t *testing.T, v anymail.Verifier, p *anymail.Payload, want string) {
	t.Helper()
	proof, err := v.Verify(t.Context(), p)
	require.EqualError(t, err, want)
	if strings.HasPrefix(want, "not authenticated") {
		require.ErrorIs(t, err, anymail.ErrUnauthenticated)
	}
	require.Empty(t, cmp.Diff(anymail.Proof{}, proof))
}

// proves checks that v accepts p, and returns the proof.
func proves(t *testing.T, v anymail.Verifier, p *anymail.Payload) anymail.Proof {
	t.Helper()
	proof, err := v.Verify(t.Context(), p)
	require.NoError(t, err)
	return proof
}

func sha256Of(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

func unhex(t *testing.T, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	require.NoError(t, err)
	return b
}

func static(proof anymail.Proof, err error) anymail.Verifier {
	return anymail.VerifierFunc(func(context.Context, *anymail.Payload) (anymail.Proof, error) { return proof, err })
}

func TestAllAny(t *testing.T) {
	var (
		at     = time.Unix(1790000000, 0)
		signed = static(anymail.Proof{SignedAt: at, Fingerprint: []byte("n"), Key: 1}, nil)
		secret = static(anymail.Proof{Key: 2}, nil)
		forged = static(anymail.Proof{Fingerprint: []byte("x")}, anymail.Unauthenticated("forged"))
		absent = static(anymail.Proof{}, anymail.Unauthenticated("absent"))
		down   = static(anymail.Proof{}, anymail.Because(anymail.ErrUnavailable, "down", nil))
		list   = func(v ...anymail.Verifier) []anymail.Verifier { return v }
	)
	const forgedText, downText = "not authenticated: forged", "unavailable: down"
	tests := []struct {
		name      string
		verifiers []anymail.Verifier
		all, any  anymail.Proof
		allErr    string
		anyErr    string
	}{
		{name: "none", allErr: noKeys, anyErr: noKeys},
		{name: "only nil", verifiers: list(nil), allErr: noKeys, anyErr: noKeys},
		{name: "one and nil", verifiers: list(signed, nil), allErr: noKeys,
			any: anymail.Proof{SignedAt: at, Fingerprint: []byte("n"), Key: 1}},
		{name: "both", verifiers: list(signed, secret),
			all: anymail.Proof{SignedAt: at, Fingerprint: []byte("n"), Key: 1},
			any: anymail.Proof{SignedAt: at, Fingerprint: []byte("n"), Key: 1}},
		{name: "the signature second", verifiers: list(secret, signed),
			all: anymail.Proof{SignedAt: at, Fingerprint: []byte("n"), Key: 1}, any: anymail.Proof{Key: 2}},
		{name: "first forged", verifiers: list(forged, secret), allErr: forgedText, any: anymail.Proof{Key: 2}},
		{name: "second forged", verifiers: list(secret, forged), allErr: forgedText, any: anymail.Proof{Key: 2}},
		{name: "both refuse", verifiers: list(forged, absent), allErr: forgedText, anyErr: forgedText},
		{name: "cannot tell", verifiers: list(forged, down), allErr: forgedText, anyErr: downText},
		{name: "cannot tell, first", verifiers: list(down, forged), allErr: downText, anyErr: downText},
		{name: "down but proved", verifiers: list(down, secret), allErr: downText, any: anymail.Proof{Key: 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, c := range []struct {
				v    anymail.Verifier
				want anymail.Proof
				err  string
			}{
				{verify.All(tt.verifiers...), tt.all, tt.allErr},
				{verify.Any(tt.verifiers...), tt.any, tt.anyErr},
			} {
				if c.err != "" {
					refuses(t, c.v, request(""), c.err)
				} else {
					require.Empty(t, cmp.Diff(c.want, proves(t, c.v, request(""))))
				}
			}
		})
	}
}
