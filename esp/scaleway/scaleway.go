// Package scaleway is the adapter for Scaleway Transactional Email, which posts
// through Scaleway Topics and Events, a service that speaks SNS.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/scaleway.md
package scaleway

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/verify/sns"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "scaleway"

// Config configures the adapter. Its zero value works if the Dispatcher has a
// shared secret, but then nothing checks the signatures.
type Config struct {
	// TopicARNs are the topics to accept messages from. If empty, any topic is
	// accepted, and the Dispatcher must have a shared secret: Scaleway signs for
	// everyone who has a topic. They need Roots.
	TopicARNs []string
	// Roots are Scaleway's CA certificates in PEM, one of which must have issued a
	// signing certificate. If empty, signatures are not checked. Each text may
	// hold several. Source:
	// https://www.scaleway.com/en/docs/topics-and-events/reference-content/veriying-webhooks
	Roots []string
	// Client fetches signing certificates and confirms subscriptions. If nil, it
	// is a client with a timeout.
	Client *http.Client
	// Logger logs subscriptions that were confirmed and, as a warning, those that
	// were ended. If nil, it is [slog.Default].
	Logger *slog.Logger
}

// Adapter is the adapter for one Scaleway project.
type Adapter struct {
	config   Config
	sns      *sns.Verifier
	verifier anymail.Verifier
}

// New returns an adapter. It returns [anymail.ErrConfig] if a topic is not an ARN of
// a topic at Scaleway, if a root is not a certificate in PEM, or if TopicARNs is set
// without Roots.
func New(config Config) (*Adapter, error) {
	for i, arn := range config.TopicARNs {
		if _, ok := Service(arn); !ok {
			return nil, anymail.Misconfigured(fmt.Sprintf("scaleway.Config.TopicARNs[%d]", i), "must be the ARN of a topic at Scaleway")
		}
	}
	if len(config.TopicARNs) > 0 && len(config.Roots) == 0 {
		return nil, anymail.Misconfigured("scaleway.Config.Roots", "must be set with TopicARNs, which prove nothing unless signatures are checked")
	}
	roots := x509.NewCertPool()
	for i, text := range config.Roots {
		if !roots.AppendCertsFromPEM([]byte(text)) {
			return nil, anymail.Misconfigured(fmt.Sprintf("scaleway.Config.Roots[%d]", i), "must be a certificate in PEM")
		}
	}
	options := sns.Options{TopicARNs: config.TopicARNs, Service: Service, Roots: roots, Client: config.Client}
	a := &Adapter{config: config, sns: sns.New(options)}
	if len(config.Roots) > 0 {
		options.Service = inParis
		a.verifier = verify.Any(a.sns, sns.New(options))
	}
	return a, nil
}

// topicARN matches the ARN of a topic, with its region.
var topicARN = regexp.MustCompile(`^arn:scw:sns:([a-z]{2}-[a-z]{3}):[^:]+:[^:]+$`)

// Service returns the [sns.Service] of a topic at Scaleway. It returns false if
// topicARN is not the ARN of one.
//
// Sources:
// https://www.scaleway.com/en/docs/topics-and-events/reference-content/veriying-webhooks,
// https://www.scaleway.com/en/docs/topics-and-events/how-to/create-manage-subscriptions
func Service(arn string) (sns.Service, bool) {
	m := topicARN.FindStringSubmatch(arn)
	if m == nil {
		return sns.Service{}, false
	}
	return sns.Service{
		CertificatePrefix: "https://messaging.s3." + m[1] + ".scw.cloud/",
		APIHost:           "sns.mnq." + m[1] + ".scaleway.com",
	}, true
}

// inParis is the [Service] of a topic in another region whose certificates are where
// Scaleway keeps the CA certificates of every region.
func inParis(arn string) (sns.Service, bool) {
	const prefix = "https://messaging.s3.fr-par.scw.cloud/"
	s, ok := Service(arn)
	if s.CertificatePrefix == prefix {
		return sns.Service{}, false // the first verifier has tried it
	}
	s.CertificatePrefix = prefix
	return s, ok
}

// ESP returns "scaleway".
func (*Adapter) ESP() string { return ESP }

// Scaleway does not document what it takes a 4xx for. SNS gives up at any, and a
// retry can succeed after the user fixes an address list, or the rate drops.
var mapStatus = esp.Replace(http.StatusServiceUnavailable, http.StatusForbidden, http.StatusTooManyRequests)

// Endpoints returns tracking.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{{
		Path:             "tracking",
		Verifier:         a.verifier,
		Parser:           anymail.ParserFunc(parse),
		Handshake:        a.handshake,
		Window:           24 * time.Hour, // the time of publication is signed, and retries are not documented
		RepeatsSignature: true,
		MaxBody:          4 << 20, // 256 KiB of message, in JSON escapes
		Challenge:        true,
		NeedsSecret:      len(a.config.TopicARNs) == 0,
		MapStatus:        mapStatus,
	}}
}

// handshake answers the messages about subscriptions.
func (a *Adapter) handshake(ctx context.Context, p *anymail.Payload) (*anymail.Reply, error) {
	if wire.StringMember(p.Body, "Type") == sns.Notification {
		return nil, nil // without reading all of it
	}
	m, err := sns.Parse(p.Body)
	if err != nil {
		return nil, nil //nolint:nilerr // the parser reports it
	}
	topic := []any{slog.String("name", p.Name), slog.String("topic", m.TopicArn)}
	switch m.Type {
	case sns.SubscriptionConfirmation:
		if !p.SecretProved {
			// The topic may be the user's, but nothing proves that the user asked
			// for the subscription.
			return nil, anymail.Unauthenticated("a subscription is confirmed only with a shared secret")
		}
		if err := a.sns.Confirm(ctx, m); err != nil {
			return nil, err
		}
		a.logger().InfoContext(ctx, "anymail: Scaleway subscription confirmed", topic...)
		return &anymail.Reply{}, nil
	case sns.UnsubscribeConfirmation:
		a.logger().WarnContext(ctx, "anymail: Scaleway ended a subscription; its topic's events do not come any more", topic...)
		return &anymail.Reply{}, nil
	}
	return nil, nil
}

func (a *Adapter) logger() *slog.Logger {
	if a.config.Logger != nil {
		return a.config.Logger
	}
	return slog.Default()
}
