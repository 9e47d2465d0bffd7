package verify_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

func TestHeader(t *testing.T) {
	tests := []struct {
		name   string
		values []string
		want   string
		err    string
	}{
		{"one", []string{"a"}, "a", ""},
		{"none", nil, "", noSignature},
		{"empty", []string{""}, "", noSignature},
		{"two", []string{"a", "b"}, "", repeated},
		{"the same twice", []string{"a", "a"}, "", repeated},
		{"an empty one too", []string{"a", ""}, "", repeated},
		{"an empty one first", []string{"", "a"}, "", noSignature},
		{"a list", []string{"a, b"}, "a, b", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := verify.HeaderValue(&anymail.Payload{Header: http.Header{"X-Sig": tt.values}}, "x-sig")
			require.Equal(t, tt.want, got)
			if tt.err == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, tt.err)
			}
		})
	}
	_, err := verify.HeaderValue(&anymail.Payload{}, "X-Sig")
	require.ErrorIs(t, err, anymail.ErrUnauthenticated, "no headers at all")
}

func TestSignatures(t *testing.T) {
	hexHeader, base64Header := verify.HexHeader("x-sig"), verify.Base64Header("x-sig")
	urlHeader := verify.SignatureHeader("x-sig", verify.Base64URL)
	tests := []struct {
		name  string
		find  verify.Signatures
		value string
		want  []byte // nil if it is refused
	}{
		{"hex", hexHeader, "00ff10", []byte{0, 0xff, 0x10}},
		{"hex in upper case", hexHeader, "00FF10", []byte{0, 0xff, 0x10}},
		{"hex, odd", hexHeader, "00ff1", nil},
		{"hex with a prefix", hexHeader, "0x00ff", nil},
		{"hex with a space", hexHeader, "00 ff", nil},
		{"hex with a line break", hexHeader, "00ff\n", nil},
		{"hex, a list", hexHeader, "00ff,00ff", nil},
		{"hex, not digits", hexHeader, "zz", nil},
		{"hex, too long", hexHeader, strings.Repeat("00", 1025), nil},
		{"hex, as long as can be", hexHeader, strings.Repeat("00", 1024), make([]byte, 1024)},
		{"base64", base64Header, "AP8Q", []byte{0, 0xff, 0x10}},
		{"base64, padded", base64Header, "AP8=", []byte{0, 0xff}},
		{"base64, not padded", base64Header, "AP8", nil},
		{"base64, bits left over", base64Header, "AP9=", nil},
		{"base64, padded twice", base64Header, "AP8==", nil},
		{"base64 of URLs", base64Header, "_-8=", nil},
		{"base64 of URLs, standard", base64Header, "/+8=", []byte{0xff, 0xef}},
		{"base64 with a space", base64Header, "AP 8Q", nil},
		{"base64 with a line break", base64Header, "AP\n8Q", nil},
		{"base64 with a return", base64Header, "AP8Q\r", nil},
		{"base64, a list", base64Header, "AP8Q,AP8Q", nil},
		{"base64, too long", base64Header, strings.Repeat("AAAA", 513), nil},
		{"base64 for URLs", urlHeader, "_-8", []byte{0xff, 0xef}},
		{"base64 for URLs, standard", urlHeader, "/+8", nil},
		{"base64 for URLs, padded", urlHeader, "_-8=", nil},
		{"base64 for URLs, bits left over", urlHeader, "_-9", nil},
		{"base64 for URLs with a line break", urlHeader, "_-8\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.find(request("", "X-Sig", tt.value))
			if tt.want == nil {
				require.EqualError(t, err, encoding)
				return
			}
			require.NoError(t, err)
			require.Empty(t, cmp.Diff([][]byte{tt.want}, got))
		})
	}
	for _, find := range []verify.Signatures{hexHeader, base64Header} {
		_, err := find(request("", "X-Sig", "00", "X-Sig", "00"))
		require.EqualError(t, err, repeated)
		_, err = find(request(""))
		require.EqualError(t, err, noSignature)
	}
}

func TestHeadersAndBody(t *testing.T) {
	content := verify.HeadersAndBody(".", "x-id", "X-Time")
	tests := []struct {
		name    string
		headers []string
		want    string
		err     string
	}{
		{"both", []string{"X-Id", "a", "X-Time", "1"}, "a.1.body", ""},
		{"one missing", []string{"X-Id", "a"}, "", noSignature},
		{"one repeated", []string{"X-Id", "a", "X-Id", "b", "X-Time", "1"}, "", repeated},
		{"separator in one", []string{"X-Id", "a.b", "X-Time", "1"}, "", separator},
		{"separator in the last", []string{"X-Id", "a", "X-Time", "1.0"}, "", separator},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := request("body", tt.headers...)
			for range 2 { // the separator is shared: it must not change
				chunks, err := content(p)
				if tt.err != "" {
					require.EqualError(t, err, tt.err)
					continue
				}
				require.NoError(t, err)
				got := ""
				for _, chunk := range chunks {
					got += string(chunk)
				}
				require.Equal(t, tt.want, got)
			}
		})
	}
}

func TestUnix(t *testing.T) {
	for text, want := range map[string]time.Time{
		"1790000000":    time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC),
		"0":             time.Unix(0, 0).UTC(),
		"0001790000000": time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC),
	} {
		got, err := verify.Unix(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{
		"", " ", "-1", "+1790000000", "1790000000.5", "1790000000 ", "1e9", "0x10", "1_000", "١٧٩",
		"1790000000000", // milliseconds are not seconds
		"99999999999999999999",
	} {
		_, err := verify.Unix(text)
		require.EqualError(t, err, timestamp, "%q", text)
	}
	at, err := verify.UnixHeader("x-time")(request("", "X-Time", "1790000000"))
	require.NoError(t, err)
	require.Equal(t, int64(1790000000), at.Unix())
	_, err = verify.UnixHeader("x-time")(request("", "X-Time", "1", "X-Time", "1"))
	require.EqualError(t, err, repeated)
}

// Claims are tried in order, each with all keys.
func TestLayout(t *testing.T) {
	at := time.Unix(1790000000, 0).UTC()
	claim := func(content string, signatures ...string) verify.SignedContent {
		c := verify.SignedContent{Content: [][]byte{[]byte(content)}, SignedAt: at}
		for _, s := range signatures {
			c.Signatures = append(c.Signatures, unhex(t, s))
		}
		return c
	}
	valid := mac("key", "b")
	own := claim("b", valid)
	own.Fingerprint = []byte("own")
	many := claim("b", slices.Repeat([]string{valid}, 17)...)
	tests := []struct {
		name   string
		claims []verify.SignedContent
		failed error
		want   anymail.Proof
		err    string
	}{
		{"one", []verify.SignedContent{claim("b", valid)}, nil, anymail.Proof{SignedAt: at, Fingerprint: unhex(t, valid), Key: 1}, ""},
		{"the second", []verify.SignedContent{claim("a", valid), claim("b", valid)}, nil, anymail.Proof{SignedAt: at, Fingerprint: unhex(t, valid), Key: 1}, ""},
		{"a fingerprint of its own", []verify.SignedContent{own}, nil, anymail.Proof{SignedAt: at, Fingerprint: []byte("own"), Key: 1}, ""},
		{"the signature of another claim", []verify.SignedContent{claim("a", valid), claim("b", mac("key", "a"))}, nil, anymail.Proof{}, mismatch},
		{"no signature", []verify.SignedContent{claim("b")}, nil, anymail.Proof{}, mismatch},
		{"none", nil, nil, anymail.Proof{}, noSignature},
		{"too many signatures", []verify.SignedContent{claim("b", valid), many}, nil, anymail.Proof{}, encoding},
		{"an error", []verify.SignedContent{claim("b", valid)}, anymail.Unauthenticated("failing"), anymail.Proof{}, "not authenticated: failing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := verify.HMAC{
				Keys:   anymail.Keys("other", "key"),
				Layout: func(*anymail.Payload) ([]verify.SignedContent, error) { return tt.claims, tt.failed },
				// Layout replaces these.
				Signatures: verify.HexHeader("X-Sig"), Content: verify.Body, SignedAt: verify.UnixHeader("X-Time"),
			}.Verifier()
			if tt.err != "" {
				refuses(t, v, request(""), tt.err)
				return
			}
			require.Empty(t, cmp.Diff(tt.want, proves(t, v, request(""))))
		})
	}
}

// A public key tries the same claims. The bound of its signatures is lower.
func TestClaimsOfPublicKey(t *testing.T) {
	signer := signers()["Ed25519"]
	claim := func(content string, n int) verify.SignedContent {
		signature := sign(t, signer, 0, "b")
		return verify.SignedContent{Signatures: slices.Repeat([][]byte{signature}, n), Content: [][]byte{[]byte(content)}}
	}
	var claims []verify.SignedContent
	v := verify.PublicKey{
		Keys:   anymail.Keys(publicPEM(t, signer.Public())),
		Layout: func(*anymail.Payload) ([]verify.SignedContent, error) { return claims, nil },
	}.Verifier()
	claims = []verify.SignedContent{claim("a", 1), claim("b", 4)}
	require.Equal(t, sha256Of("b"), proves(t, v, request("")).Fingerprint)
	claims = []verify.SignedContent{claim("a", 1)}
	refuses(t, v, request(""), mismatch)
	claims = []verify.SignedContent{claim("b", 5)}
	refuses(t, v, request(""), encoding)
}

// A decoder may remove a prefix.
func TestSignatureHeader(t *testing.T) {
	find := verify.SignatureHeader("x-sig", func(text string) ([]byte, error) {
		digits, ok := strings.CutPrefix(text, "sha256=")
		if !ok {
			return nil, anymail.Unauthenticated("another algorithm")
		}
		return verify.Hex(digits)
	})
	got, err := find(request("", "X-Sig", "sha256=00ff"))
	require.NoError(t, err)
	require.Equal(t, [][]byte{{0, 0xff}}, got)
	_, err = find(request("", "X-Sig", "md5=00ff"))
	require.EqualError(t, err, "not authenticated: another algorithm")
	_, err = find(request("", "X-Sig", "sha256="))
	require.EqualError(t, err, encoding)
}

func TestPrefixed(t *testing.T) {
	decode := verify.Prefixed("sha256=", verify.Hex)
	signature, err := decode("sha256=00ff")
	require.NoError(t, err)
	require.Equal(t, []byte{0, 255}, signature)
	for _, text := range []string{"00ff", "sha1=00ff", "SHA256=00ff", "sha256=zz", "sha256=", ""} {
		_, err := decode(text)
		require.ErrorIs(t, err, anymail.ErrUnauthenticated, text)
	}
}
