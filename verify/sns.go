package verify

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
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/fetch"
	"github.com/goanymail/anymail/wire"
)

// The values of [SNSMessage.Type].
const (
	SNSNotification             = "Notification"
	SNSSubscriptionConfirmation = "SubscriptionConfirmation"
	SNSUnsubscribeConfirmation  = "UnsubscribeConfirmation"
)

// SNSMessage is what Amazon SNS posts, except under raw message delivery,
// which is not signed. Source:
// https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html
type SNSMessage struct {
	Type             string // SNSNotification, for example
	MessageID        string `json:"MessageId"`
	TopicArn         string
	Subject          *string
	Message          string
	Timestamp        string // when it was published; see Time
	SignatureVersion string
	Signature        string
	SigningCertURL   string // not signed
	SubscribeURL     string // signed in confirmations only
	Token            string // signed in confirmations only
	UnsubscribeURL   string // not signed
}

// ParseSNS reads an [SNSMessage] from a body. Since the signature covers the
// decoded values, the JSON has to be unambiguous: names are compared exactly,
// and repeated names, invalid UTF-8 and values that are not strings are
// refused, with an error that is [anymail.ErrMalformed] as for anything else
// that is not an SNS message.
func ParseSNS(body []byte) (*SNSMessage, error) {
	m := new(SNSMessage)
	// The library would look for repeated names as well, but in everything: its
	// table of the names in a hostile body takes 15 times the body's memory.
	if json.Unmarshal(body, m, jsontext.AllowDuplicateNames(true)) == nil && !repeatsNames(body) {
		switch m.Type {
		case SNSNotification, SNSSubscriptionConfirmation, SNSUnsubscribeConfirmation:
			return m, nil
		}
	}
	return nil, anymail.Malformed("not an SNS message", nil) // the library's error would quote it
}

// maxSNSMembers is how many members a message may have. Amazon's have 12.
const maxSNSMembers = 64

// repeatsNames tells whether a JSON object has a name twice, or so many that it
// is no SNS message.
func repeatsNames(object []byte) bool {
	seen := make(map[string]struct{}, 16)
	for name := range wire.Members(object) {
		if _, repeated := seen[string(name)]; repeated || len(seen) == maxSNSMembers {
			return true
		}
		seen[string(name)] = struct{}{}
	}
	return false
}

// Time returns when the message was published, the same for every attempt to
// deliver it, or the zero time where that is unreadable.
func (m *SNSMessage) Time() time.Time {
	t, err := time.Parse(time.RFC3339, m.Timestamp)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// signed returns what the signature covers, or nil where a value holds a line
// break that could move the border between two values. Only Message may: what
// follows it can be told apart from the end backwards.
func (m *SNSMessage) signed() []byte {
	lines := []string{"Message", m.Message, "MessageId", m.MessageID}
	if m.Type == SNSNotification {
		if m.Subject != nil {
			lines = append(lines, "Subject", *m.Subject)
		}
		lines = append(lines, "Timestamp", m.Timestamp)
	} else {
		lines = append(lines, "SubscribeURL", m.SubscribeURL, "Timestamp", m.Timestamp, "Token", m.Token)
	}
	lines = append(lines, "TopicArn", m.TopicArn, "Type", m.Type)
	size := 0
	for i, line := range lines {
		if i != 1 && strings.Contains(line, "\n") {
			return nil
		}
		size += len(line) + 1
	}
	text := make([]byte, 0, size)
	for _, line := range lines {
		text = append(append(text, line...), '\n')
	}
	return text
}

// SNSService is where a service that speaks SNS keeps what a topic's messages
// refer to.
type SNSService struct {
	// CertificatePrefix is how the URL of a signing certificate begins. After
	// it come letters, digits and any of "-", "_", "." and "/".
	CertificatePrefix string
	// CertificateNames are DNS names, of which the certificate must have one.
	// They are not checked if empty.
	CertificateNames []string
	// APIHost is the host that a subscription is confirmed at.
	APIHost string
}

// awsPartitions says for the partition of a topic's ARN which domain it has
// and what its certificates are called. Regions since 2019 have a name of
// their own; GovCloud has one for both. Source: AWS SDK for Java 2,
// SnsHostProvider.
var awsPartitions = map[string]struct {
	domain string
	names  []string
}{
	"aws":        {"amazonaws.com", []string{"sns.amazonaws.com", "sns-signing.{region}.amazonaws.com"}},
	"aws-cn":     {"amazonaws.com.cn", []string{"sns-{region}.amazonaws.com.cn", "sns-signing.{region}.amazonaws.com.cn"}},
	"aws-us-gov": {"amazonaws.com", []string{"sns-us-gov-west-1.amazonaws.com", "sns-signing.{region}.amazonaws.com"}},
	"aws-eusc":   {"amazonaws.eu", []string{"sns-signing.{region}.amazonaws.eu"}},
	"aws-iso":    {"c2s.ic.gov", []string{"sns-{region}.c2s.ic.gov", "sns-signing.{region}.c2s.ic.gov"}},
	"aws-iso-b":  {"sc2s.sgov.gov", []string{"sns-{region}.sc2s.sgov.gov", "sns-signing.{region}.sc2s.sgov.gov"}},
	"aws-iso-e":  {"cloud.adc-e.uk", []string{"sns-signing.{region}.cloud.adc-e.uk"}},
	"aws-iso-f":  {"csp.hci.ic.gov", []string{"sns-signing.{region}.csp.hci.ic.gov"}},
}

// AWSSNS is the [SNSService] of Amazon itself, for a topic of any partition. It
// returns false where topicARN is not an ARN of Amazon SNS.
func AWSSNS(topicARN string) (SNSService, bool) {
	parts := strings.Split(topicARN, ":") // arn:aws:sns:eu-west-1:123456789012:topic
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "sns" {
		return SNSService{}, false
	}
	partition, ok := awsPartitions[parts[1]]
	region := parts[3]
	if !ok || region == "" || strings.Trim(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return SNSService{}, false // a dot in it would lead to somebody else's host
	}
	host := "sns." + region + "." + partition.domain
	service := SNSService{CertificatePrefix: "https://" + host + "/SimpleNotificationService-", APIHost: host}
	for _, name := range partition.names {
		service.CertificateNames = append(service.CertificateNames, strings.ReplaceAll(name, "{region}", region))
	}
	return service, true
}

// SNS verifies the signature of an Amazon SNS message, or of one from a service
// that speaks SNS, with the certificate that the message refers to. The zero
// value takes messages from Amazon that come with a shared secret.
//
// The certificate is fetched over https from the very host of the topic's
// region, must be in date and must be the service's by name, as in the strictest
// of Amazon's own validators (AWS SDK for Java 2, CertificateRetriever). Amazon
// serves it without the chain up to a root, so that Roots can only be checked
// where the user knows the certificate authority.
//
// Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
type SNS struct {
	// TopicARNs are the topics to take messages from. If empty, it is any
	// topic, but a request must carry a shared secret then: Amazon signs for
	// everybody who has a topic.
	TopicARNs []string
	// RequireSHA256 refuses signature version 1, which is made with SHA-1.
	// Amazon uses it unless the topic says otherwise.
	RequireSHA256 bool
	// Roots are the certificates, roots or intermediates, one of which must
	// have issued the signing certificate. Not checked if nil.
	Roots *x509.CertPool
	// Service is [AWSSNS] if nil.
	Service func(topicARN string) (SNSService, bool)
	// Client fetches certificates. If nil, a client with a timeout.
	Client *http.Client
}

var (
	errTopic       = anymail.Unauthenticated("not a topic that is configured")
	errNoTopics    = anymail.Unauthenticated("neither a topic is configured nor a shared secret given")
	errVersion     = anymail.Unauthenticated("signature version not accepted")
	errCertURL     = anymail.Unauthenticated("certificate URL not accepted")
	errCertificate = anymail.Unauthenticated("signing certificate not accepted")
	errNotSNS      = anymail.Unauthenticated("not an SNS message")
)

// Verifier returns the verifier that s describes. It keeps certificates for a
// day; make one and use it for all requests.
func (s SNS) Verifier() anymail.Verifier {
	s.TopicARNs = slices.Clone(s.TopicARNs)
	certs := &certificates{client: s.Client, roots: s.Roots, slots: make(chan struct{}, certMaxFetches)}
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		m, err := ParseSNS(p.Body)
		if err != nil {
			return anymail.Proof{}, errNotSNS
		}
		// What costs nothing comes first, so that not everybody can make this
		// side fetch something.
		service, err := s.service(m)
		if err != nil {
			return anymail.Proof{}, err
		}
		if len(s.TopicARNs) == 0 && !p.SecretProved {
			return anymail.Proof{}, errNoTopics
		}
		hash, signature, err := s.signature(m)
		if err != nil {
			return anymail.Proof{}, err
		}
		text, at := m.signed(), m.Time()
		if text == nil {
			return anymail.Proof{}, errNotSNS
		}
		if at.IsZero() {
			return anymail.Proof{}, errTimestamp
		}
		now := p.ReceivedAt
		if now.IsZero() {
			now = time.Now()
		}
		key, err := certs.key(ctx, service, m.SigningCertURL, now)
		if err != nil {
			Trace(ctx, func() Step {
				return Step{Offered: [][]byte{signature}, Content: [][]byte{text}, SignedAt: at, Err: err}
			})
			return anymail.Proof{}, err
		}
		// The nonce does not depend on the signature's version, nor on SHA-1.
		nonce := sha256.Sum256(text)
		digest := nonce[:]
		if hash == crypto.SHA1 {
			sum := sha1.Sum(text)
			digest = sum[:]
		}
		proof := anymail.Proof{SignedAt: at, Fingerprint: nonce[:]}
		if rsa.VerifyPKCS1v15(key, hash, digest, signature) != nil {
			proof, err = anymail.Proof{}, errMismatch
		}
		Trace(ctx, func() Step {
			a := publicKey{key, hash}.explain(&claim{signatures: [][]byte{signature}, chunks: [][]byte{text}})
			a.Kind += ", certificate " + m.SigningCertURL
			return Step{Offered: [][]byte{signature}, Content: [][]byte{text}, SignedAt: at, Attempts: []Attempt{a}, Err: err}
		})
		return proof, err
	})
}

// service returns the service that m's topic belongs to, if m may come from
// that topic at all.
func (s SNS) service(m *SNSMessage) (SNSService, error) {
	if len(s.TopicARNs) > 0 && !slices.Contains(s.TopicARNs, m.TopicArn) {
		return SNSService{}, errTopic
	}
	find := s.Service
	if find == nil {
		find = AWSSNS
	}
	service, ok := find(m.TopicArn)
	if !ok {
		return SNSService{}, errTopic
	}
	return service, nil
}

func (s SNS) signature(m *SNSMessage) (hash crypto.Hash, signature []byte, err error) {
	switch {
	case m.Signature == "":
		return 0, nil, errMissing
	case m.SignatureVersion == "2":
		hash = crypto.SHA256
	case m.SignatureVersion == "1" && !s.RequireSHA256:
		hash = crypto.SHA1
	default:
		return 0, nil, errVersion
	}
	if len(m.Signature) > maxSignatureText {
		return 0, nil, errEncoding
	}
	if signature, err = decodeBase64(m.Signature); err != nil {
		return 0, nil, errEncoding
	}
	return hash, signature, nil
}

// Confirm confirms the subscription that an authentic message asks to confirm,
// by a GET of its SubscribeURL, which has to be the service's own. It returns
// an error that is [anymail.ErrMalformed] where m is no such message, and
// [anymail.ErrUnavailable] where the service does not answer with success.
func (s SNS) Confirm(ctx context.Context, m *SNSMessage) error {
	service, err := s.service(m)
	if err != nil {
		return err
	}
	u, err := url.Parse(m.SubscribeURL)
	if err != nil || m.Type != SNSSubscriptionConfirmation {
		return anymail.Malformed("no subscription to confirm", nil)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || query.Get("Action") != "ConfirmSubscription" || query.Get("TopicArn") != m.TopicArn {
		return anymail.Malformed("the URL confirms something else", nil)
	}
	getter := fetch.Getter{Client: s.Client, Hosts: []string{service.APIHost}, MaxBytes: 64 << 10}
	_, err = getter.Get(ctx, m.SubscribeURL, nil)
	if errors.Is(err, fetch.ErrGone) {
		return anymail.Because(anymail.ErrUnavailable, "the service did not confirm", nil)
	}
	return err
}
