// Package amazonses is the adapter for Amazon SES, which calls through Amazon
// SNS.
//
// SNS signs what it posts (https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html),
// and signs for everybody who has a topic: which topics are the user's is said
// by [Config.TopicARNs], or proved by a shared secret in the URL.
package amazonses

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/verify/sns"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "amazonses"

// Config is what the adapter has to know. Its zero value is fine where the
// Dispatcher has a shared secret and no mail is received through S3.
type Config struct {
	// TopicARNs are the SNS topics to take messages from. If empty it is any
	// topic, and the Dispatcher must have a shared secret.
	TopicARNs []string
	// RequireSHA256 refuses signature version 1, which is made with SHA-1. SNS
	// uses it unless the topic's attribute SignatureVersion is 2.
	RequireSHA256 bool
	// Roots are the certificates, roots or intermediates, one of which must
	// have issued a signing certificate. If nil the issuer is not checked: a
	// certificate counts that SNS itself serves, over https, under its name.
	Roots *x509.CertPool
	// AcceptUnsigned takes requests that AWS does not sign if they carry the
	// shared secret: raw message delivery of SNS, and API destinations of
	// EventBridge. The Dispatcher must have a shared secret then.
	AcceptUnsigned bool
	// OnSubscription, if set, is called with each authentic
	// SubscriptionConfirmation instead of confirming it. An error makes SNS
	// ask again. If nil, a subscription is confirmed if the request carried
	// the shared secret, and otherwise refused.
	OnSubscription func(context.Context, *sns.Message) error
	// Objects gets messages that a receipt rule has stored in S3, from one of
	// Buckets; it is needed for such rules only. Package
	// github.com/goanymail/anymail/esp/amazonses/s3 has one.
	Objects ObjectGetter
	// Buckets are the names of the buckets that Objects may be asked for.
	Buckets []string
	// Client fetches signing certificates and confirms subscriptions. If nil,
	// a client with a timeout.
	Client *http.Client
	// Logger is told of subscriptions that were confirmed and, as a warning,
	// of those that were ended. If nil, it is [slog.Default].
	Logger *slog.Logger
}

// ObjectGetter gets objects from S3.
type ObjectGetter interface {
	// GetObject returns the content of an object. It returns an error that is
	// [io/fs.ErrNotExist] where there is no such object; any other error makes
	// SNS try again, for a minute unless the topic has another retry policy.
	GetObject(ctx context.Context, bucket, key string) (io.ReadCloser, error)
}

// Adapter is the adapter for one AWS account.
type Adapter struct {
	config Config
	sns    *sns.Verifier
}

// New returns an adapter. It returns an error that is [anymail.ErrConfig] where
// a topic is not an ARN of an SNS topic, or Objects is set without Buckets.
func New(config Config) (*Adapter, error) {
	for i, arn := range config.TopicARNs {
		if _, ok := sns.AWS(arn); !ok {
			return nil, anymail.Misconfigured(fmt.Sprintf("amazonses.Config.TopicARNs[%d]", i), "must be the ARN of an SNS topic")
		}
	}
	if config.Objects != nil && len(config.Buckets) == 0 {
		return nil, anymail.Misconfigured("amazonses.Config.Buckets", "must name the buckets of Objects")
	}
	return &Adapter{config, sns.New(sns.Options{
		TopicARNs:     config.TopicARNs,
		RequireSHA256: config.RequireSHA256,
		Roots:         config.Roots,
		Client:        config.Client,
	})}, nil
}

// ESP returns "amazonses".
func (*Adapter) ESP() string { return ESP }

// SNS gives up at any 4xx (https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html).
// A wrong address list can be mended, and a rate goes down by itself.
var mapStatus = esp.Replace(http.StatusServiceUnavailable, http.StatusForbidden, http.StatusTooManyRequests)

// Endpoints returns tracking and inbound. Either takes everything: SES says in
// each message what it is.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := anymail.Endpoint{
		Path:             "tracking",
		Verifier:         a.verifier(),
		Parser:           anymail.ParserFunc(a.parse),
		Handshake:        a.handshake,
		Window:           75 * time.Minute, // SNS signs when it was told, and may try for an hour
		RepeatsSignature: true,
		MaxBody:          4 << 20, // 256 KiB of message, in JSON escapes
		Challenge:        true,
		NeedsSecret:      len(a.config.TopicARNs) == 0 || a.config.AcceptUnsigned,
		MapStatus:        mapStatus,
	}
	inbound := tracking
	inbound.Path = "inbound"
	return []anymail.Endpoint{tracking, inbound}
}

// verifier takes what SNS has signed and, if told to, what looks like one of
// the two things that AWS does not sign.
func (a *Adapter) verifier() anymail.Verifier {
	if !a.config.AcceptUnsigned {
		return a.sns
	}
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		if _, err := sns.Parse(p.Body); err != nil && p.SecretProved && a.unsigned(p) {
			return anymail.Proof{}, nil
		}
		return a.sns.Verify(ctx, p)
	})
}

func (a *Adapter) unsigned(p *anymail.Payload) bool {
	if p.Header.Get("X-Amz-Sns-Rawdelivery") == "true" {
		topics := a.config.TopicARNs
		return len(topics) == 0 || slices.Contains(topics, p.Header.Get("X-Amz-Sns-Topic-Arn"))
	}
	var w record
	return wire.Unmarshal(p.Body, &w) == nil && w.enveloped()
}

// handshake answers what SNS has to say for itself.
func (a *Adapter) handshake(ctx context.Context, p *anymail.Payload) (*anymail.Reply, error) {
	if wire.StringMember(p.Body, "Type") == sns.Notification {
		return nil, nil // without reading all of it for that
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
		// The signature proves that it is somebody's topic, the list of topics
		// that the user knows it. Neither says that he asked for this.
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
