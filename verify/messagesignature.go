package verify

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"regexp"
	"strings"

	"github.com/goanymail/anymail"
)

var (
	// signatureInput matches one signature of the component content-digest alone:
	// its label, what is signed of the header, and the parameters.
	signatureInput = regexp.MustCompile(`^([a-z*][a-z0-9_.*-]*)=(\("content-digest"\)((?:; *[a-z*][a-z0-9_.*-]*=(?:[0-9]{1,15}|"[^"\\]*"))+))$`)
	// parameter matches one of them.
	parameter = regexp.MustCompile(`; *([a-z*][a-z0-9_.*-]*)=("[^"]*"|[0-9]+)`)
	// digest matches a member of Content-Digest.
	digest = regexp.MustCompile(`^(sha-256|sha-512)=:([A-Za-z0-9+/=]+):$`)
)

// MessageSignature is the [Layout] of an Ed25519 signature by RFC 9421, HTTP Message
// Signatures, that covers the header Content-Digest (RFC 9530), nothing else of the
// request, and the time of its creation. It compares the digest with the body, and
// refuses every other form, among them several signatures.
func MessageSignature(p *anymail.Payload) ([]SignedContent, error) {
	sum, err := HeaderValue(p, "Content-Digest")
	if err != nil {
		return nil, err
	}
	if err := checkDigest(sum, p.Body); err != nil {
		return nil, err
	}
	input, err := HeaderValue(p, "Signature-Input")
	if err != nil {
		return nil, err
	}
	text, err := HeaderValue(p, "Signature")
	if err != nil {
		return nil, err
	}
	m := signatureInput.FindStringSubmatch(input)
	if m == nil {
		return nil, errEncoding
	}
	label, params := m[1], map[string]string{}
	for _, p := range parameter.FindAllStringSubmatch(m[3], -1) {
		if _, twice := params[p[1]]; twice {
			return nil, errEncoding
		}
		params[p[1]] = p[2]
	}
	if alg, ok := params["alg"]; ok && alg != `"ed25519"` {
		return nil, errEncoding
	}
	at, err := Unix(params["created"])
	if err != nil {
		return nil, err
	}
	encoded, ok := strings.CutPrefix(text, label+"=:")
	encoded, closed := strings.CutSuffix(encoded, ":")
	if !ok || !closed {
		return nil, errEncoding
	}
	signature, err := Base64(encoded)
	if err != nil {
		return nil, err
	}
	// https://www.rfc-editor.org/rfc/rfc9421.html#section-2.5
	base := "\"content-digest\": " + sum + "\n\"@signature-params\": " + m[2]
	return []SignedContent{{Signatures: [][]byte{signature}, Content: [][]byte{[]byte(base)}, SignedAt: at}}, nil
}

// checkDigest checks all digests of a Content-Digest, of which there has to be one.
func checkDigest(header string, body []byte) error {
	for member := range strings.SplitSeq(header, ",") {
		m := digest.FindStringSubmatch(strings.TrimSpace(member))
		if m == nil {
			return errEncoding
		}
		got, err := Base64(m[2])
		if err != nil {
			return err
		}
		var want []byte
		if m[1] == "sha-256" {
			sum := sha256.Sum256(body)
			want = sum[:]
		} else {
			sum := sha512.Sum512(body)
			want = sum[:]
		}
		if subtle.ConstantTimeCompare(got, want) != 1 {
			return errMismatch
		}
	}
	return nil
}
