package verify_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// accepted reports whether v accepts p. It fails the test on an error other than
// [anymail.ErrUnauthenticated].
func accepted(t *testing.T, v anymail.Verifier, p *anymail.Payload) bool {
	t.Helper()
	proof, err := v.Verify(t.Context(), p)
	if err == nil && proof.Fingerprint == nil {
		t.Fatal("accepted without a fingerprint")
	}
	if err != nil && !errors.Is(err, anymail.ErrUnauthenticated) {
		t.Fatalf("error: %v", err)
	}
	return err == nil
}

// Only what decodes to the MAC is accepted.
func FuzzHMACHeader(f *testing.F) {
	valid := mac("key", "body")
	for _, value := range []string{valid, strings.ToUpper(valid), valid[:62], valid + "00", "0x" + valid[2:], valid + "," + valid, ""} {
		f.Add(value, "body")
	}
	v := verify.HMAC{Keys: anymail.Keys("other", "key"), Signatures: verify.HexHeader("X-Sig")}.Verifier()
	f.Fuzz(func(t *testing.T, value, body string) {
		given, err := hex.DecodeString(value)
		want := err == nil && (bytes.Equal(given, mustHex(mac("key", body))) || bytes.Equal(given, mustHex(mac("other", body))))
		if got := accepted(t, v, request(body, "X-Sig", value)); got != want {
			t.Fatalf("%q over %q: accepted %v, want %v", value, body, got, want)
		}
		if !accepted(t, v, request(body, "X-Sig", mac("key", body))) {
			t.Fatalf("the MAC over %q is refused", body)
		}
	})
}

func FuzzStandardWebhooks(f *testing.F) {
	f.Add("msg_1", "1790000000", "v1,AAAA v1a,AAAA v2,?", "{}")
	f.Add("msg.1", "+1790000000", "v1,", "")
	f.Add("", "1790000000", "v1", "a.b")
	f.Add("m", "99999999999999999999", ",", ".")
	f.Add("m", "1.5", "v1,AAAA,v1,AAAA", "{")
	secret := []byte("0123456789abcdef01234567")
	v := verify.StandardWebhooks{Keys: anymail.Keys("whsec_" + base64.StdEncoding.EncodeToString(secret))}.Verifier()
	f.Fuzz(func(t *testing.T, id, at, signatures, body string) {
		h := hmac.New(sha256.New, secret)
		_, _ = h.Write([]byte(id + "." + at + "." + body))
		valid := "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
		headers := []string{"webhook-id", id, "webhook-timestamp", at, "webhook-signature"}

		// Without the MAC no list is accepted.
		if accepted(t, v, request(body, append(headers, signatures)...)) && !slices.Contains(strings.Fields(signatures), valid) {
			t.Fatalf("%q is accepted without the signature", signatures)
		}
		// With it, everything that is unambiguous is accepted.
		seconds, err := strconv.ParseUint(at, 10, 64)
		want := id != "" && !strings.Contains(id, ".") && err == nil && seconds < 1<<40
		if got := accepted(t, v, request(body, append(headers, valid)...)); got != want {
			t.Fatalf("id %q, time %q: accepted %v, want %v", id, at, got, want)
		}
	})
}

// RSA and Ed25519 have one valid signature, ECDSA has two.
func FuzzPublicKeySignature(f *testing.F) {
	type signed struct {
		v     anymail.Verifier
		valid []string
	}
	msg := string(mustHex("313233343030"))
	// Numbers of valid vectors over msg. The second ECDSA signature is the
	// first with n-s for s.
	var schemes []signed
	for file, ids := range map[string][]int{"ecdsa_secp256r1_sha256_test.json": {5, 7}, "rsa_signature_2048_sha256_test.json": {4}, "ed25519_test.json": {5}} {
		var s signed
		for _, tt := range vectors(f, file) {
			f.Add(mustHex(tt.Sig))
			if slices.Contains(ids, tt.ID) {
				s.valid = append(s.valid, tt.Sig)
				s.v = verify.PublicKey{
					Keys:       anymail.Keys(base64.StdEncoding.EncodeToString(mustHex(tt.Key))),
					Signatures: verify.HexHeader("X-Sig"),
				}.Verifier()
			}
		}
		schemes = append(schemes, s)
	}
	f.Fuzz(func(t *testing.T, signature []byte) {
		for _, s := range schemes {
			text := hex.EncodeToString(signature)
			if got, want := accepted(t, s.v, request(msg, "X-Sig", text)), slices.Contains(s.valid, text); got != want {
				t.Fatalf("%s: accepted %v, want %v", text, got, want)
			}
		}
	})
}

// A parsed key stays the same if it is written and parsed again, and works.
func FuzzParsePublicKey(f *testing.F) {
	for _, file := range []string{"ecdsa_secp256r1_sha256_test.json", "rsa_signature_2048_sha256_test.json", "ed25519_test.json"} {
		der := mustHex(vectors(f, file)[0].Key)
		text := base64.StdEncoding.EncodeToString(der)
		f.Add(text)
		f.Add(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
		f.Add("v=DKIM1; k=rsa; p=" + text)
	}
	f.Add("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n")
	f.Add("p=;p=")
	f.Add(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	f.Fuzz(func(t *testing.T, text string) {
		public, err := verify.ParsePublicKey(text)
		if err != nil {
			if public != nil {
				t.Fatal("a key and an error")
			}
			return
		}
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatalf("cannot be written: %v", err)
		}
		again, err := verify.ParsePublicKey(base64.StdEncoding.EncodeToString(der))
		if err != nil || !public.(interface{ Equal(crypto.PublicKey) bool }).Equal(again) {
			t.Fatalf("read again: %v", err)
		}
		if ec, ok := public.(*ecdsa.PublicKey); ok {
			one, _ := asn1.Marshal(struct{ R, S *big.Int }{big.NewInt(1), big.NewInt(1)})
			ecdsa.VerifyASN1(ec, make([]byte, 32), one)
		}
	})
}
