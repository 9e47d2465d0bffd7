package verify_test

import (
	"crypto/md5"
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

func TestKeyedDigest(t *testing.T) {
	// RFC 1321, A.5: the MD5 of "message digest".
	const valid = "f96b697d7cb7938d525a2f31aaf161d0"
	// FIPS 180-2, B.1: the SHA-256 of "abc".
	const sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	chunks := func(texts ...string) (content [][]byte) {
		for _, text := range texts {
			content = append(content, []byte(text))
		}
		return content
	}
	tests := []struct {
		name    string
		digest  verify.KeyedDigest
		content [][]byte
		given   string
		key     int
		err     string
	}{
		{"between", verify.KeyedDigest{Keys: anymail.Keys("age dig"), Hash: md5.New}, chunks("mess", "est"), valid, 0, ""},
		{"the second key", verify.KeyedDigest{Keys: anymail.Keys("a", "age dig"), Hash: md5.New}, chunks("mess", "est"), valid, 1, ""},
		{"at the end", verify.KeyedDigest{Keys: anymail.Keys("digest"), Hash: md5.New}, chunks("message ", ""), valid, 0, ""},
		{"at the beginning", verify.KeyedDigest{Keys: anymail.Keys("message"), Hash: md5.New}, chunks("", " digest"), valid, 0, ""},
		{"SHA-256", verify.KeyedDigest{Keys: anymail.Keys("b")}, chunks("a", "c"), sha, 0, ""},
		{"another key", verify.KeyedDigest{Keys: anymail.Keys("agedig"), Hash: md5.New}, chunks("mess", "est"), valid, 0, mismatch},
		{"another content", verify.KeyedDigest{Keys: anymail.Keys("age dig"), Hash: md5.New}, chunks("mess", "Est"), valid, 0, mismatch},
		{"truncated", verify.KeyedDigest{Keys: anymail.Keys("age dig"), Hash: md5.New}, chunks("mess", "est"), valid[:30], 0, mismatch},
		{"no keys", verify.KeyedDigest{Hash: md5.New}, chunks("message digest"), valid, 0, noKeys},
		{"an empty key", verify.KeyedDigest{Keys: anymail.Keys(""), Hash: md5.New}, chunks("message", " digest"), valid, 0,
			"unavailable: signature key: it is empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			given, err := hex.DecodeString(tt.given)
			require.NoError(t, err)
			tt.digest.Layout = func(*anymail.Payload) ([]verify.SignedContent, error) {
				return []verify.SignedContent{{Signatures: [][]byte{given}, Content: tt.content}}, nil
			}
			if tt.err != "" {
				refuses(t, tt.digest.Verifier(), request(""), tt.err)
				return
			}
			want := anymail.Proof{Fingerprint: given, Key: tt.key}
			require.Empty(t, cmp.Diff(want, proves(t, tt.digest.Verifier(), request(""))))
		})
	}
	refuses(t, verify.KeyedDigest{Keys: anymail.Keys("k")}.Verifier(), request(""), noSignature)
}
