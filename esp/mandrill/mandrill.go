// Package mandrill is the adapter for Mandrill, now Mailchimp Transactional.
//
// Mandrill posts message events, changes of its lists and received messages in
// batches, to URLs of the user's choice, and signs the URL and the form fields
// (https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/#authenticating-webhook-requests).
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/mandrill.md
package mandrill

import (
	"context"
	"crypto/sha1" // Mandrill's choice; an HMAC with it is not broken
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// ESP is the canonical name of the adapter.
const ESP = "mandrill"

// Config configures the adapter. Its zero value works if the Dispatcher has a
// shared secret.
type Config struct {
	// SigningKeys are the keys of the webhooks and of the inbound routes, as Mandrill
	// shows them: each URL has its own. With an empty source the adapter accepts
	// only the test that Mandrill makes before it shows the key.
	SigningKeys anymail.KeySource
	// URLs are the webhooks' URLs exactly as entered at Mandrill, which signs
	// them. They are needed only if the server does not see that URL: the URL of
	// the request (see [anymail.WithPublicURL] and [anymail.WithTrustedProxies])
	// is tried too, without credentials and with those of the request.
	URLs []string
}

// Adapter is the adapter for one Mandrill account.
type Adapter struct {
	config Config
}

// New returns an adapter. It returns [anymail.ErrConfig] if a key is empty, or if a
// URL is not an absolute http or https URL.
func New(config Config) (*Adapter, error) {
	if err := verify.CheckKeys(config.SigningKeys, "mandrill.Config.SigningKeys", nil); err != nil {
		return nil, err
	}
	for i, entered := range config.URLs {
		u, err := url.Parse(entered)
		if err != nil || u.Host == "" || strings.TrimSpace(entered) != entered || (u.Scheme != "https" && u.Scheme != "http") {
			return nil, anymail.Misconfigured(fmt.Sprintf("mandrill.Config.URLs[%d]", i), "must be an absolute http or https URL")
		}
	}
	config.URLs = slices.Clone(config.URLs)
	return &Adapter{config}, nil
}

// ESP returns "mandrill".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns the adapter's root, tracking and inbound. Each accepts
// everything: a user may give Mandrill one URL or two.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	all := anymail.Endpoint{
		Parser:           anymail.ParserFunc(parse),
		Handshake:        answerTest,
		RepeatsSignature: true,     // the signature covers no time
		MaxBody:          64 << 20, // 25 MB of message, as received and again in parts, in base64
	}
	if a.config.SigningKeys != nil {
		all.Verifier = a.verifier()
	}
	tracking, inbound := all, all
	tracking.Path, inbound.Path = "tracking", "inbound"
	return []anymail.Endpoint{all, tracking, inbound}
}

const (
	signatureHeader = "X-Mandrill-Signature"
	eventsField     = "mandrill_events"
	// testKey is what Mandrill signs an empty batch with when it tries a URL
	// that has no key yet. It is public, so it proves nothing else.
	testKey = "test-webhook"
)

// verifier checks HMAC-SHA1 over one of the URLs and the form. The test key
// counts only for an empty batch, and proves nothing.
func (a *Adapter) verifier() anymail.Verifier {
	keyed := verify.HMAC{Keys: a.config.SigningKeys, Hash: sha1.New, Layout: a.claims}.Verifier()
	test := verify.HMAC{Keys: anymail.Keys(testKey), Hash: sha1.New, Layout: a.claims}.Verifier()
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		proof, err := keyed.Verify(ctx, p)
		if err == nil || p.Header.Get(signatureHeader) == "" || !isEmptyBatch(p) {
			return proof, err
		}
		if _, testErr := test.Verify(ctx, p); testErr == nil {
			return anymail.Proof{TestKey: true}, nil
		}
		return proof, err
	})
}

// isEmptyBatch reports whether p has no events: with it Mandrill tests a URL.
func isEmptyBatch(p *anymail.Payload) bool {
	form, err := p.TakeForm()
	return err == nil && string(form.Fields.Bytes(eventsField)) == "[]"
}

// answerTest answers an empty batch.
func answerTest(_ context.Context, p *anymail.Payload) (*anymail.Reply, error) {
	if isEmptyBatch(p) {
		return &anymail.Reply{}, nil
	}
	return nil, nil
}

// claims returns one claim for each URL that may have been signed.
func (a *Adapter) claims(p *anymail.Payload) ([]verify.SignedContent, error) {
	signatures, err := verify.Base64Header(signatureHeader)(p)
	if err != nil {
		return nil, err // before reading a body that may be large
	}
	form, err := p.TakeForm()
	if err != nil {
		return nil, anymail.Unauthenticated("no form to verify")
	}
	fields, err := signedFields(form)
	if err != nil {
		return nil, err
	}
	var claims []verify.SignedContent
	for _, u := range a.urls(p) {
		claims = append(claims, verify.SignedContent{
			Signatures: signatures,
			Content:    slices.Concat([][]byte{[]byte(u)}, fields),
		})
	}
	return claims, nil
}

// urls returns the URLs that may have been entered at Mandrill. Credentials in a URL
// are signed like the rest of it, but are posted in a header.
func (a *Adapter) urls(p *anymail.Payload) []string {
	var urls []string
	scheme, rest, _ := strings.Cut(p.URL, "://")
	if user, password, ok := (&http.Request{Header: p.Header}).BasicAuth(); ok {
		urls = append(urls,
			scheme+"://"+user+":"+password+"@"+rest,
			scheme+"://"+url.UserPassword(user, password).String()+"@"+rest)
	}
	return slices.Compact(append(append(urls, p.URL), a.config.URLs...))
}

var errRepeated = anymail.Unauthenticated("repeated form field")

// signedFields returns what Mandrill signs after the URL: each field's name and
// value in the order of the names, with nothing between them.
// https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/#authenticating-webhook-requests
func signedFields(form *anymail.Form) ([][]byte, error) {
	var content [][]byte
	for _, name := range slices.Sorted(maps.Keys(form.Fields)) {
		if len(form.Fields[name]) != 1 {
			return nil, errRepeated
		}
		content = append(content, []byte(name), form.Fields.Bytes(name))
	}
	return content, nil
}
