package verify_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/trace"
	"github.com/goanymail/anymail/verify"
)

// traced verifies p and returns the steps and the result.
func traced(t *testing.T, v anymail.Verifier, p *anymail.Payload) ([]trace.Step, error) {
	t.Helper()
	var steps []trace.Step
	ctx := trace.With(t.Context(), func(s trace.Step) { steps = append(steps, s) })
	proof, err := v.Verify(ctx, p)
	plain, plainErr := v.Verify(t.Context(), p)
	require.Equal(t, plainErr, err, "the trace changes no result")
	require.Empty(t, cmp.Diff(plain, proof))
	return steps, err
}

func TestTraceHMAC(t *testing.T) {
	v := verify.HMAC{
		Keys:       anymail.Keys("older", "key"),
		Signatures: verify.HexHeader("X-Sig"),
		Content:    verify.HeadersAndBody(".", "X-Time"),
		SignedAt:   verify.UnixHeader("X-Time"),
	}.Verifier()
	valid := mac("key", "1790000000.body")
	steps, err := traced(t, v, request("body", "X-Sig", valid, "X-Time", "1790000000"))
	require.NoError(t, err)
	want := trace.Step{
		Offered:  [][]byte{unhex(t, valid)},
		Content:  [][]byte{[]byte("1790000000"), []byte("."), []byte("body")},
		SignedAt: time.Unix(1790000000, 0).UTC(),
		Attempts: []trace.Attempt{
			{Key: 0, Kind: "HMAC of 256 bits", Expected: unhex(t, mac("older", "1790000000.body"))},
			{Key: 1, Kind: "HMAC of 256 bits", Expected: unhex(t, valid), Valid: true},
		},
	}
	require.Empty(t, cmp.Diff([]trace.Step{want}, steps, cmpopts.EquateErrors()))

	// A signature of another length is refused without a hash, but explained.
	steps, err = traced(t, v, request("body", "X-Sig", valid[:40], "X-Time", "1790000000"))
	require.EqualError(t, err, mismatch)
	require.Equal(t, unhex(t, valid), steps[0].Attempts[1].Expected)
	require.False(t, steps[0].Attempts[1].Valid)
	require.Equal(t, err, steps[0].Err)

	steps, err = traced(t, v, request("body", "X-Time", "1790000000"))
	require.EqualError(t, err, noSignature)
	require.Equal(t, []trace.Step{{Err: err}}, steps)
}

func TestTraceNoKey(t *testing.T) {
	v := verify.HMAC{Signatures: verify.HexHeader("X-Sig")}.Verifier()
	steps, err := traced(t, v, request("body", "X-Sig", "00"))
	require.EqualError(t, err, noKeys)
	require.Equal(t, []trace.Step{{Offered: [][]byte{{0}}, Content: [][]byte{[]byte("body")}, Err: err}}, steps)
}

// An RSA signature shows which digest it covers.
func TestTracePublicKey(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for _, tt := range []struct {
		signer           crypto.Signer
		kind             string
		digested, signed bool
	}{
		{ec, "ECDSA P-256 with SHA-256", true, false},
		{rsaKey, "RSA of 2048 bits with SHA-256", true, true},
		{ed, "Ed25519", false, false},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			v := verify.PublicKey{Keys: anymail.Keys(publicPEM(t, tt.signer.Public())), Signatures: verify.HexHeader("X-Sig")}.Verifier()
			signature := sign(t, tt.signer, crypto.SHA256, "body")
			for _, body := range []string{"body", "another"} {
				steps, err := traced(t, v, request(body, "X-Sig", hex.EncodeToString(signature)))
				require.Len(t, steps, 1)
				require.Equal(t, err, steps[0].Err)
				want := trace.Attempt{Kind: tt.kind, Valid: body == "body"}
				if tt.digested {
					want.Digest = sha256Of(body)
				}
				if tt.signed {
					want.Signed = sha256Of("body")
				}
				require.Equal(t, []trace.Attempt{want}, steps[0].Attempts)
				require.Equal(t, want.Valid, err == nil)
			}
		})
	}

	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	v := verify.PublicKey{Keys: anymail.Keys(publicPEM(t, other.Public())), Signatures: verify.HexHeader("X-Sig")}.Verifier()
	for _, signature := range [][]byte{sign(t, rsaKey, crypto.SHA256, "body"), make([]byte, 256), {1}} {
		steps, err := traced(t, v, request("body", "X-Sig", hex.EncodeToString(signature)))
		require.EqualError(t, err, mismatch)
		require.Nil(t, steps[0].Attempts[0].Signed, "not of this key")
	}
}

func TestTraceToken(t *testing.T) {
	v := verify.Token{Keys: anymail.Keys("one", "two"), Header: "X-Token"}.Verifier()
	steps, err := traced(t, v, request("", "X-Token", "two"))
	require.NoError(t, err)
	require.Equal(t, []trace.Step{{Offered: [][]byte{[]byte("two")}, Attempts: []trace.Attempt{
		{Key: 0, Kind: "secret", Expected: []byte("one")},
		{Key: 1, Kind: "secret", Expected: []byte("two"), Valid: true},
	}}}, steps)

	steps, err = traced(t, v, request(""))
	require.EqualError(t, err, noSignature)
	require.Equal(t, []trace.Step{{Header: "X-Token", Err: err}}, steps)

	bearer := verify.Token{Keys: anymail.Keys("one"), Scheme: "Bearer"}.Verifier()
	steps, err = traced(t, bearer, request("", "Authorization", "Basic b25l"))
	require.EqualError(t, err, mismatch)
	require.Equal(t, []trace.Step{{Header: "Authorization", Err: err}}, steps)
}

// Any records the steps of those verifiers that it asked.
func TestTraceAny(t *testing.T) {
	v := verify.Any(
		verify.Token{Keys: anymail.Keys("secret"), Header: "X-Token"}.Verifier(),
		verify.HMAC{Keys: anymail.Keys("key"), Signatures: verify.HexHeader("X-Sig")}.Verifier())
	steps, err := traced(t, v, request("body", "X-Sig", mac("key", "body")))
	require.NoError(t, err)
	require.Len(t, steps, 2)
	require.EqualError(t, steps[0].Err, noSignature)
	require.NoError(t, steps[1].Err)
}

// Only the trace holds computed values: errors reach logs, with or without a
// trace.
func TestErrorsHoldNothingComputed(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	secret := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef01234567"))
	for name, tt := range map[string]struct {
		v anymail.Verifier
		p *anymail.Payload
	}{
		"HMAC":     {verify.HMAC{Keys: anymail.Keys("the-key"), Signatures: verify.HexHeader("X-Sig")}.Verifier(), request("body", "X-Sig", mac("other", "body"))},
		"token":    {verify.Token{Keys: anymail.Keys("the-token"), Header: "X-Token"}.Verifier(), request("", "X-Token", "the-guess")},
		"RSA":      {verify.PublicKey{Keys: anymail.Keys(publicPEM(t, rsaKey.Public())), Signatures: verify.HexHeader("X-Sig")}.Verifier(), request("body", "X-Sig", hex.EncodeToString(sign(t, rsaKey, crypto.SHA256, "another")))},
		"standard": {verify.StandardWebhooks{Keys: anymail.Keys("whsec_" + secret)}.Verifier(), request("body", "Webhook-Id", "m", "Webhook-Timestamp", "1790000000", "Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(make([]byte, 32)))},
	} {
		t.Run(name, func(t *testing.T) {
			steps, err := traced(t, tt.v, tt.p)
			require.EqualError(t, err, mismatch)
			require.NotEmpty(t, steps)
			asJSON, jsonErr := json.Marshal(err)
			require.NoError(t, jsonErr)
			text := strings.ToLower(fmt.Sprintf("%v %+v %#v %s", err, err, err, asJSON))
			for e := err; e != nil; e = errors.Unwrap(e) {
				text += strings.ToLower(fmt.Sprintf("%#v", e))
			}
			n := 0
			for _, s := range steps {
				values := append(append([][]byte(nil), s.Offered...), s.Content...)
				for _, a := range s.Attempts {
					values = append(values, a.Expected, a.Digest, a.Signed)
				}
				for _, v := range values {
					if len(v) < 4 {
						continue
					}
					n++
					for _, form := range []string{string(v), hex.EncodeToString(v), base64.StdEncoding.EncodeToString(v), fmt.Sprint(v), fmt.Sprintf("%#v", v)} {
						require.NotContains(t, text, strings.ToLower(form))
					}
				}
			}
			require.GreaterOrEqual(t, n, 2)
		})
	}
}

type otherKey struct{}

// Without a trace nothing is allocated and nothing is called.
func TestNoTrace(t *testing.T) {
	ctx := context.WithValue(t.Context(), otherKey{}, 1)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		trace.Record(ctx, func() trace.Step {
			t.Error("called")
			return trace.Step{}
		})
	}))
}

// A developer's tool shows why a request does not verify.
func Example_trace() {
	v := verify.HMAC{Keys: anymail.Keys("key"), Signatures: verify.HexHeader("X-Signature")}.Verifier()
	ctx := trace.With(context.Background(), func(s trace.Step) {
		fmt.Printf("offered  %x\n", s.Offered[0])
		fmt.Printf("computed %.8x...\n", s.Attempts[0].Expected)
	})
	_, err := v.Verify(ctx, &anymail.Payload{
		Header: http.Header{"X-Signature": {"00ff"}},
		Body:   []byte("{}"),
	})
	fmt.Println(err)
	// Output:
	// offered  00ff
	// computed a777724d943eb48d...
	// not authenticated: signature mismatch
}
