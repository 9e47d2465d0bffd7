package verify_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// The signature is by the private key whose seed is the bytes 0 to 31, computed with
// another implementation of Ed25519.
func TestMessageSignature(t *testing.T) {
	const (
		key       = "MCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
		body      = `[{"event":"delivered"}]`
		digest    = "sha-256=:cXw8JML087+GQva7JVrCBFadIwDS8h0hFobpKwIt92Q=:"
		input     = `sig_1=("content-digest");created=1790000000;alg="ed25519";keyid="mckey"`
		signature = "sig_1=:tQAZpfgoTGxsIjf+Bj4fZYzr+D6powUt8ExJzMQgwMxjA8LDb8evi7PDqo5cenYqIguEZfhEw1PHpW9Qj6uYCA==:"
	)
	v := verify.PublicKey{Keys: anymail.Keys(key), Layout: verify.MessageSignature}.Verifier()
	check := func(body, digest, input, signature string) (anymail.Proof, error) {
		return v.Verify(t.Context(), &anymail.Payload{Body: []byte(body), Header: http.Header{
			"Content-Digest": {digest}, "Signature-Input": {input}, "Signature": {signature},
		}})
	}
	proof, err := check(body, digest, input, signature)
	require.NoError(t, err)
	require.Equal(t, time.Unix(1790000000, 0).UTC(), proof.SignedAt.UTC())

	for name, r := range map[string][4]string{
		"another body":           {`[{"event":"bounced"}]`, digest, input, signature},
		"no digest":              {body, "", input, signature},
		"digest of another kind": {body, "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:", input, signature},
		"digest not signed":      {body, digest, `sig_1=();created=1790000000;alg="ed25519";keyid="mckey"`, signature},
		"more signed":            {body, digest, `sig_1=("content-digest" "@path");created=1790000000;alg="ed25519";keyid="mckey"`, signature},
		"another time":           {body, digest, `sig_1=("content-digest");created=1790000001;alg="ed25519";keyid="mckey"`, signature},
		"no time":                {body, digest, `sig_1=("content-digest");alg="ed25519";keyid="mckey"`, signature},
		"two times":              {body, digest, input + ";created=1790000001", signature},
		"another algorithm":      {body, digest, `sig_1=("content-digest");created=1790000000;alg="hmac-sha256";keyid="mckey"`, signature},
		"another label":          {body, digest, input, "sig_2" + signature[5:]},
		"two signatures":         {body, digest, input, signature + ", " + signature},
		"cut":                    {body, digest, input, signature[:len(signature)-1]},
	} {
		_, err := check(r[0], r[1], r[2], r[3])
		require.ErrorIs(t, err, anymail.ErrUnauthenticated, name)
	}
}

func FuzzMessageSignature(f *testing.F) {
	f.Add(`[]`, "sha-256=:T1PNoY6AGUHCQJnHdz+7kqEZbnNS3fx0ZdJ6ZnBrQWU=:", `sig_1=("content-digest");created=1790000000`, "sig_1=:AAAA:")
	f.Fuzz(func(t *testing.T, body, digest, input, signature string) {
		contents, err := verify.MessageSignature(&anymail.Payload{Body: []byte(body), Header: http.Header{
			"Content-Digest": {digest}, "Signature-Input": {input}, "Signature": {signature},
		}})
		if err != nil {
			require.ErrorIs(t, err, anymail.ErrUnauthenticated)
			return
		}
		require.Len(t, contents, 1)
		require.False(t, contents[0].SignedAt.IsZero())
	})
}
