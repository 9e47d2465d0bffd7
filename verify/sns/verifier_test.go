package sns_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify/sns"
)

const (
	topic   = "arn:aws:sns:eu-west-1:123456789012:demo"
	certURL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
)

// testTime is within the lifetime of the certificates that the tests make.
var testTime = time.Date(2026, 9, 21, 14, 13, 21, 0, time.UTC)

var serial atomic.Int64

// authority plays a certificate authority and the SNS service that it serves.
type authority struct {
	key  *rsa.PrivateKey // signs messages, and certificates
	cert *x509.Certificate
}

var newAuthority = sync.OnceValue(func() *authority {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	a := &authority{key: key}
	a.cert, err = x509.ParseCertificate(a.issue(&x509.Certificate{IsCA: true, BasicConstraintsValid: true}, &key.PublicKey))
	if err != nil {
		panic(err)
	}
	return a
})

// otherKey is a key that is not the authority's.
var otherKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// issue makes a certificate from template, in DER, valid for a year around
// testTime unless template says otherwise.
func (a *authority) issue(template *x509.Certificate, public crypto.PublicKey) []byte {
	template.SerialNumber = big.NewInt(serial.Add(1))
	template.Subject.CommonName = "certificate " + template.SerialNumber.String()
	if template.NotBefore.IsZero() {
		template.NotBefore, template.NotAfter = testTime.AddDate(0, -6, 0), testTime.AddDate(0, 6, 0)
	}
	parent := a.cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, a.key)
	if err != nil {
		panic(err)
	}
	return der
}

// leaf returns the PEM of a signing certificate for a's own key.
func (a *authority) leaf(names ...string) []byte {
	return certPEM(a.issue(&x509.Certificate{DNSNames: names}, &a.key.PublicKey))
}

func certPEM(ders ...[]byte) (text []byte) {
	for _, der := range ders {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return text
}

// sign signs the content that the documentation defines, as version requires.
func (a *authority) sign(m *sns.Message, version string) {
	m.SignatureVersion = version
	text := "Message\n" + m.Message + "\nMessageId\n" + m.MessageID + "\n"
	if m.Type == "Notification" {
		if m.Subject != nil {
			text += "Subject\n" + *m.Subject + "\n"
		}
		text += "Timestamp\n" + m.Timestamp + "\n"
	} else {
		text += "SubscribeURL\n" + m.SubscribeURL + "\nTimestamp\n" + m.Timestamp + "\nToken\n" + m.Token + "\n"
	}
	text += "TopicArn\n" + m.TopicArn + "\nType\n" + m.Type + "\n"
	hash := crypto.SHA256
	if version == "1" {
		hash = crypto.SHA1
	}
	h := hash.New()
	_, _ = io.WriteString(h, text)
	signature, err := rsa.SignPKCS1v15(nil, a.key, hash, h.Sum(nil))
	if err != nil {
		panic(err)
	}
	m.Signature = base64.StdEncoding.EncodeToString(signature)
}

// server serves what a test sets, and counts requests.
type server struct {
	asked atomic.Int32
	serve func(*http.Request) (status int, body []byte, err error)
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked.Add(1)
	status, body, err := s.serve(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
}

func (s *server) client() *http.Client { return &http.Client{Transport: s} }

func serving(body []byte) *server {
	return &server{serve: func(*http.Request) (int, []byte, error) { return 200, body, nil }}
}

// refuses checks that v refuses p with an error of that text and returns no
// proof.
func refuses(t *testing.T, v anymail.Verifier, p *anymail.Payload, want string) {
	t.Helper()
	proof, err := v.Verify(t.Context(), p)
	require.EqualError(t, err, want)
	if strings.HasPrefix(want, "not authenticated") {
		require.ErrorIs(t, err, anymail.ErrUnauthenticated)
	}
	require.Empty(t, cmp.Diff(anymail.Proof{}, proof))
}

// proves checks that v accepts p, and returns the proof.
func proves(t *testing.T, v anymail.Verifier, p *anymail.Payload) anymail.Proof {
	t.Helper()
	proof, err := v.Verify(t.Context(), p)
	require.NoError(t, err)
	return proof
}

func sha256Of(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

func unhex(t *testing.T, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	require.NoError(t, err)
	return b
}

func pointer[T any](v T) *T { return &v }

// notification returns an unsigned message for the tests to change.
func notification() *sns.Message {
	return &sns.Message{
		Type:           "Notification",
		MessageID:      "11111111-2222-5333-8444-555555555555",
		TopicArn:       topic,
		Message:        "{\"eventType\":\"Send\"}\nline2 é",
		Timestamp:      "2026-09-21T14:13:20.123Z",
		SigningCertURL: certURL,
		UnsubscribeURL: "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
	}
}

func confirmation() *sns.Message {
	return &sns.Message{
		Type:           "SubscriptionConfirmation",
		MessageID:      "66666666-7777-5888-8999-aaaaaaaaaaaa",
		TopicArn:       topic,
		Message:        "You have chosen to subscribe to the topic.",
		Timestamp:      "2026-09-21T14:13:20.123Z",
		SigningCertURL: certURL,
		Token:          "tok123",
		SubscribeURL:   "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" + topic + "&Token=tok123",
	}
}

func posted(t testing.TB, m any) *anymail.Payload {
	t.Helper()
	body, err := json.Marshal(m)
	require.NoError(t, err)
	return &anymail.Payload{Body: body, ReceivedAt: testTime}
}

func TestVerify(t *testing.T) {
	signedAt := time.Date(2026, 9, 21, 14, 13, 20, 123e6, time.UTC)
	withSubject := notification()
	withSubject.Subject = pointer("Hi")
	unsubscribed := confirmation()
	unsubscribed.Type = "UnsubscribeConfirmation"
	tests := []struct {
		name string
		m    *sns.Message
		// digest is that of the string to sign, computed independently.
		digest string
	}{
		{"notification", notification(), "8e1126c9cec32bcb0c8ea0d7d7e0bfc21f58add4d552f2d2c9152c8d89b99ad1"},
		{"with subject", withSubject, "0f2466302a8fd491ccf7a51561853948e0f43fd84ed13ebde11868c662006bb5"},
		{"confirmation", confirmation(), "0a6e731a60a2509b74e30fd033cacdb25ea88c9596b7f7c6858622a86e521bb4"},
		{"unsubscribed", unsubscribed, hex.EncodeToString(sha256Of(
			"Message\nYou have chosen to subscribe to the topic.\nMessageId\n66666666-7777-5888-8999-aaaaaaaaaaaa\n" +
				"SubscribeURL\nhttps://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-west-1:123456789012:demo&Token=tok123\n" +
				"Timestamp\n2026-09-21T14:13:20.123Z\nToken\ntok123\nTopicArn\narn:aws:sns:eu-west-1:123456789012:demo\nType\nUnsubscribeConfirmation\n"))},
	}
	a := newAuthority()
	for _, tt := range tests {
		for _, version := range []string{"1", "2"} {
			t.Run(tt.name+" "+version, func(t *testing.T) {
				s := serving(a.leaf("sns.amazonaws.com"))
				v := sns.New(sns.Options{TopicARNs: []string{"arn:aws:sns:eu-west-1:123456789012:other", topic}, Client: s.client()})
				a.sign(tt.m, version)
				// The fingerprint is the same for both versions.
				want := anymail.Proof{SignedAt: signedAt, Fingerprint: unhex(t, tt.digest)}
				require.Empty(t, cmp.Diff(want, proves(t, v, posted(t, tt.m))))
				require.Empty(t, cmp.Diff(want, proves(t, v, posted(t, tt.m))))
				require.EqualValues(t, 1, s.asked.Load(), "the certificate is kept")
			})
		}
	}
}

// The errors that verifiers return, as the log shows them.
const (
	noSignature = "not authenticated: no signature"
	encoding    = "not authenticated: signature is not well encoded"
	mismatch    = "not authenticated: signature mismatch"
	timestamp   = "not authenticated: no readable timestamp"
	notSNS      = "not authenticated: not an SNS message"
	badTopic    = "not authenticated: not a topic that is configured"
	noTopics    = "not authenticated: neither a topic is configured nor a shared secret given"
	badVersion  = "not authenticated: signature version not accepted"
	badCertURL  = "not authenticated: certificate URL not accepted"
	badCert     = "not authenticated: signing certificate not accepted"
	unavailable = "unavailable: fetch from the ESP: "
)

func TestVerifyRefuses(t *testing.T) {
	a := newAuthority()
	good := func(change func(*sns.Message)) func() any {
		return func() any {
			m := notification()
			m.Subject = pointer("Hi")
			a.sign(m, "2")
			change(m)
			return m
		}
	}
	resigned := func(change func(*sns.Message)) func() any {
		return func() any {
			m := notification()
			change(m)
			a.sign(m, "2")
			return m
		}
	}
	type M = sns.Message
	tests := []struct {
		name  string
		make  func() any
		want  string
		fetch bool // whether the certificate is fetched
	}{
		{"another message", good(func(m *M) { m.Message += " " }), mismatch, true},
		{"another id", good(func(m *M) { m.MessageID = "1" }), mismatch, true},
		{"another time", good(func(m *M) { m.Timestamp = "2026-09-21T14:13:20.124Z" }), mismatch, true},
		{"another subject", good(func(m *M) { m.Subject = pointer("Ho") }), mismatch, true},
		{"no subject", good(func(m *M) { m.Subject = nil }), mismatch, true},
		{"empty subject", good(func(m *M) { m.Subject = pointer("") }), mismatch, true},
		{"another type", good(func(m *M) { m.Type = "SubscriptionConfirmation" }), mismatch, true},
		{"another configured topic", good(func(m *M) { m.TopicArn = topic + "2" }), mismatch, true},
		{"other topic", resigned(func(m *M) { m.TopicArn = "arn:aws:sns:eu-west-1:999999999999:demo" }), badTopic, false},
		{"topic with more", resigned(func(m *M) { m.TopicArn = topic + ":x" }), badTopic, false},
		{"unknown type", resigned(func(m *M) { m.Type = "Hello" }), notSNS, false},
		{"no type", resigned(func(m *M) { m.Type = "" }), notSNS, false},
		{"line break in the id", resigned(func(m *M) { m.MessageID = "1\nSubject\nx" }), notSNS, false},
		{"line break in the subject", resigned(func(m *M) { m.Subject = pointer("a\nb") }), notSNS, false},
		{"line break in the time", resigned(func(m *M) { m.Timestamp += "\n" }), notSNS, false},
		{"no time", resigned(func(m *M) { m.Timestamp = "" }), timestamp, false},
		{"unreadable time", resigned(func(m *M) { m.Timestamp = "yesterday" }), timestamp, false},
		{"no signature", good(func(m *M) { m.Signature = "" }), noSignature, false},
		{"signature not base64", good(func(m *M) { m.Signature = "!" + m.Signature[1:] }), encoding, false},
		{"signature with line breaks", good(func(m *M) { m.Signature = m.Signature[:76] + "\n" + m.Signature[76:] }), encoding, false},
		{"signature too long", good(func(m *M) { m.Signature = strings.Repeat("AAAA", 1000) }), encoding, false},
		{"signature truncated", good(func(m *M) { m.Signature = m.Signature[:len(m.Signature)-4] }), mismatch, true},
		{"no version", good(func(m *M) { m.SignatureVersion = "" }), badVersion, false},
		{"version 3", good(func(m *M) { m.SignatureVersion = "3" }), badVersion, false},
		{"version 2 given as 1", good(func(m *M) { m.SignatureVersion = "1" }), mismatch, true},

		{"certificate by http", good(func(m *M) { m.SigningCertURL = "http" + m.SigningCertURL[5:] }), badCertURL, false},
		{"certificate of nobody", good(func(m *M) { m.SigningCertURL = "" }), badCertURL, false},
		{"certificate elsewhere", good(func(m *M) { m.SigningCertURL = "https://sns.example.com/SimpleNotificationService-1.pem" }), badCertURL, false},
		{"certificate of another region", good(func(m *M) { m.SigningCertURL = strings.Replace(certURL, "eu-west-1", "us-east-1", 1) }), badCertURL, false},
		{"certificate of another partition", good(func(m *M) { m.SigningCertURL = strings.Replace(certURL, ".com/", ".com.cn/", 1) }), badCertURL, false},
		{"certificate in a bucket", good(func(m *M) {
			m.SigningCertURL = strings.Replace(certURL, "sns.eu-west-1", "s3.eu-west-1", 1)
		}), badCertURL, false},
		{"certificate host with more", good(func(m *M) {
			m.SigningCertURL = strings.Replace(certURL, ".com/", ".com.example.org/", 1)
		}), badCertURL, false},
		{"certificate with userinfo", good(func(m *M) {
			m.SigningCertURL = strings.Replace(certURL, "https://", "https://user@", 1)
		}), badCertURL, false},
		{"certificate behind userinfo", good(func(m *M) {
			m.SigningCertURL = strings.Replace(certURL, ".com/", ".com@example.org/", 1)
		}), badCertURL, false},
		{"certificate with a port", good(func(m *M) { m.SigningCertURL = strings.Replace(certURL, ".com/", ".com:8443/", 1) }), badCertURL, false},
		{"certificate with a query", good(func(m *M) { m.SigningCertURL += "?x=1" }), badCertURL, false},
		{"certificate with a fragment", good(func(m *M) { m.SigningCertURL += "#x" }), badCertURL, false},
		{"certificate with an escape", good(func(m *M) { m.SigningCertURL = strings.Replace(certURL, "0123", "%30123", 1) }), badCertURL, false},
		{"certificate up the path", good(func(m *M) { m.SigningCertURL = strings.Replace(certURL, "0123", "x/../y", 1) }), badCertURL, false},
		{"certificate of another path", good(func(m *M) { m.SigningCertURL = strings.Replace(certURL, "/Simple", "/a/Simple", 1) }), badCertURL, false},
		{"certificate with a blank before", good(func(m *M) { m.SigningCertURL = " " + certURL }), badCertURL, false},
		{"certificate of a long name", good(func(m *M) { m.SigningCertURL = strings.Replace(certURL, "0123", strings.Repeat("0123", 100), 1) }), badCertURL, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serving(a.leaf("sns.amazonaws.com"))
			v := sns.New(sns.Options{TopicARNs: []string{topic, topic + "2"}, Client: s.client()})
			refuses(t, v, posted(t, tt.make()), tt.want)
			require.Equal(t, tt.fetch, s.asked.Load() == 1, "requests: %d", s.asked.Load())
		})
	}
}

// If any value could hold a line break, a message could be split differently:
// here the sender of an authentic one has put another's fields into Message.
func TestAmbiguity(t *testing.T) {
	a := newAuthority()
	v := sns.New(sns.Options{TopicARNs: []string{topic}, Client: serving(a.leaf("sns.amazonaws.com")).client()})
	m := notification()
	m.Message = "forged\nMessageId\n1"
	m.MessageID = "2"
	a.sign(m, "2")
	proves(t, v, posted(t, m))
	m.Message, m.MessageID = "forged", "1\nMessageId\n2"
	refuses(t, v, posted(t, m), notSNS)
}

func TestRequireSHA256(t *testing.T) {
	a := newAuthority()
	v := sns.New(sns.Options{TopicARNs: []string{topic}, RequireSHA256: true, Client: serving(a.leaf("sns.amazonaws.com")).client()})
	m := notification()
	a.sign(m, "1")
	refuses(t, v, posted(t, m), badVersion)
	a.sign(m, "2")
	proves(t, v, posted(t, m))
}

// Amazon signs for everyone: without a topic a shared secret is required.
func TestAnyTopic(t *testing.T) {
	a := newAuthority()
	s := serving(a.leaf("sns.amazonaws.com"))
	v := sns.New(sns.Options{Client: s.client()})
	m := notification()
	a.sign(m, "2")
	p := posted(t, m)
	refuses(t, v, p, noTopics)
	require.Zero(t, s.asked.Load())
	p.SecretProved = true
	proves(t, v, p)
}

func TestConfirm(t *testing.T) {
	type M = sns.Message
	tests := []struct {
		name   string
		change func(*M)
		status int
		asked  bool
		err    error
	}{
		{"confirmed", func(*M) {}, 200, true, nil},
		{"token expired", func(*M) {}, 400, true, anymail.ErrUnavailable},
		{"topic gone", func(*M) {}, 404, true, anymail.ErrUnavailable},
		{"a notification", func(m *M) { m.Type = "Notification" }, 200, false, anymail.ErrMalformed},
		{"an end", func(m *M) { m.Type = "UnsubscribeConfirmation" }, 200, false, anymail.ErrMalformed},
		{"another topic", func(m *M) { m.TopicArn += "2" }, 200, false, anymail.ErrUnauthenticated},
		{"URL of another topic", func(m *M) { m.SubscribeURL = strings.Replace(m.SubscribeURL, ":demo", ":other", 1) }, 200, false, anymail.ErrMalformed},
		{"another action", func(m *M) { m.SubscribeURL = strings.Replace(m.SubscribeURL, "Confirm", "X", 1) }, 200, false, anymail.ErrMalformed},
		{"another host", func(m *M) { m.SubscribeURL = strings.Replace(m.SubscribeURL, "amazonaws.com", "example.com", 1) }, 200, false, anymail.ErrMalformed},
		{"another region", func(m *M) { m.SubscribeURL = strings.Replace(m.SubscribeURL, "sns.eu", "sns.us", 1) }, 200, false, anymail.ErrMalformed},
		{"http", func(m *M) { m.SubscribeURL = "http" + m.SubscribeURL[5:] }, 200, false, anymail.ErrMalformed},
		{"no URL", func(m *M) { m.SubscribeURL = "" }, 200, false, anymail.ErrMalformed},
		{"not a URL", func(m *M) { m.SubscribeURL = "https://%zz" }, 200, false, anymail.ErrMalformed},
		{"unreadable query", func(m *M) { m.SubscribeURL += "&x=%zz" }, 200, false, anymail.ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := confirmation()
			s := &server{serve: func(r *http.Request) (int, []byte, error) {
				require.Equal(t, http.MethodGet, r.Method)
				require.Equal(t, confirmation().SubscribeURL, r.URL.String())
				return tt.status, nil, nil
			}}
			tt.change(m)
			err := sns.New(sns.Options{TopicARNs: []string{topic}, Client: s.client()}).Confirm(t.Context(), m)
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.asked, s.asked.Load() == 1)
			if err != nil {
				require.NotContains(t, err.Error(), "tok123")
			}
		})
	}
}

// A test certificate counts for clients on this machine or network, in date, for
// what it has signed, and if it was configured. Nothing is fetched for it.
func TestTestCertificates(t *testing.T) {
	a := newAuthority()
	leaf := func(template x509.Certificate) *x509.Certificate {
		cert, err := x509.ParseCertificate(a.issue(&template, &a.key.PublicKey))
		require.NoError(t, err)
		return cert
	}
	const refused = "not authenticated: signing certificate not accepted: a test certificate counts only while it is valid, and for requests from loopback and private addresses"
	current := leaf(x509.Certificate{})
	tests := []struct {
		name       string
		cert       *x509.Certificate
		configured bool
		from       string
		want       string
	}{
		{"loopback", current, true, "127.0.0.1", ""},
		{"loopback, IPv6", current, true, "::1", ""},
		{"private", current, true, "172.17.0.1", ""},
		{"private, IPv6", current, true, "fd00::1", ""},
		{"private, IPv4 in IPv6", current, true, "::ffff:10.0.0.1", ""},
		{"public", current, true, "203.0.113.9", refused},
		{"public, IPv6", current, true, "2001:db8::1", refused},
		{"no address", current, true, "", refused},
		{"not configured", current, false, "127.0.0.1", badCert},
		{"expired", leaf(x509.Certificate{NotBefore: testTime.AddDate(0, 0, -9), NotAfter: testTime.Add(-time.Second)}), true, "127.0.0.1", refused},
		{"not yet valid", leaf(x509.Certificate{NotBefore: testTime.Add(time.Second), NotAfter: testTime.AddDate(0, 0, 9)}), true, "127.0.0.1", refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &server{serve: func(*http.Request) (int, []byte, error) { return http.StatusNotFound, nil, nil }}
			options := sns.Options{TopicARNs: []string{topic}, Client: s.client()}
			if tt.configured {
				options.TestCertificates = []*x509.Certificate{leaf(x509.Certificate{}), tt.cert}
			}
			service, ok := sns.AWS(topic)
			require.True(t, ok)
			m := notification()
			m.SigningCertURL = service.TestCertificateURL(tt.cert)
			a.sign(m, "2")
			p := posted(t, m)
			if tt.from != "" {
				p.RemoteAddr = netip.MustParseAddr(tt.from)
			}
			v := sns.New(options)
			if tt.want != "" {
				refuses(t, v, p, tt.want)
				return
			}
			proves(t, v, p)
			m.Message += "x"
			forged := posted(t, m)
			forged.RemoteAddr = p.RemoteAddr
			refuses(t, v, forged, mismatch)
		})
	}
}
