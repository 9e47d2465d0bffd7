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
// value; a name may come again.
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
			got, err := verify.Header(&anymail.Payload{Header: http.Header{"X-Sig": tt.values}}, "x-sig")
			require.Equal(t, tt.want, got)
			if tt.err == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, tt.err)
			}
		})
	}
	_, err := verify.Header(&anymail.Payload{}, "X-Sig")
	require.ErrorIs(t, err, anymail.ErrUnauthenticated, "no headers at all")
}

func TestSignatures(t *testing.T) {
	hexHeader, base64Header := verify.HexHeader("x-sig"), verify.Base64Header("x-sig")
	tests := []struct {
		name  string
		find  verify.Signatures
		value string
		want  []byte // nil where it is refused
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
