package verify_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// vector is one of testdata/wycheproof.json.
type vector struct {
	ID            int
	Key, Msg, Sig string
	Valid         bool
}

func vectors(t testing.TB, file string) []vector {
	t.Helper()
	content, err := os.ReadFile("testdata/wycheproof.json")
	require.NoError(t, err)
	var files map[string][]vector
	require.NoError(t, json.Unmarshal(content, &files))
	require.NotEmpty(t, files[file])
	return files[file]
}

func TestHMACVectors(t *testing.T) {
	tests := vectors(t, "hmac_sha256_test.json")
	tests = append(tests,
		vector{4001, hex.EncodeToString([]byte("Jefe")), hex.EncodeToString([]byte("what do ya want for nothing?")),
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", true}, // RFC 4231, 4.3
		vector{4002, strings.Repeat("aa", 131), hex.EncodeToString([]byte("Test Using Larger Than Block-Size Key - Hash Key First")),
			"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", true}, // RFC 4231, 4.7
	)
	for _, tt := range tests {
		t.Run(strconv.Itoa(tt.ID), func(t *testing.T) {
			v := verify.HMAC{
				Keys:       anymail.Keys(tt.Key),
				DecodeKey:  hex.DecodeString,
				Signatures: verify.HexHeader("X-Sig"),
			}.Verifier()
			p := request(string(unhex(t, tt.Msg)), "X-Sig", tt.Sig)
			if !tt.Valid {
				refuses(t, v, p, mismatch)
				return
			}
			want := anymail.Proof{Fingerprint: unhex(t, tt.Sig)}
			require.Empty(t, cmp.Diff(want, proves(t, v, p)))
			require.Empty(t, cmp.Diff(want, proves(t, v, p)), "with the state of the first call")
		})
	}
}

// mac computes what an ESP would send, with the standard library alone.
func mac(key, content string) string {
	h := hmac.New(sha256.New, []byte(key))
	_, _ = h.Write([]byte(content))
	return hex.EncodeToString(h.Sum(nil))
}

func TestHMAC(t *testing.T) {
	const body = `{"event":"sent"}`
	valid := mac("key-a", "1790000000."+body)
	ring := func(keys ...string) anymail.KeySource { return anymail.NewKeyRing(keys...) }
	tests := []struct {
		name    string
		keys    anymail.KeySource
		body    string
		headers []string
		key     int // that matches
		err     string
	}{
		{"valid", ring("key-a"), body, []string{"X-Sig", valid, "X-Time", "1790000000"}, 0, ""},
		{"in upper case", ring("key-a"), body, []string{"X-Sig", strings.ToUpper(valid), "X-Time", "1790000000"}, 0, ""},
		{"the second key", ring("key-b", "key-a"), body, []string{"X-Sig", valid, "X-Time", "1790000000"}, 1, ""},
		{"another key", ring("key-b"), body, []string{"X-Sig", valid, "X-Time", "1790000000"}, 0, mismatch},
		{"another body", ring("key-a"), body + " ", []string{"X-Sig", valid, "X-Time", "1790000000"}, 0, mismatch},
		{"no body", ring("key-a"), "", []string{"X-Sig", valid, "X-Time", "1790000000"}, 0, mismatch},
		{"another time", ring("key-a"), body, []string{"X-Sig", valid, "X-Time", "1790000001"}, 0, mismatch},
		{"time in another form", ring("key-a"), body, []string{"X-Sig", valid, "X-Time", "01790000000"}, 0, mismatch},
		{"no time", ring("key-a"), body, []string{"X-Sig", valid}, 0, noSignature},
		{"unreadable time", ring("key-a"), body, []string{"X-Sig", valid, "X-Time", "today"}, 0, timestamp},
		{"repeated time", ring("key-a"), body, []string{"X-Sig", valid, "X-Time", "1790000000", "X-Time", "1790000000"}, 0, repeated},
		{"no signature", ring("key-a"), body, []string{"X-Time", "1790000000"}, 0, noSignature},
		{"repeated signature", ring("key-a"), body, []string{"X-Sig", valid, "X-Sig", valid, "X-Time", "1790000000"}, 0, repeated},
		{"truncated", ring("key-a"), body, []string{"X-Sig", valid[:62], "X-Time", "1790000000"}, 0, mismatch},
		{"truncated to nothing", ring("key-a"), body, []string{"X-Sig", "", "X-Time", "1790000000"}, 0, noSignature},
		{"lengthened", ring("key-a"), body, []string{"X-Sig", valid + "00", "X-Time", "1790000000"}, 0, mismatch},
		{"not hex", ring("key-a"), body, []string{"X-Sig", "g" + valid[1:], "X-Time", "1790000000"}, 0, encoding},
		{"of an empty key", ring("key-a"), body, []string{"X-Sig", mac("", "1790000000."+body), "X-Time", "1790000000"}, 0, mismatch},
		{"no keys", ring(), body, []string{"X-Sig", mac("", "1790000000."+body), "X-Time", "1790000000"}, 0, noKeys},
		{"nil keys", nil, body, []string{"X-Sig", mac("", "1790000000."+body), "X-Time", "1790000000"}, 0, noKeys},
		{"an empty key", ring(""), body, []string{"X-Sig", mac("", "1790000000."+body), "X-Time", "1790000000"}, 0,
			"unavailable: signature key: it is empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := verify.HMAC{
				Keys:       tt.keys,
				Signatures: verify.HexHeader("X-Sig"),
				Content:    verify.HeadersAndBody(".", "X-Time"),
				SignedAt:   verify.UnixHeader("X-Time"),
			}.Verifier()
			p := request(tt.body, tt.headers...)
			if tt.err != "" {
				refuses(t, v, p, tt.err)
				return
			}
			want := anymail.Proof{SignedAt: time.Unix(1790000000, 0).UTC(), Fingerprint: unhex(t, valid), Key: tt.key}
			require.Empty(t, cmp.Diff(want, proves(t, v, p)))
		})
	}
}

func TestHMACOptions(t *testing.T) {
	many := func(n int) verify.Signatures {
		return func(*anymail.Payload) ([][]byte, error) {
			list := make([][]byte, n)
			for i := range list {
				list[i] = make([]byte, sha256.Size)
			}
			return append(list, unhex(t, mac("k", "body"))), nil
		}
	}
	failing := func(*anymail.Payload) ([][]byte, error) { return nil, anymail.Unauthenticated("failing") }
	tests := []struct {
		name string
		hmac verify.HMAC
		sig  string
		err  string
	}{
		{"SHA-1", verify.HMAC{Keys: anymail.Keys("key"), Hash: sha1.New, Signatures: verify.HexHeader("X-Sig")},
			// HMAC-SHA1 of "The quick brown fox ..." is a well known example.
			"de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9", ""},
		{"SHA-1 instead of SHA-256", verify.HMAC{Keys: anymail.Keys("key"), Signatures: verify.HexHeader("X-Sig")},
			"de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9", mismatch},
		{"no Signatures", verify.HMAC{Keys: anymail.Keys("key")}, "", noSignature},
		{"key not decodable", verify.HMAC{Keys: anymail.Keys("s3cret"), DecodeKey: hex.DecodeString, Signatures: verify.HexHeader("X-Sig")},
			"00", "unavailable: signature key: it cannot be decoded"},
		{"key decodes to nothing", verify.HMAC{Keys: anymail.Keys("x"), DecodeKey: func(string) ([]byte, error) { return nil, nil }, Signatures: verify.HexHeader("X-Sig")},
			"00", "unavailable: signature key: it is empty"},
		{"16 signatures", verify.HMAC{Keys: anymail.Keys("k"), Signatures: many(15), Content: text("body")}, "", ""},
		{"17 signatures", verify.HMAC{Keys: anymail.Keys("k"), Signatures: many(16), Content: text("body")}, "", encoding},
		{"no signatures", verify.HMAC{Keys: anymail.Keys("k"), Signatures: func(*anymail.Payload) ([][]byte, error) { return nil, nil }}, "", mismatch},
		{"signatures fail", verify.HMAC{Keys: anymail.Keys("k"), Signatures: failing}, "", "not authenticated: failing"},
		{"content fails", verify.HMAC{Keys: anymail.Keys("k"), Signatures: many(0), Content: failing}, "", "not authenticated: failing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := request("The quick brown fox jumps over the lazy dog", "X-Sig", tt.sig)
			if tt.err != "" {
				refuses(t, tt.hmac.Verifier(), p, tt.err)
			} else {
				proves(t, tt.hmac.Verifier(), p)
			}
		})
	}
}

// text is a Content that is always the same.
func text(s string) verify.Content {
	return func(*anymail.Payload) ([][]byte, error) { return [][]byte{[]byte(s)}, nil }
}

// In a rotation, a request is accepted under the keys of its time.
func TestHMACRotation(t *testing.T) {
	ring := anymail.NewKeyRing("old")
	v := verify.HMAC{Keys: ring, Signatures: verify.HexHeader("X-Sig")}.Verifier()
	p := func(key string) *anymail.Payload { return request("body", "X-Sig", mac(key, "body")) }
	proves(t, v, p("old"))
	refuses(t, v, p("new"), mismatch)
	ring.Set("new", "old")
	require.Equal(t, 0, proves(t, v, p("new")).Key)
	require.Equal(t, 1, proves(t, v, p("old")).Key)
	ring.Set("new")
	proves(t, v, p("new"))
	refuses(t, v, p("old"), mismatch)
}

// The pooled state of one request never affects another.
func TestHMACConcurrently(t *testing.T) {
	v := verify.HMAC{Keys: anymail.Keys("a", "b"), Signatures: verify.HexHeader("X-Sig")}.Verifier()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 200 {
				body := strings.Repeat(strconv.Itoa(i), n)
				key := []string{"a", "b"}[n%2]
				good, bad := request(body, "X-Sig", mac(key, body)), request(body+"x", "X-Sig", mac(key, body))
				proof, err := v.Verify(context.Background(), good)
				if err != nil || proof.Key != n%2 || !bytes.Equal(proof.Fingerprint, mustHex(mac(key, body))) {
					t.Errorf("valid: %v, %v", proof, err)
				}
				if _, err := v.Verify(context.Background(), bad); !errors.Is(err, anymail.ErrUnauthenticated) {
					t.Errorf("forged: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func mustHex(digits string) []byte {
	b, err := hex.DecodeString(digits)
	if err != nil {
		panic(err)
	}
	return b
}
