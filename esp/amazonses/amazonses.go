// Package amazonses is the adapter for Amazon SES, which posts through Amazon
// SNS.
//
// SNS signs its requests (https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html),
// but it signs for everyone who has a topic. [Config.TopicARNs] or a shared secret
// in the URL proves that a topic is the user's.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/amazonses.md
package amazonses

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/verify/sns"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "amazonses"

// Config configures the adapter. Its zero value works if the Dispatcher has a
// shared secret and no mail is received through S3.
type Config struct {
	// TopicARNs are the SNS topics to accept messages from. If empty, any topic
	// is accepted, and the Dispatcher must have a shared secret.
	TopicARNs []string
	// RequireSHA256 refuses signature version 1, which is made with SHA-1. SNS
	// uses it unless the topic's attribute SignatureVersion is 2.
	RequireSHA256 bool
	// Roots are the certificates, roots or intermediates, one of which must
	// have issued a signing certificate. If nil, the issuer is not checked: a
	// certificate is valid if SNS itself serves it, over https, under its name.
	Roots *x509.CertPool
	// AcceptUnsigned accepts requests that AWS does not sign if they have the
	// shared secret: raw message delivery of SNS, and API destinations of
	// EventBridge. The Dispatcher must have a shared secret.
	AcceptUnsigned bool
	// InsecureTestCertificates are certificates, in PEM, that sign messages for
	// tests in place of Amazon's: "anymail trigger amazonses --new-key FILE"
	// makes one. Any client with the private key can forge messages. So they
	// count only for requests from loopback and private addresses, they must not
	// be valid for more than [MaxTestValidity], and a Dispatcher with RequireTLS
	// refuses the adapter. Leave them out in production.
	InsecureTestCertificates []string
	// OnSubscription, if set, is called with each authentic
	// SubscriptionConfirmation instead of confirming it. An error makes SNS
	// retry. If nil, a subscription is confirmed if the request has the shared
	// secret, and otherwise refused.
	OnSubscription func(context.Context, *sns.Message) error
	// Objects gets messages that a receipt rule has stored in S3, from one of
	// Buckets. Only such rules need it. Package
	// github.com/goanymail/anymail/esp/amazonses/s3 has one.
	Objects ObjectGetter
	// Buckets are the names of the buckets that Objects may read.
	Buckets []string
	// Client fetches signing certificates and confirms subscriptions. If nil,
	// it is a client with a timeout.
	Client *http.Client
	// Logger logs subscriptions that were confirmed and, as a warning, those
	// that were ended. If nil, it is [slog.Default].
	Logger *slog.Logger
}

// MaxTestValidity is for how long a test certificate may be valid, so that one that
// is left in a configuration expires.
const MaxTestValidity = 30 * 24 * time.Hour

// ObjectGetter gets objects from S3.
type ObjectGetter interface {
	// GetObject returns the content of an object. It returns
	// [io/fs.ErrNotExist] if there is no such object. Any other error makes SNS
	// retry, for a minute unless the topic has another retry policy.
	GetObject(ctx context.Context, bucket, key string) (io.ReadCloser, error)
}

// Adapter is the adapter for one AWS account.
type Adapter struct {
	config Config
	sns    *sns.Verifier
}

// New returns an adapter. It returns [anymail.ErrConfig] if a topic is not an ARN
// of an SNS topic, if Objects is set without Buckets, or if a test certificate is
// invalid, is valid for too long or is set together with Roots.
func New(config Config) (*Adapter, error) {
	for i, arn := range config.TopicARNs {
		if _, ok := sns.AWS(arn); !ok {
			return nil, anymail.Misconfigured(fmt.Sprintf("amazonses.Config.TopicARNs[%d]", i), "must be the ARN of an SNS topic")
		}
	}
	if config.Objects != nil && len(config.Buckets) == 0 {
		return nil, anymail.Misconfigured("amazonses.Config.Buckets", "must name the buckets of Objects")
	}
	var tests []*x509.Certificate
	for i, text := range config.InsecureTestCertificates {
		cert, err := parseTestCertificate(text)
		if err == nil && config.Roots != nil {
			err = errors.New("must not be set together with Roots")
		}
		if err != nil {
			return nil, anymail.Misconfigured(fmt.Sprintf("amazonses.Config.InsecureTestCertificates[%d]", i), "%w", err)
		}
		tests = append(tests, cert)
	}
	return &Adapter{config, sns.New(sns.Options{
		TopicARNs:        config.TopicARNs,
		RequireSHA256:    config.RequireSHA256,
		Roots:            config.Roots,
		TestCertificates: tests,
		Client:           config.Client,
	})}, nil
}

func parseTestCertificate(text string) (*x509.Certificate, error) {
	var cert *x509.Certificate
	if block, _ := pem.Decode([]byte(text)); block != nil {
		cert, _ = x509.ParseCertificate(block.Bytes)
	}
	if cert == nil {
		return nil, errors.New("must be a certificate in PEM")
	}
	if _, ok := cert.PublicKey.(*rsa.PublicKey); !ok {
		return nil, errors.New("must have an RSA key")
	}
	if cert.NotAfter.Sub(cert.NotBefore) > MaxTestValidity {
		return nil, fmt.Errorf("must not be valid for more than %d days", MaxTestValidity/(24*time.Hour))
	}
	return cert, nil
}

// ESP returns "amazonses".
func (*Adapter) ESP() string { return ESP }

// SNS gives up at any 4xx (https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html).
// A retry can succeed after the user fixes an address list, or the rate drops.
var mapStatus = esp.Replace(http.StatusServiceUnavailable, http.StatusForbidden, http.StatusTooManyRequests)

// Endpoints returns tracking and inbound. Both accept everything: each message of
// SES says what it is.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := anymail.Endpoint{
		Path:             "tracking",
		Patience:         patience,
		Verifier:         a.verifier(),
		Parser:           anymail.ParserFunc(a.parse),
		Handshake:        a.handshake,
		Window:           75 * time.Minute, // SNS signs the time of publication, and may retry for an hour
		RepeatsSignature: true,
		MaxBody:          4 << 20, // 256 KiB of message, in JSON escapes
		Challenge:        true,
		NeedsSecret:      len(a.config.TopicARNs) == 0 || a.config.AcceptUnsigned,
		TestOnly:         len(a.config.InsecureTestCertificates) > 0,
		MapStatus:        mapStatus,
	}
	inbound := tracking
	inbound.Path = "inbound"
	return []anymail.Endpoint{tracking, inbound}
}

// ReasonRawDelivery is why a request is refused that SNS made with raw message
// delivery, which it does not sign.
const ReasonRawDelivery anymail.Reason = "raw message delivery is switched on for this subscription"

var (
	errRawDelivery  = anymail.Because(anymail.ErrUnauthenticated, ReasonRawDelivery, errors.New("switch it off, or set AcceptUnsigned"))
	errRawNoSecret  = anymail.Because(anymail.ErrUnauthenticated, ReasonRawDelivery, errors.New("AcceptUnsigned needs the shared secret in the subscription's URL"))
	errRawFromOther = anymail.Because(anymail.ErrUnauthenticated, sns.ReasonTopic, errors.New("raw message delivery of another topic"))
)

// verifier accepts what SNS has signed and, with AcceptUnsigned, requests in the
// two formats that AWS does not sign.
func (a *Adapter) verifier() anymail.Verifier {
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		raw := strings.EqualFold(p.Header.Get("X-Amz-Sns-Rawdelivery"), "true")
		if !raw && !a.config.AcceptUnsigned {
			return a.sns.Verify(ctx, p)
		}
		_, notSNS := sns.Parse(p.Body)
		switch {
		case notSNS == nil:
		case raw:
			return anymail.Proof{}, a.acceptRaw(p)
		case p.SecretProved && enveloped(p.Body):
			return anymail.Proof{}, nil
		}
		return a.sns.Verify(ctx, p)
	})
}

// acceptRaw returns nil if a request of raw message delivery is acceptable.
func (a *Adapter) acceptRaw(p *anymail.Payload) error {
	topics := a.config.TopicARNs
	switch {
	case !a.config.AcceptUnsigned:
		return errRawDelivery
	case !p.SecretProved:
		return errRawNoSecret
	case len(topics) > 0 && !slices.Contains(topics, p.Header.Get("X-Amz-Sns-Topic-Arn")):
		return errRawFromOther
	}
	return nil
}

// enveloped reports whether body is a record in EventBridge's envelope.
func enveloped(body []byte) bool {
	var w record
	return wire.Unmarshal(body, &w) == nil && w.enveloped()
}

// handshake answers the messages about subscriptions.
func (a *Adapter) handshake(ctx context.Context, p *anymail.Payload) (*anymail.Reply, error) {
	if wire.StringMember(p.Body, "Type") == sns.Notification {
		return nil, nil // without reading all of it
	}
	m, err := sns.Parse(p.Body)
	switch {
	case err == nil && m.Type == sns.SubscriptionConfirmation:
		return &anymail.Reply{}, a.subscribe(ctx, p, m)
	case err == nil && m.Type == sns.UnsubscribeConfirmation:
		a.logger().WarnContext(ctx, "anymail: Amazon SNS ended a subscription; its topic's events do not come any more",
			slog.String("name", p.Name), slog.String("topic", m.TopicArn))
		return &anymail.Reply{}, nil
	}
	return nil, nil
}

func (a *Adapter) subscribe(ctx context.Context, p *anymail.Payload, m *sns.Message) error {
	switch {
	case a.config.OnSubscription != nil:
		return a.config.OnSubscription(ctx, m)
	case !p.SecretProved:
		// The signature proves that it is a topic, and the list that it is the
		// user's. Neither proves that the user asked for the subscription.
		return anymail.Unauthenticated("a subscription is confirmed only with a shared secret")
	}
	if err := a.sns.Confirm(ctx, m); err != nil {
		return err
	}
	a.logger().InfoContext(ctx, "anymail: Amazon SNS subscription confirmed",
		slog.String("name", p.Name), slog.String("topic", m.TopicArn))
	return nil
}

func (a *Adapter) logger() *slog.Logger {
	if a.config.Logger != nil {
		return a.config.Logger
	}
	return slog.Default()
}
