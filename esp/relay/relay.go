// Package relay is the adapter for received mail that a mail server, or a program
// of the user, posts as it is: Postfix, Exim and others through a pipe to
// "anymail relay", Cloudflare Email Workers, and the relays of Rails' Action
// Mailbox.
//
// The body is the message (message/rfc822). The envelope is in X-Envelope-From and
// X-Envelope-To, or in the query. Requests prove authentic by the Dispatcher's
// shared secret, as those of Action Mailbox do, by a signature ([Sign]), or by both.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/relay.md
package relay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// ESP is the canonical name of the adapter.
const ESP = "relay"

// Header fields of requests.
const (
	// HeaderFrom is the envelope sender, "<>" if there is none (a bounce).
	HeaderFrom = "X-Envelope-From"
	// HeaderTo is a list of envelope recipients. It may be repeated.
	HeaderTo = "X-Envelope-To"
	// HeaderTimestamp is when a request was signed, in seconds since 1970.
	HeaderTimestamp = "X-Anymail-Timestamp"
	// HeaderSignature is the hexadecimal signature.
	HeaderSignature = "X-Anymail-Signature"
)

// MaxMessage is the largest message in bytes. It is more than the defaults of
// Postfix (10 MB), Cloudflare (25 MiB) and Exim (50 MiB).
const MaxMessage = 51 << 20

// Config configures the adapter. Its zero value works if the Dispatcher has a
// shared secret.
type Config struct {
	// SigningKeys are those that requests are signed with, any of which may
	// match. With keys, a request that is not signed is refused.
	SigningKeys anymail.KeySource
}

// Adapter is the adapter for the mail servers that share its keys.
type Adapter struct{ config Config }

// New returns an adapter. It returns [anymail.ErrConfig] if a key is empty.
func New(config Config) (*Adapter, error) {
	if err := verify.CheckKeys(config.SigningKeys, "relay.Config.SigningKeys", nil); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "relay".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns inbound.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	received := anymail.Endpoint{
		Path:         "inbound",
		Patience:     patience,
		Parser:       anymail.ParserFunc(parse),
		ContentTypes: []string{"message/rfc822", "message/global"},
		MaxBody:      MaxMessage,
		// Two attempts within a second have the same signature.
		RepeatsSignature: true,
	}
	if a.config.SigningKeys != nil {
		received.Verifier = verify.HMAC{
			Keys:       a.config.SigningKeys,
			Signatures: verify.HexHeader(HeaderSignature),
			SignedAt:   verify.UnixHeader(HeaderTimestamp),
			Content: func(p *anymail.Payload) ([][]byte, error) {
				return signed(p.Header, p.Body), nil
			},
		}.Verifier()
	}
	return []anymail.Endpoint{received}
}

// Sign signs a request: its envelope, body and the time. The envelope must be in
// the header.
func Sign(header http.Header, body []byte, key string, at time.Time) {
	header.Set(HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	mac := hmac.New(sha256.New, []byte(key))
	for _, chunk := range signed(header, body) {
		_, _ = mac.Write(chunk) // a hash never fails
	}
	header.Set(HeaderSignature, hex.EncodeToString(mac.Sum(nil)))
}

// signed returns what a signature covers: timestamp, sender and recipients, a line
// each, and the body. Header values have no line ends. The values of repeated
// fields are joined, so that none of them can be added.
func signed(header http.Header, body []byte) [][]byte {
	var chunks [][]byte
	for _, name := range []string{HeaderTimestamp, HeaderFrom, HeaderTo} {
		chunks = append(chunks, []byte(strings.Join(header.Values(name), ", ")), []byte("\n"))
	}
	return append(chunks, body)
}
