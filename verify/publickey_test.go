package verify_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"math/big"
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

func TestPublicKeyVectors(t *testing.T) {
	for _, file := range []string{"ecdsa_secp256r1_sha256_test.json", "rsa_signature_2048_sha256_test.json", "ed25519_test.json"} {
		for _, tt := range vectors(t, file) {
			t.Run(file+"/"+strconv.Itoa(tt.ID), func(t *testing.T) {
				v := verify.PublicKey{
					Keys:       anymail.Keys(base64.StdEncoding.EncodeToString(unhex(t, tt.Key))),
					Signatures: verify.HexHeader("X-Sig"),
				}.Verifier()
				msg := unhex(t, tt.Msg)
				p := request(string(msg), "X-Sig", tt.Sig)
				if !tt.Valid {
					refuses(t, v, p, mismatch)
					return
				}
				// The digest of the content: two vectors sign the same content.
				want := anymail.Proof{Fingerprint: sha256Of(string(msg))}
				require.Empty(t, cmp.Diff(want, proves(t, v, p)))
			})
		}
	}
}

// signers are one key of each kind, made once.
var signers = sync.OnceValue(func() map[string]crypto.Signer {
	p256, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, err2 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	rsaKey, err3 := rsa.GenerateKey(rand.Reader, 2048)
	_, edKey, err4 := ed25519.GenerateKey(rand.Reader)
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			panic(err)
		}
	}
	return map[string]crypto.Signer{"P-256": p256, "P-384": p384, "RSA": rsaKey, "Ed25519": edKey}
})

func publicPEM(t testing.TB, public crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func sign(t testing.TB, signer crypto.Signer, hash crypto.Hash, content string) []byte {
	t.Helper()
	digest := []byte(content)
	if _, ok := signer.(ed25519.PrivateKey); ok {
		hash = 0
	} else {
		h := hash.New()
		_, _ = h.Write(digest)
		digest = h.Sum(nil)
	}
	signature, err := signer.Sign(rand.Reader, digest, hash)
	require.NoError(t, err)
	return signature
}

func TestPublicKey(t *testing.T) {
	const body = `[{"event":"open"}]`
	const signedText = "1790000000" + body
	for kind, signer := range signers() {
		t.Run(kind, func(t *testing.T) {
			pemText := publicPEM(t, signer.Public())
			valid := base64.StdEncoding.EncodeToString(sign(t, signer, crypto.SHA256, signedText))
			raw, _ := base64.StdEncoding.DecodeString(valid)
			encode := base64.StdEncoding.EncodeToString
			others := map[string]string{}
			for other, s := range signers() {
				if other != kind {
					others[other] = publicPEM(t, s.Public())
				}
			}
			tests := []struct {
				name    string
				keys    anymail.KeySource
				body    string
				headers []string
				key     int
				err     string
			}{
				{"valid", anymail.Keys(pemText), body, []string{"X-Sig", valid, "X-Time", "1790000000"}, 0, ""},
				{"another body", anymail.Keys(pemText), body + " ", []string{"X-Sig", valid, "X-Time", "1790000000"}, 0, mismatch},
				{"another time", anymail.Keys(pemText), body, []string{"X-Sig", valid, "X-Time", "1790000001"}, 0, mismatch},
				{"truncated", anymail.Keys(pemText), body, []string{"X-Sig", encode(raw[:len(raw)-1]), "X-Time", "1790000000"}, 0, mismatch},
				{"lengthened", anymail.Keys(pemText), body, []string{"X-Sig", encode(append(raw[:len(raw):len(raw)], 0)), "X-Time", "1790000000"}, 0, mismatch},
				{"zeros", anymail.Keys(pemText), body, []string{"X-Sig", encode(make([]byte, len(raw))), "X-Time", "1790000000"}, 0, mismatch},
				{"in hex", anymail.Keys(pemText), body, []string{"X-Sig", hex.EncodeToString(raw) + "-", "X-Time", "1790000000"}, 0, encoding},
				{"repeated", anymail.Keys(pemText), body, []string{"X-Sig", valid, "X-Sig", valid, "X-Time", "1790000000"}, 0, repeated},
				{"missing", anymail.Keys(pemText), body, []string{"X-Time", "1790000000"}, 0, noSignature},
				{"no keys", anymail.Keys(), body, []string{"X-Sig", valid, "X-Time", "1790000000"}, 0, noKeys},
				{"empty key", anymail.Keys(""), body, []string{"X-Sig", valid, "X-Time", "1790000000"}, 0,
					"unavailable: signature key: it holds no public key"},
			}
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					v := verify.PublicKey{
						Keys:       tt.keys,
						Signatures: verify.Base64Header("X-Sig"),
						Content:    verify.HeadersAndBody("", "X-Time"),
						SignedAt:   verify.UnixHeader("X-Time"),
					}.Verifier()
					p := request(tt.body, tt.headers...)
					if tt.err != "" {
						refuses(t, v, p, tt.err)
						return
					}
					want := anymail.Proof{SignedAt: time.Unix(1790000000, 0).UTC(), Fingerprint: sha256Of(signedText), Key: tt.key}
					require.Empty(t, cmp.Diff(want, proves(t, v, p)))
				})
			}
			// The configured key decides the kind: a signature of another kind
			// is invalid, and a second key of another kind does no harm.
			for other, otherPEM := range others {
				p := request(body, "X-Sig", valid, "X-Time", "1790000000")
				v := verify.PublicKey{Keys: anymail.Keys(otherPEM), Signatures: verify.Base64Header("X-Sig"), Content: verify.HeadersAndBody("", "X-Time")}
				refuses(t, v.Verifier(), p, mismatch)
				v.Keys = anymail.Keys(otherPEM, pemText)
				require.Equal(t, 1, proves(t, v.Verifier(), p).Key, "next to a key of kind %s", other)
			}
		})
	}
}

// From an ECDSA signature anyone can make a second valid one, which is still a
// replay.
func TestECDSAMalleability(t *testing.T) {
	signer := signers()["P-256"]
	v := verify.PublicKey{Keys: anymail.Keys(publicPEM(t, signer.Public())), Signatures: verify.HexHeader("X-Sig")}.Verifier()
	signature := sign(t, signer, crypto.SHA256, "body")
	var rs struct{ R, S *big.Int }
	_, err := asn1.Unmarshal(signature, &rs)
	require.NoError(t, err)
	rs.S.Sub(elliptic.P256().Params().N, rs.S)
	second, err := asn1.Marshal(rs)
	require.NoError(t, err)
	require.NotEqual(t, signature, second)

	first := proves(t, v, request("body", "X-Sig", hex.EncodeToString(signature)))
	again := proves(t, v, request("body", "X-Sig", hex.EncodeToString(second)))
	require.Equal(t, first.Fingerprint, again.Fingerprint)
}

// Two signatures by the signer of the same content are a replay too.
func TestFingerprintOfPublicKey(t *testing.T) {
	signer := signers()["P-256"]
	v := verify.PublicKey{Keys: anymail.Keys(publicPEM(t, signer.Public())), Signatures: verify.HexHeader("X-Sig")}.Verifier()
	fingerprint := func(body string) []byte {
		return proves(t, v, request(body, "X-Sig", hex.EncodeToString(sign(t, signer, crypto.SHA256, body)))).Fingerprint
	}
	require.Equal(t, fingerprint("a"), fingerprint("a"))
	require.NotEqual(t, fingerprint("a"), fingerprint("b"))
}

func TestPublicKeyOptions(t *testing.T) {
	signer := signers()["RSA"]
	pemText := publicPEM(t, signer.Public())
	list := func(n int) verify.Signatures {
		return func(*anymail.Payload) ([][]byte, error) {
			return append(make([][]byte, n-1), sign(t, signer, crypto.SHA256, "body")), nil
		}
	}
	sum := sha512.Sum512([]byte("body"))
	tests := []struct {
		name string
		key  verify.PublicKey
		sig  []byte
		want []byte // the fingerprint
		err  string
	}{
		{"SHA-512", verify.PublicKey{Keys: anymail.Keys(pemText), Hash: crypto.SHA512, Signatures: verify.Base64Header("X-Sig")},
			sign(t, signer, crypto.SHA512, "body"), sum[:], ""},
		{"SHA-256 where SHA-512 is wanted", verify.PublicKey{Keys: anymail.Keys(pemText), Hash: crypto.SHA512, Signatures: verify.Base64Header("X-Sig")},
			sign(t, signer, crypto.SHA256, "body"), nil, mismatch},
		{"a hash that is not there", verify.PublicKey{Keys: anymail.Keys(pemText), Hash: crypto.BLAKE2b_256, Signatures: verify.Base64Header("X-Sig")},
			sign(t, signer, crypto.SHA256, "body"), nil, "unavailable: signature key: its hash is not linked into the program"},
		{"no finder", verify.PublicKey{Keys: anymail.Keys(pemText)}, nil, nil, noSignature},
		{"4 signatures", verify.PublicKey{Keys: anymail.Keys(pemText), Signatures: list(4)}, nil, sha256Of("body"), ""},
		{"5 signatures", verify.PublicKey{Keys: anymail.Keys(pemText), Signatures: list(5)}, nil, nil, encoding},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := request("body", "X-Sig", base64.StdEncoding.EncodeToString(tt.sig))
			if tt.err != "" {
				refuses(t, tt.key.Verifier(), p, tt.err)
				return
			}
			require.Equal(t, tt.want, proves(t, tt.key.Verifier(), p).Fingerprint)
		})
	}
}

// Ed25519 signs the content itself, however many chunks it has.
func TestEd25519Chunks(t *testing.T) {
	signer := signers()["Ed25519"]
	for _, chunks := range [][]string{{}, {""}, {"abc"}, {"a", "", "bc"}, {"", "abc", ""}} {
		content := func(*anymail.Payload) (list [][]byte, err error) {
			for _, chunk := range chunks {
				list = append(list, []byte(chunk))
			}
			return list, nil
		}
		whole := strings.Join(chunks, "")
		v := verify.PublicKey{
			// The second key finds the content as the first has left it.
			Keys:       anymail.Keys(publicPEM(t, signers()["P-256"].Public()), publicPEM(t, signer.Public())),
			Signatures: verify.Base64Header("X-Sig"),
			Content:    content,
		}.Verifier()
		p := request("", "X-Sig", base64.StdEncoding.EncodeToString(sign(t, signer, 0, whole)))
		require.Equal(t, anymail.Proof{Fingerprint: sha256Of(whole), Key: 1}, proves(t, v, p), "%q", chunks)
	}
}

func TestParsePublicKey(t *testing.T) {
	rsaKey := signers()["RSA"].Public().(*rsa.PublicKey)
	edKey := signers()["Ed25519"].Public().(ed25519.PublicKey)
	ecKey := signers()["P-256"].Public().(*ecdsa.PublicKey)
	der := func(public crypto.PublicKey) []byte {
		b, err := x509.MarshalPKIXPublicKey(public)
		require.NoError(t, err)
		return b
	}
	base64Of := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
	pemOf := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	ofBits := func(bits uint) *rsa.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}
	}
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(signers()["P-256"])
	require.NoError(t, err)
	// Not on the curve: the last byte of y differs.
	offCurve := der(ecKey)
	offCurve[len(offCurve)-1] ^= 1

	rsaText := base64Of(der(rsaKey))
	tests := []struct {
		name string
		text string
		want crypto.PublicKey
		err  string
	}{
		{"PEM", pemOf("PUBLIC KEY", der(rsaKey)), rsaKey, ""},
		{"PEM between blanks", "\n\n" + pemOf("PUBLIC KEY", der(ecKey)) + " \n", ecKey, ""},
		{"PEM with CRLF", strings.ReplaceAll(pemOf("PUBLIC KEY", der(edKey)), "\n", "\r\n"), edKey, ""},
		{"PEM, PKCS #1", pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(rsaKey)), rsaKey, ""},
		{"base64", rsaText, rsaKey, ""},
		{"base64, PKCS #1", base64Of(x509.MarshalPKCS1PublicKey(rsaKey)), rsaKey, ""},
		{"base64 in lines", " " + rsaText[:64] + "\r\n" + rsaText[64:128] + "\n\t" + rsaText[128:] + "\n", rsaKey, ""},
		{"base64, EC", base64Of(der(ecKey)), ecKey, ""},
		{"base64, Ed25519", base64Of(der(edKey)), edKey, ""},
		{"Ed25519 alone", base64Of(edKey), edKey, ""},
		{"DKIM record", "v=DKIM1; k=rsa; p=" + rsaText, rsaKey, ""},
		{"DKIM record, other order", "v=DKIM1; t=s; p = " + rsaText + "; k=rsa;", rsaKey, ""},
		{"DKIM record, only the key", "p=" + rsaText, rsaKey, ""},
		{"DKIM record, Ed25519", "v=DKIM1; k=ed25519; p=" + base64Of(edKey), edKey, ""},
		{"RSA of 1024 bits", base64Of(der(ofBits(1024))), ofBits(1024), ""},
		{"RSA of 8192 bits", base64Of(der(ofBits(8192))), ofBits(8192), ""},

		{"empty", "", nil, "it holds no public key"},
		{"blank", " \n", nil, "it holds no public key"},
		{"DKIM record, revoked", "v=DKIM1; p=", nil, "it holds no public key"},
		{"RSA of 1023 bits", base64Of(der(ofBits(1023))), nil, "it is an RSA key of less than 1024 or more than 8192 bits"},
		{"RSA of 8193 bits", base64Of(der(ofBits(8193))), nil, "it is an RSA key of less than 1024 or more than 8192 bits"},
		{"X25519", base64Of(der(x25519.PublicKey())), nil, "it is of an unknown kind"},
		{"not on the curve", base64Of(offCurve), nil, "it holds no public key"},
		{"private", pemOf("PRIVATE KEY", private), nil, "it holds no public key"},
		{"two", pemOf("PUBLIC KEY", der(rsaKey)) + pemOf("PUBLIC KEY", der(ecKey)), nil, "it is more than one key"},
		{"one and a half", pemOf("PUBLIC KEY", der(rsaKey)) + "-----BEGIN", nil, "it is more than one key"},
		{"PEM cut off", pemOf("PUBLIC KEY", der(rsaKey))[:100], nil, "it is neither PEM nor base64 DER"},
		{"DER cut off", base64Of(der(rsaKey)[:200]), nil, "it holds no public key"},
		{"DER with more behind", base64Of(append(der(rsaKey), 0)), nil, "it holds no public key"},
		{"base64 of URLs", "_-_-", nil, "it is neither PEM nor base64 DER"},
		{"a secret by mistake", "key-s3cret", nil, "it is neither PEM nor base64 DER"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := verify.ParsePublicKey(tt.text)
			if tt.err != "" {
				require.EqualError(t, err, tt.err)
				require.Nil(t, got)
				return
			}
			require.NoError(t, err)
			require.True(t, tt.want.(interface{ Equal(crypto.PublicKey) bool }).Equal(got), "%T", got)
		})
	}
}

// A key in an unknown encoding fails at the first request, and the ESP retries.
func TestPublicKeyUnparsable(t *testing.T) {
	v := verify.PublicKey{Keys: anymail.Keys("key-s3cret"), Signatures: verify.HexHeader("X-Sig")}.Verifier()
	_, err := v.Verify(t.Context(), request("body", "X-Sig", hex.EncodeToString(make([]byte, sha256.Size))))
	require.ErrorIs(t, err, anymail.ErrUnavailable)
	require.NotContains(t, err.Error(), "s3cret")
}
