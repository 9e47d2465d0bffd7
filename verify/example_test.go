package verify_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// An ESP that signs time and body, and sends the MAC in hexadecimal digits in a
// header.
func ExampleHMAC() {
	v := verify.HMAC{
		Keys:       anymail.Keys("new-secret", "old-secret"),
		Signatures: verify.HexHeader("X-Signature"),
		Content:    verify.HeadersAndBody(".", "X-Timestamp"),
		SignedAt:   verify.UnixHeader("X-Timestamp"),
	}.Verifier()

	p := &anymail.Payload{
		Header: http.Header{
			"X-Timestamp": {"1790000000"},
			"X-Signature": {"420e12721144826ebb33c398b5ee287545772293ca03b0fb6569dec3f4483c75"},
		},
		Body: []byte(`{"event":"delivered"}`),
	}
	proof, err := v.Verify(context.Background(), p)
	fmt.Println(proof.SignedAt, "key", proof.Key, err)

	p.Body = []byte(`{"event":"bounced"}`)
	_, err = v.Verify(context.Background(), p)
	fmt.Println(err, errors.Is(err, anymail.ErrUnauthenticated))
	// Output:
	// 2026-09-21 14:13:20 +0000 UTC key 1 <nil>
	// not authenticated: signature mismatch true
}

// An ESP that puts time and signatures into one header: "t=1790000000,v1=cf...",
// with one "v1" for each of its secrets.
func ExampleHMAC_layout() {
	claims := func(p *anymail.Payload) ([]verify.SignedContent, error) {
		header, err := verify.HeaderValue(p, "X-Signature")
		if err != nil {
			return nil, err
		}
		var claim verify.SignedContent
		for pair := range strings.SplitSeq(header, ",") {
			switch name, value, _ := strings.Cut(pair, "="); name {
			case "t":
				if claim.SignedAt, err = verify.Unix(value); err != nil {
					return nil, err
				}
				claim.Content = [][]byte{[]byte(value), []byte("."), p.Body}
			case "v1":
				signature, err := verify.Hex(value)
				if err != nil {
					return nil, err
				}
				claim.Signatures = append(claim.Signatures, signature)
			}
		}
		if claim.Content == nil {
			return nil, anymail.Unauthenticated(verify.ReasonTimestamp)
		}
		return []verify.SignedContent{claim}, nil
	}
	v := verify.HMAC{Keys: anymail.Keys("secret"), Layout: claims}.Verifier()

	proof, err := v.Verify(context.Background(), &anymail.Payload{
		Header: http.Header{"X-Signature": {"t=1790000000,v1=cf124510cdbf72f8d739375df13147cdf1b04599bdf54ca1c6ff5dd11320a81f"}},
		Body:   []byte(`{"event":"delivered"}`),
	})
	fmt.Println(proof.SignedAt, err)
	// Output: 2026-09-21 14:13:20 +0000 UTC <nil>
}

// An ESP that publishes an Ed25519 key. The kind of the key decides how it is
// verified; ECDSA and RSA look the same.
func ExamplePublicKey() {
	v := verify.PublicKey{
		Keys: anymail.Keys(`-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----`),
		Signatures: verify.Base64Header("X-Signature"),
	}.Verifier()

	_, err := v.Verify(context.Background(), &anymail.Payload{
		Header: http.Header{"X-Signature": {"/D4molNQSX7xUuxXOFqBmmonV4a1v3lfagdA9gNNyg6AyrzgcVCQhqQUI71idNcsGfaw6sPHDm1Bm2Jwk2ncAA=="}},
		Body:   []byte(`{"event":"delivered"}`),
	})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleStandardWebhooks() {
	v := verify.StandardWebhooks{
		Keys:   anymail.Keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
		Prefix: "svix-", // for an ESP that has the older names
	}.Verifier()

	header := http.Header{}
	header.Set("svix-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	header.Set("svix-timestamp", "1614265330")
	header.Set("svix-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	proof, err := v.Verify(context.Background(), &anymail.Payload{Header: header, Body: []byte(`{"test": 2432232314}`)})
	fmt.Println(proof.SignedAt, base64.StdEncoding.EncodeToString(proof.Fingerprint)[:6], err)
	// Output: 2021-02-25 15:02:10 +0000 UTC g0hM9S <nil>
}

// The p= tag of a DKIM record.
func ExampleParsePublicKey() {
	key, err := verify.ParsePublicKey("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
	fmt.Printf("%T %v\n", key, err)
	// Output: ed25519.PublicKey <nil>
}

// Both the ESP's signature and a token in a custom header.
func ExampleAll() {
	v := verify.All(
		verify.HMAC{Keys: anymail.Keys("secret"), Signatures: verify.HexHeader("X-Signature")}.Verifier(),
		verify.Token{Keys: anymail.Keys("a-long-random-token"), Header: "X-Token"}.Verifier(),
	)
	_, err := v.Verify(context.Background(), &anymail.Payload{
		Header: http.Header{"X-Signature": {mac("secret", "{}")}, "X-Token": {"guessed"}},
		Body:   []byte("{}"),
	})
	fmt.Println(err)
	// Output: not authenticated: signature mismatch
}
