// Package sns verifies messages of Amazon SNS and of services that speak SNS,
// with the certificate that a message refers to, and confirms subscriptions.
//
// It fetches the certificate over https from the host of the topic's region. The
// certificate must be in date and have the service's name, as in the strictest
// of Amazon's own validators (AWS SDK for Java 2, CertificateRetriever). Amazon
// serves it without the chain up to a root, so [Options].Roots helps only if the
// user knows the certificate authority.
//
// Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
package sns

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/fetch"
	"github.com/goanymail/anymail/internal/trace"
	"github.com/goanymail/anymail/verify"
)

// Options configure a [Verifier]. The zero value accepts messages from any topic
// of Amazon if they come with a shared secret.
type Options struct {
	// TopicARNs are the topics to accept messages from. If empty, any topic
	// will do, but then a request must carry a shared secret: Amazon signs for
	// everyone who has a topic.
	TopicARNs []string
	// RequireSHA256 refuses signature version 1, which uses SHA-1. It is
	// Amazon's default for a topic.
	RequireSHA256 bool
	// Roots are certificates, roots or intermediates, one of which must have
	// issued the signing certificate. The issuer is not checked if nil.
	Roots *x509.CertPool
	// TestCertificates sign messages that the service did not send, for tests:
	// any client with the private key can forge messages. They need no issuer
	// and no name, and are not fetched: a message names one by
	// [Service.TestCertificateURL]. They count only while they are valid, and for
	// requests from loopback and private addresses. Those without an RSA key have
	// no effect.
	TestCertificates []*x509.Certificate
	// Service returns the service of a topic, or false if the topic is not of a
	// known one. It is [AWS] if nil.
	Service func(topicARN string) (Service, bool)
	// Client fetches certificates and confirms subscriptions. If nil, it is a
	// client with a timeout.
	Client *http.Client
}

// The reasons for which a [Verifier] refuses a message, in addition to those of
// package verify.
const (
	ReasonNotSNS         anymail.Reason = "not an SNS message"
	ReasonTopic          anymail.Reason = "not a topic that is configured"
	ReasonNoTopics       anymail.Reason = "neither a topic is configured nor a shared secret given"
	ReasonVersion        anymail.Reason = "signature version not accepted"
	ReasonCertificateURL anymail.Reason = "certificate URL not accepted"
	ReasonCertificate    anymail.Reason = "signing certificate not accepted"
)

var (
	errNotSNS         = anymail.Unauthenticated(ReasonNotSNS)
	errTopic          = anymail.Unauthenticated(ReasonTopic)
	errNoTopics       = anymail.Unauthenticated(ReasonNoTopics)
	errVersion        = anymail.Unauthenticated(ReasonVersion)
	errCertificateURL = anymail.Unauthenticated(ReasonCertificateURL)
	errCertificate    = anymail.Unauthenticated(ReasonCertificate)

	errTestCertificate = anymail.Because(anymail.ErrUnauthenticated, ReasonCertificate,
		errors.New("a test certificate counts only while it is valid, and for requests from loopback and private addresses"))
)

// Verifier is an [anymail.Verifier] of SNS messages. It keeps certificates for a
// day, so make one for all requests. It fetches few at once for requests that
// have not proved a shared secret, and few of these wait for that: the others
// are [anymail.ErrUnavailable] immediately, so that forged messages take neither
// the places of other endpoints nor those that renew a certificate.
type Verifier struct {
	options      Options
	certificates *certificates
}

var _ anymail.Verifier = (*Verifier)(nil)

// New returns a Verifier.
func New(options Options) *Verifier {
	options.TopicARNs = slices.Clone(options.TopicARNs)
	if options.Service == nil {
		options.Service = AWS
	}
	return &Verifier{options, newCertificates(options.Client, options.Roots)}
}

// Verify verifies the message in the body of p. The fingerprint is the SHA-256
// digest of what is signed.
func (v *Verifier) Verify(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
	m, err := Parse(p.Body)
	if err != nil {
		return anymail.Proof{}, errNotSNS
	}
	// The checks that cost nothing come first, so that a forged request cannot
	// make the server fetch a certificate.
	service, err := v.service(m)
	if err != nil {
		return anymail.Proof{}, err
	}
	if len(v.options.TopicARNs) == 0 && !p.SecretProved {
		return anymail.Proof{}, errNoTopics
	}
	hash, signature, err := v.signature(m)
	if err != nil {
		return anymail.Proof{}, err
	}
	text, at := m.signed(), m.Time()
	if text == nil {
		return anymail.Proof{}, errNotSNS
	}
	if at.IsZero() {
		return anymail.Proof{}, anymail.Unauthenticated(verify.ReasonTimestamp)
	}
	now := p.ReceivedAt
	if now.IsZero() {
		now = time.Now()
	}
	step := func(err error, attempts ...trace.Attempt) trace.Step {
		return trace.Step{Offered: [][]byte{signature}, Content: [][]byte{text}, SignedAt: at, Attempts: attempts, Err: err}
	}
	key, err := v.key(ctx, service, m.SigningCertURL, p, now)
	if err != nil {
		trace.Record(ctx, func() trace.Step { return step(err) })
		return anymail.Proof{}, err
	}
	// The fingerprint depends neither on the signature's version nor on SHA-1.
	fingerprint := sha256.Sum256(text)
	digest := fingerprint[:]
	if hash == crypto.SHA1 {
		sum := sha1.Sum(text)
		digest = sum[:]
	}
	proof := anymail.Proof{SignedAt: at, Fingerprint: fingerprint[:]}
	if rsa.VerifyPKCS1v15(key, hash, digest, signature) != nil {
		proof, err = anymail.Proof{}, anymail.Unauthenticated(verify.ReasonMismatch)
	}
	trace.Record(ctx, func() trace.Step {
		attempt := trace.PublicKey(key, hash, digest, [][]byte{signature})
		attempt.Kind += ", certificate " + m.SigningCertURL
		attempt.Valid = err == nil
		return step(err, attempt)
	})
	return proof, err
}

// key returns the public key of the certificate that a message names.
func (v *Verifier) key(ctx context.Context, service Service, certURL string, p *anymail.Payload, now time.Time) (*rsa.PublicKey, error) {
	for _, cert := range v.options.TestCertificates {
		if certURL != service.TestCertificateURL(cert) {
			continue
		}
		key, ok := cert.PublicKey.(*rsa.PublicKey)
		from := p.RemoteAddr.Unmap()
		if !ok || !from.IsLoopback() && !from.IsPrivate() || now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
			return nil, errTestCertificate
		}
		return key, nil
	}
	return v.certificates.key(ctx, service, certURL, p.SecretProved, now)
}

// service returns the service of m's topic, if m may come from that topic.
func (v *Verifier) service(m *Message) (Service, error) {
	if len(v.options.TopicARNs) > 0 && !slices.Contains(v.options.TopicARNs, m.TopicArn) {
		return Service{}, errTopic
	}
	service, ok := v.options.Service(m.TopicArn)
	if !ok {
		return Service{}, errTopic
	}
	return service, nil
}

func (v *Verifier) signature(m *Message) (hash crypto.Hash, signature []byte, err error) {
	switch {
	case m.Signature == "":
		return 0, nil, anymail.Unauthenticated(verify.ReasonMissing)
	case m.SignatureVersion == "2":
		hash = crypto.SHA256
	case m.SignatureVersion == "1" && !v.options.RequireSHA256:
		hash = crypto.SHA1
	default:
		return 0, nil, errVersion
	}
	signature, err = verify.Base64(m.Signature)
	return hash, signature, err
}

// Confirm confirms the subscription that an authentic message asks to confirm,
// by a GET of its SubscribeURL, which has to be the service's own. It returns
// [anymail.ErrMalformed] if m does not ask for that, and
// [anymail.ErrUnavailable] if the service does not respond with success.
func (v *Verifier) Confirm(ctx context.Context, m *Message) error {
	service, err := v.service(m)
	if err != nil {
		return err
	}
	u, err := url.Parse(m.SubscribeURL)
	if err != nil || m.Type != SubscriptionConfirmation {
		return anymail.Malformed("no subscription to confirm", nil)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || query.Get("Action") != "ConfirmSubscription" || query.Get("TopicArn") != m.TopicArn {
		return anymail.Malformed("the URL confirms something else", nil)
	}
	getter := fetch.Getter{Client: v.options.Client, Hosts: []string{service.APIHost}, MaxBytes: 64 << 10}
	_, err = getter.Get(ctx, m.SubscribeURL, nil)
	if errors.Is(err, fetch.ErrGone) {
		return anymail.Because(anymail.ErrUnavailable, "the service did not confirm", nil)
	}
	return err
}
