package verify_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// An ESP that signs time and body, and puts the MAC in hexadecimal digits into
// a header.
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

// Both the ESP's signature and a token in a header of one's own.
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
