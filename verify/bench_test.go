package verify_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// Each benchmark compares the verifier with the cryptography alone, the "floor",
// and measures a forged request.

// measure runs v on p, which it has to accept or to refuse.
func measure(b *testing.B, name string, v anymail.Verifier, p *anymail.Payload, accept bool) {
	b.Run(name, func(b *testing.B) {
		ctx := context.Background()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(ctx, p); (err == nil) != accept {
				b.Fatal(err)
			}
		}
	})
}

func floor(b *testing.B, name string, f func() bool) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !f() {
				b.Fatal("not valid")
			}
		}
	})
}

// shortBody is as short as an event gets; longBody is as long as a batch.
var (
	shortBody = string(bytes.Repeat([]byte("x"), 60))
	longBody  = string(bytes.Repeat([]byte("x"), 64<<10))
)

func BenchmarkHMAC(b *testing.B) {
	for _, size := range []struct{ name, body string }{{"60B", shortBody}, {"64KiB", longBody}} {
		b.Run(size.name, func(b *testing.B) {
			body, key, signature := []byte(size.body), []byte("key"), mac("key", size.body)
			want := mustHex(signature)
			floor(b, "floor-new", func() bool {
				h := hmac.New(sha256.New, key)
				_, _ = h.Write(body)
				return hmac.Equal(h.Sum(nil), want)
			})
			h := hmac.New(sha256.New, key)
			floor(b, "floor", func() bool {
				h.Reset()
				_, _ = h.Write(body)
				return hmac.Equal(h.Sum(nil), want)
			})
			v := verify.HMAC{Keys: anymail.Keys("key"), Signatures: verify.HexHeader("X-Sig")}.Verifier()
			measure(b, "verify", v, request(size.body, "X-Sig", signature), true)
			measure(b, "forged", v, request(size.body, "X-Sig", mac("other", size.body)), false)
			measure(b, "truncated", v, request(size.body, "X-Sig", signature[:62]), false)
			measure(b, "missing", v, request(size.body), false)
		})
	}
}

func BenchmarkHMACParallel(b *testing.B) {
	v := verify.HMAC{Keys: anymail.Keys("key"), Signatures: verify.HexHeader("X-Sig")}.Verifier()
	p := request(shortBody, "X-Sig", mac("key", shortBody))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := v.Verify(context.Background(), p); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkStandardWebhooks(b *testing.B) {
	key := []byte("0123456789abcdef01234567")
	content := []byte("msg_1.1790000000." + shortBody)
	h := hmac.New(sha256.New, key)
	_, _ = h.Write(content)
	want := h.Sum(nil)
	floor(b, "floor", func() bool {
		h.Reset()
		_, _ = h.Write(content)
		return hmac.Equal(h.Sum(nil), want)
	})
	v := verify.StandardWebhooks{Keys: anymail.Keys("whsec_" + base64.StdEncoding.EncodeToString(key))}.Verifier()
	signed := func(signature string) *anymail.Payload {
		return request(shortBody, "Webhook-Id", "msg_1", "Webhook-Timestamp", "1790000000", "Webhook-Signature", signature)
	}
	measure(b, "verify", v, signed("v1,"+base64.StdEncoding.EncodeToString(want)), true)
	measure(b, "forged", v, signed("v1,"+base64.StdEncoding.EncodeToString(make([]byte, 32))), false)
}

func BenchmarkPublicKey(b *testing.B) {
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	for _, kind := range []struct {
		name   string
		signer crypto.Signer
		valid  func(signature []byte) bool
	}{
		{"ECDSA", ec, func(signature []byte) bool {
			return ecdsa.VerifyASN1(&ec.PublicKey, sha256Of(shortBody), signature)
		}},
		{"RSA", rsaKey, func(signature []byte) bool {
			return rsa.VerifyPKCS1v15(&rsaKey.PublicKey, crypto.SHA256, sha256Of(shortBody), signature) == nil
		}},
		{"Ed25519", ed, func(signature []byte) bool {
			return ed25519.Verify(ed.Public().(ed25519.PublicKey), []byte(shortBody), signature)
		}},
	} {
		b.Run(kind.name, func(b *testing.B) {
			signature := sign(b, kind.signer, crypto.SHA256, shortBody)
			floor(b, "floor", func() bool { return kind.valid(signature) })
			v := verify.PublicKey{Keys: anymail.Keys(publicPEM(b, kind.signer.Public())), Signatures: verify.HexHeader("X-Sig")}.Verifier()
			measure(b, "verify", v, request(shortBody, "X-Sig", hex.EncodeToString(signature)), true)
			measure(b, "forged", v, request(shortBody+"x", "X-Sig", hex.EncodeToString(signature)), false)
			measure(b, "truncated", v, request(shortBody, "X-Sig", hex.EncodeToString(signature[:20])), false)
		})
	}
}
