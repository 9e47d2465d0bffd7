package verify_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// The vectors are the examples of the Svix documentation.
func TestStandardWebhooksVectors(t *testing.T) {
	tests := []struct{ secret, id, at, body, signature string }{
		{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
			`{"test": 2432232314}`, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
		{"whsec_plJ3nmyCDGBKInavdOK15jsl", "msg_loFOjxBNrRLzqYUf", "1731705121",
			`{"event_type":"ping","data":{"success":true}}`, "rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="},
	}
	for _, tt := range tests {
		v := verify.StandardWebhooks{Keys: anymail.Keys(tt.secret), Prefix: "svix-"}.Verifier()
		at, err := verify.Unix(tt.at)
		require.NoError(t, err)
		fingerprint, err := base64.StdEncoding.DecodeString(tt.signature)
		require.NoError(t, err)
		got := proves(t, v, request(tt.body, "svix-id", tt.id, "svix-timestamp", tt.at, "svix-signature", "v1,"+tt.signature))
		require.Empty(t, cmp.Diff(anymail.Proof{SignedAt: at, Fingerprint: fingerprint}, got))
	}
}

func TestStandardWebhooks(t *testing.T) {
	const (
		secret  = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
		other   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
		id      = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk"
		at      = "1649367553"
		body    = `{"email":"test@example.com","username":"test_user"}`
		v1      = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
		nothing = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
		// The key pair of RFC 8032, section 7.1, test 1; the signature was made
		// with OpenSSL.
		public = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
		v1a    = "v1a,jfp5j4J3Buv9EPOcc9Bqo8rJqAO1H6lrRl0WZQdzVZI6IttNPT8HSLyPvUvY54dJJt2BQGA01di1ePvigCwlCw=="
	)
	signedAt := time.Unix(1649367553, 0).UTC()
	macSum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(v1, "v1,"))
	require.NoError(t, err)
	digest := sha256Of(id + "." + at + "." + body)
	headers := func(signature string) []string {
		return []string{"webhook-id", id, "webhook-timestamp", at, "webhook-signature", signature}
	}
	replace := func(i int, value string) []string {
		h := headers(v1)
		h[i] = value
		return h
	}
	tests := []struct {
		name        string
		keys        []string
		headers     []string
		fingerprint []byte
		key         int
		err         string
	}{
		{"v1", []string{secret}, headers(v1), macSum, 0, ""},
		{"secret without prefix", []string{strings.TrimPrefix(secret, "whsec_")}, headers(v1), macSum, 0, ""},
		{"second key", []string{other, secret}, headers(v1), macSum, 1, ""},
		{"second signature", []string{secret}, headers(nothing + " " + v1), macSum, 0, ""},
		{"unknown versions", []string{secret}, headers("v2,!!! v0 x, " + v1 + " v1b,?"), macSum, 0, ""},
		{"blanks", []string{secret}, headers("  " + v1 + "  "), macSum, 0, ""},
		{"v1a", []string{public}, headers(v1a), digest, 0, ""},
		{"both, secret", []string{secret}, headers(v1a + " " + v1), macSum, 0, ""},
		{"both, public key", []string{public}, headers(v1 + " " + v1a), digest, 0, ""},
		{"both, both keys", []string{public, secret}, headers(v1 + " " + v1a), digest, 0, ""},
		{"v1, both keys", []string{public, secret}, headers(v1), macSum, 1, ""},

		{"v1 with the public key", []string{public}, headers(v1), nil, 0, mismatch},
		{"v1a with the secret", []string{secret}, headers(v1a), nil, 0, mismatch},
		{"v1a given as v1", []string{public, secret}, headers("v1," + strings.TrimPrefix(v1a, "v1a,")), nil, 0, mismatch},
		{"v1 given as v1a", []string{public, secret}, headers("v1a," + strings.TrimPrefix(v1, "v1,")), nil, 0, mismatch},
		{"other secret", []string{other}, headers(v1), nil, 0, mismatch},
		{"the prefix is not part of the key", []string{"whsec_" + secret}, headers(v1), nil, 0, "unavailable: signature key: it cannot be decoded"},
		{"other id", []string{secret}, replace(1, id+"x"), nil, 0, mismatch},
		{"other time", []string{secret}, replace(3, "1649367554"), nil, 0, mismatch},
		{"id with a dot", []string{secret}, replace(1, id+".1"), nil, 0, separator},
		{"time with a fraction", []string{secret}, replace(3, "1649367553.0"), nil, 0, timestamp},
		{"unknown version only", []string{secret}, headers("v2," + strings.TrimPrefix(v1, "v1,")), nil, 0, noSignature},
		{"no version", []string{secret}, headers(strings.TrimPrefix(v1, "v1,")), nil, 0, noSignature},
		{"version in upper case", []string{secret}, headers("V" + v1[1:]), nil, 0, noSignature},
		{"version alone", []string{secret}, headers("v1"), nil, 0, encoding},
		{"empty signature", []string{secret}, headers("v1,"), nil, 0, encoding},
		{"comma between signatures", []string{secret}, headers(nothing + "," + v1), nil, 0, encoding},
		{"not padded", []string{secret}, headers(strings.TrimRight(v1, "=")), nil, 0, encoding},
		{"bits left over", []string{secret}, headers(strings.Replace(v1, "Kkw=", "Kkx=", 1)), nil, 0, encoding},
		{"truncated", []string{secret}, headers(v1[:len(v1)-4]), nil, 0, mismatch},
		{"truncated, after one of full length", []string{secret}, headers(nothing + " " + v1[:len(v1)-4]), nil, 0, mismatch},
		{"too long", []string{secret}, headers(v1 + " v1," + strings.Repeat("AAAA", 513)), nil, 0, encoding},
		{"16 signatures", []string{secret}, headers(strings.Repeat(nothing+" ", 15) + v1), macSum, 0, ""},
		{"17 signatures", []string{secret}, headers(strings.Repeat(nothing+" ", 16) + v1), nil, 0, encoding},
		{"4 signatures to a public key", []string{public}, headers(strings.Repeat("v1a,AAAA ", 3) + v1a), digest, 0, ""},
		{"5 signatures to a public key", []string{public}, headers(strings.Repeat("v1a,AAAA ", 4) + v1a), nil, 0, encoding},
		{"repeated signature header", []string{secret}, append(headers(v1), "webhook-signature", v1), nil, 0, repeated},
		{"repeated id", []string{secret}, append(headers(v1), "webhook-id", id), nil, 0, repeated},
		{"repeated time", []string{secret}, append(headers(v1), "webhook-timestamp", at), nil, 0, repeated},
		{"no id", []string{secret}, headers(v1)[2:], nil, 0, noSignature},
		{"Svix's headers", []string{secret}, []string{"svix-id", id, "svix-timestamp", at, "svix-signature", v1}, nil, 0, noSignature},
		{"mixed headers", []string{secret}, []string{"svix-id", id, "webhook-timestamp", at, "webhook-signature", v1}, nil, 0, noSignature},
		{"no keys", nil, headers(v1), nil, 0, noKeys},
		{"empty key", []string{""}, headers(v1), nil, 0, "unavailable: signature key: it is empty"},
		{"prefix without key", []string{"whsec_"}, headers(v1), nil, 0, "unavailable: signature key: it is empty"},
		{"private key", []string{"whsk_" + public[5:]}, headers(v1a), nil, 0, "unavailable: signature key: it cannot be decoded"},
		{"public key of another length", []string{"whpk_AAAA"}, headers(v1a), nil, 0, "unavailable: signature key: it is not an Ed25519 key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := verify.StandardWebhooks{Keys: anymail.Keys(tt.keys...)}.Verifier()
			p := request(body, tt.headers...)
			if tt.err != "" {
				refuses(t, v, p, tt.err)
				return
			}
			require.Empty(t, cmp.Diff(anymail.Proof{SignedAt: signedAt, Fingerprint: tt.fingerprint, Key: tt.key}, proves(t, v, p)))
		})
	}
}

// An ESP whose secret is its own bytes, with or without prefix.
func TestStandardWebhooksDecodeKey(t *testing.T) {
	const key = "whsec_not_base64!"
	v := verify.StandardWebhooks{
		Keys:      anymail.Keys(key),
		DecodeKey: func(secret string) ([]byte, error) { return []byte(secret), nil },
	}.Verifier()
	signature := base64.StdEncoding.EncodeToString(mustHex(mac(key, "m1.1790000000.{}")))
	proves(t, v, request("{}", "webhook-id", "m1", "webhook-timestamp", "1790000000", "webhook-signature", "v1,"+signature))
}
