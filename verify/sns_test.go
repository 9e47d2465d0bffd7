package verify_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

const (
	topic   = "arn:aws:sns:eu-west-1:123456789012:demo"
	certURL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
)

// snsNow is within the lifetime of the certificates that the tests make.
var snsNow = time.Date(2026, 9, 21, 14, 13, 21, 0, time.UTC)

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

// issue makes a certificate from template, in DER, valid for a year around
// snsNow unless template says otherwise.
func (a *authority) issue(template *x509.Certificate, public crypto.PublicKey) []byte {
	template.SerialNumber = big.NewInt(serial.Add(1))
	template.Subject.CommonName = "certificate " + template.SerialNumber.String()
	if template.NotBefore.IsZero() {
		template.NotBefore, template.NotAfter = snsNow.AddDate(0, -6, 0), snsNow.AddDate(0, 6, 0)
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

// leaf makes the PEM of a signing certificate for a's own key.
func (a *authority) leaf(names ...string) []byte {
	return certPEM(a.issue(&x509.Certificate{DNSNames: names}, &a.key.PublicKey))
}

func certPEM(ders ...[]byte) (text []byte) {
	for _, der := range ders {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return text
}

// sign signs m as version says, over what the documentation says is signed.
func (a *authority) sign(m *verify.SNSMessage, version string) {
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

// server serves what a test says, and counts requests.
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

func pointer[T any](v T) *T { return &v }

// notification returns what the tests vary, not yet signed.
func notification() *verify.SNSMessage {
	return &verify.SNSMessage{
		Type:           "Notification",
		MessageID:      "11111111-2222-5333-8444-555555555555",
		TopicArn:       topic,
		Message:        "{\"eventType\":\"Send\"}\nline2 é",
		Timestamp:      "2026-09-21T14:13:20.123Z",
		SigningCertURL: certURL,
		UnsubscribeURL: "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
	}
}

func confirmation() *verify.SNSMessage {
	return &verify.SNSMessage{
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
	return &anymail.Payload{Body: body, ReceivedAt: snsNow}
}

func TestSNS(t *testing.T) {
	signedAt := time.Date(2026, 9, 21, 14, 13, 20, 123e6, time.UTC)
	withSubject := notification()
	withSubject.Subject = pointer("Hi")
	unsubscribed := confirmation()
	unsubscribed.Type = "UnsubscribeConfirmation"
	tests := []struct {
		name string
		m    *verify.SNSMessage
		// digest is that of the string to sign, computed apart from this code.
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
				v := verify.SNS{TopicARNs: []string{"arn:aws:sns:eu-west-1:123456789012:other", topic}, Client: s.client()}.Verifier()
				a.sign(tt.m, version)
				// The nonce is the same for both versions.
				want := anymail.Proof{SignedAt: signedAt, Fingerprint: unhex(t, tt.digest)}
				require.Empty(t, cmp.Diff(want, proves(t, v, posted(t, tt.m))))
				require.Empty(t, cmp.Diff(want, proves(t, v, posted(t, tt.m))))
				require.EqualValues(t, 1, s.asked.Load(), "the certificate is kept")
			})
		}
	}
}

// Errors of the SNS verifier.
const (
	notSNS      = "not authenticated: not an SNS message"
	badTopic    = "not authenticated: not a topic that is configured"
	noTopics    = "not authenticated: neither a topic is configured nor a shared secret given"
	badVersion  = "not authenticated: signature version not accepted"
	badCertURL  = "not authenticated: certificate URL not accepted"
	badCert     = "not authenticated: signing certificate not accepted"
	unavailable = "unavailable: fetch from the ESP: "
)

func TestSNSRefuses(t *testing.T) {
	a := newAuthority()
	good := func(change func(*verify.SNSMessage)) func() any {
		return func() any {
			m := notification()
			m.Subject = pointer("Hi")
			a.sign(m, "2")
			change(m)
			return m
		}
	}
	resigned := func(change func(*verify.SNSMessage)) func() any {
		return func() any {
			m := notification()
			change(m)
			a.sign(m, "2")
			return m
		}
	}
	type M = verify.SNSMessage
	tests := []struct {
		name  string
		make  func() any
		want  string
		fetch bool // whether the certificate is asked for
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
			v := verify.SNS{TopicARNs: []string{topic, topic + "2"}, Client: s.client()}.Verifier()
			refuses(t, v, posted(t, tt.make()), tt.want)
			require.Equal(t, tt.fetch, s.asked.Load() == 1, "requests: %d", s.asked.Load())
		})
	}
}

// A message could be cut differently if any of its values might hold a line
// break: here the sender of an authentic one has put another's into Message.
func TestSNSAmbiguity(t *testing.T) {
	a := newAuthority()
	v := verify.SNS{TopicARNs: []string{topic}, Client: serving(a.leaf("sns.amazonaws.com")).client()}.Verifier()
	m := notification()
	m.Message = "forged\nMessageId\n1"
	m.MessageID = "2"
	a.sign(m, "2")
	proves(t, v, posted(t, m))
	m.Message, m.MessageID = "forged", "1\nMessageId\n2"
	refuses(t, v, posted(t, m), notSNS)
}

func TestSNSRequireSHA256(t *testing.T) {
	a := newAuthority()
	v := verify.SNS{TopicARNs: []string{topic}, RequireSHA256: true, Client: serving(a.leaf("sns.amazonaws.com")).client()}.Verifier()
	m := notification()
	a.sign(m, "1")
	refuses(t, v, posted(t, m), badVersion)
	a.sign(m, "2")
	proves(t, v, posted(t, m))
}

// Amazon signs for everybody: without a topic it takes a shared secret.
func TestSNSAnyTopic(t *testing.T) {
	a := newAuthority()
	s := serving(a.leaf("sns.amazonaws.com"))
	v := verify.SNS{Client: s.client()}.Verifier()
	m := notification()
	a.sign(m, "2")
	p := posted(t, m)
	refuses(t, v, p, noTopics)
	require.Zero(t, s.asked.Load())
	p.SecretProved = true
	proves(t, v, p)
}

func TestParseSNS(t *testing.T) {
	full := `{"Type" : "Notification", "MessageId" : "1", "TopicArn" : "t", "Subject" : "s", "Message" : "{\"a\":\"\u00e9\"}\n",
		"Timestamp" : "2026-09-21T14:13:20.123Z", "SignatureVersion" : "1", "Signature" : "AAAA", "SigningCertURL" : "c",
		"UnsubscribeURL" : "u", "MessageAttributes" : {"x":{"Type":"String","Value":"y"}}}`
	got, err := verify.ParseSNS([]byte(full))
	require.NoError(t, err)
	want := &verify.SNSMessage{Type: "Notification", MessageID: "1", TopicArn: "t", Subject: pointer("s"), Message: "{\"a\":\"é\"}\n",
		Timestamp: "2026-09-21T14:13:20.123Z", SignatureVersion: "1", Signature: "AAAA", SigningCertURL: "c", UnsubscribeURL: "u"}
	require.Empty(t, cmp.Diff(want, got))
	require.Equal(t, time.Date(2026, 9, 21, 14, 13, 20, 123e6, time.UTC), got.Time())

	got, err = verify.ParseSNS([]byte(`{"Type":"Notification","Subject":null,"Timestamp":"2026-09-21T16:13:20+02:00"}`))
	require.NoError(t, err)
	require.Nil(t, got.Subject)
	require.Equal(t, time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC), got.Time())
	require.True(t, (&verify.SNSMessage{Timestamp: "now"}).Time().IsZero())

	for name, body := range map[string]string{
		"empty":             ``,
		"not JSON":          `Type=Notification`,
		"a string":          `"Notification"`,
		"null":              `null`,
		"an array":          `[{"Type":"Notification"}]`,
		"two":               `{"Type":"Notification"}{}`,
		"cut off":           `{"Type":"Notification"`,
		"raw delivery":      `{"eventType":"Send","mail":{}}`,
		"unknown type":      `{"Type":"notification"}`,
		"other case":        `{"type":"Notification"}`,
		"number":            `{"Type":"Notification","MessageId":1}`,
		"object":            `{"Type":"Notification","Message":{"eventType":"Send"}}`,
		"repeated":          `{"Type":"Notification","Message":"a","Message":"b"}`,
		"repeated, unknown": `{"Type":"Notification","x":1,"x":2}`,
		"repeated, escaped": `{"Type":"Notification","Message":"a","\u004dessage":"b"}`,
		"invalid UTF-8":     "{\"Type\":\"Notification\",\"Message\":\"\xff\"}",
		"half a surrogate":  `{"Type":"Notification","Message":"\ud800"}`,
		"deep":              `{"Type":"Notification","x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`,
	} {
		_, err := verify.ParseSNS([]byte(body))
		require.EqualError(t, err, "malformed payload: not an SNS message", name)
		require.ErrorIs(t, err, anymail.ErrMalformed, name)
	}
}

// A body is read before anything in it is proved, so that reading it must not
// cost a multiple of it: not even one that is made of names.
func TestParseSNSMemory(t *testing.T) {
	names := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%x":0`, i)
		}
		return b.String()
	}
	const head = `{"Type":"Notification"`
	_, err := verify.ParseSNS([]byte(head + names(50) + "}"))
	require.NoError(t, err, "Amazon may add to them")
	for name, text := range map[string]string{
		"members":    head + names(100_000) + "}",
		"in objects": head + `,"x":{"y":0` + names(100_000) + "}}",
	} {
		body := []byte(text)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = verify.ParseSNS(body)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(len(body)), name)
	}
}

func TestAWSSNS(t *testing.T) {
	tests := []struct {
		arn  string
		host string
		name string // one that the certificate may have
	}{
		{topic, "sns.eu-west-1.amazonaws.com", "sns.amazonaws.com"},
		{"arn:aws:sns:mx-central-1:123456789012:demo", "sns.mx-central-1.amazonaws.com", "sns-signing.mx-central-1.amazonaws.com"},
		{"arn:aws:sns:us-east-1:123456789012:demo.fifo", "sns.us-east-1.amazonaws.com", "sns.amazonaws.com"},
		{"arn:aws-cn:sns:cn-north-1:123456789012:demo", "sns.cn-north-1.amazonaws.com.cn", "sns-cn-north-1.amazonaws.com.cn"},
		{"arn:aws-cn:sns:cn-northwest-1:123456789012:demo", "sns.cn-northwest-1.amazonaws.com.cn", "sns-cn-northwest-1.amazonaws.com.cn"},
		{"arn:aws-us-gov:sns:us-gov-west-1:123456789012:demo", "sns.us-gov-west-1.amazonaws.com", "sns-us-gov-west-1.amazonaws.com"},
		{"arn:aws-us-gov:sns:us-gov-east-1:123456789012:demo", "sns.us-gov-east-1.amazonaws.com", "sns-us-gov-west-1.amazonaws.com"},
		{"arn:aws-eusc:sns:eusc-de-east-1:123456789012:demo", "sns.eusc-de-east-1.amazonaws.eu", "sns-signing.eusc-de-east-1.amazonaws.eu"},
		{"arn:aws-iso:sns:us-iso-east-1:123456789012:demo", "sns.us-iso-east-1.c2s.ic.gov", "sns-us-iso-east-1.c2s.ic.gov"},
		{"arn:aws-iso-b:sns:us-isob-east-1:123456789012:demo", "sns.us-isob-east-1.sc2s.sgov.gov", "sns-us-isob-east-1.sc2s.sgov.gov"},
		{"arn:aws-iso-e:sns:eu-isoe-west-1:123456789012:demo", "sns.eu-isoe-west-1.cloud.adc-e.uk", "sns-signing.eu-isoe-west-1.cloud.adc-e.uk"},
		{"arn:aws-iso-f:sns:us-isof-south-1:123456789012:demo", "sns.us-isof-south-1.csp.hci.ic.gov", "sns-signing.us-isof-south-1.csp.hci.ic.gov"},
	}
	for _, tt := range tests {
		service, ok := verify.AWSSNS(tt.arn)
		require.True(t, ok, tt.arn)
		require.Equal(t, tt.host, service.APIHost)
		require.Equal(t, "https://"+tt.host+"/SimpleNotificationService-", service.CertificatePrefix)
		require.Contains(t, service.CertificateNames, tt.name)
	}
	for _, arn := range []string{
		"", "demo", "arn:aws:sqs:eu-west-1:123456789012:demo", "arn:aws:sns:eu-west-1:123456789012", topic + ":subscription",
		"arn:scw:sns:fr-par:project-1:mail",
		"arn:aws:sns::123456789012:demo", "arn:aws:sns:EU-WEST-1:123456789012:demo",
		"arn:aws:sns:x.s3:123456789012:demo", "arn:aws:sns:example.com/:123456789012:demo", "arn:aws:sns:a@b:123456789012:demo",
		"arn:aws:sns:eu-west-1\n:123456789012:demo",
	} {
		_, ok := verify.AWSSNS(arn)
		require.False(t, ok, arn)
	}
}

// scaleway is how another service that speaks SNS is described.
func scaleway(topicARN string) (verify.SNSService, bool) {
	parts := strings.Split(topicARN, ":")
	if len(parts) != 6 || parts[1] != "scw" || parts[2] != "sns" || (parts[3] != "fr-par" && parts[3] != "nl-ams") {
		return verify.SNSService{}, false
	}
	return verify.SNSService{
		CertificatePrefix: "https://messaging.s3." + parts[3] + ".scw.cloud/",
		APIHost:           "sns.mnq." + parts[3] + ".scaleway.com",
	}, true
}

func TestSNSRoots(t *testing.T) {
	a := newAuthority()
	pool := func(certs ...*x509.Certificate) *x509.CertPool {
		p := x509.NewCertPool()
		for _, c := range certs {
			p.AddCert(c)
		}
		return p
	}
	stranger := &authority{key: signers()["RSA"].(*rsa.PrivateKey)}
	strangerDER := stranger.issue(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, &stranger.key.PublicKey)
	strangerCert, err := x509.ParseCertificate(strangerDER)
	require.NoError(t, err)
	// A second authority below a, whose certificate comes along.
	below := &authority{key: stranger.key}
	belowDER := a.issue(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, &below.key.PublicKey)
	below.cert, err = x509.ParseCertificate(belowDER)
	require.NoError(t, err)
	belowLeaf := below.issue(&x509.Certificate{DNSNames: []string{"messaging.example.com"}}, &a.key.PublicKey)

	tests := []struct {
		name  string
		roots *x509.CertPool
		certs []byte
		want  string
	}{
		{"not checked", nil, a.leaf(), ""},
		{"issued by the root", pool(strangerCert, a.cert), a.leaf(), ""},
		{"issued by an intermediate that is trusted", pool(below.cert), certPEM(belowLeaf), ""},
		{"with the chain", pool(a.cert), certPEM(belowLeaf, belowDER), ""},
		{"chain missing", pool(a.cert), certPEM(belowLeaf), badCert},
		{"another root", pool(strangerCert), a.leaf(), badCert},
		{"no root", pool(), a.leaf(), badCert},
		{"expired", pool(a.cert), certPEM(a.issue(&x509.Certificate{
			NotBefore: snsNow.AddDate(-1, 0, 0), NotAfter: snsNow.Add(-time.Second)}, &a.key.PublicKey)), badCert},
	}
	const arn = "arn:scw:sns:fr-par:project-11111111-1111-4111-8111-111111111111:mail"
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serving(tt.certs)
			v := verify.SNS{TopicARNs: []string{arn}, Service: scaleway, Roots: tt.roots, Client: s.client()}.Verifier()
			m := notification()
			m.TopicArn = arn
			m.SigningCertURL = "https://messaging.s3.fr-par.scw.cloud/fr-par/sns/sns_certificate_1.crt"
			a.sign(m, "1")
			if tt.want != "" {
				refuses(t, v, posted(t, m), tt.want)
			} else {
				proves(t, v, posted(t, m))
			}
		})
	}
}

func TestSNSCertificate(t *testing.T) {
	a := newAuthority()
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	dated := func(from, to time.Time) []byte {
		return certPEM(a.issue(&x509.Certificate{DNSNames: []string{"sns.amazonaws.com"}, NotBefore: from, NotAfter: to}, &a.key.PublicKey))
	}
	hugeN := new(big.Int).Lsh(big.NewInt(1), 8192)
	huge := &rsa.PublicKey{N: hugeN.Add(hugeN, big.NewInt(1)), E: 65537}
	leaf := a.leaf("sns.amazonaws.com")
	tests := []struct {
		name   string
		status int
		body   []byte
		err    error
		want   string
	}{
		{"global name", 200, leaf, nil, ""},
		{"name of the region", 200, a.leaf("sns-signing.eu-west-1.amazonaws.com"), nil, ""},
		{"several names", 200, a.leaf("example.com", "sns.amazonaws.com"), nil, ""},
		{"with text around", 200, append([]byte("subject: sns\n"), append(leaf, "\nbye"...)...), nil, ""},
		{"valid until this second", 200, dated(snsNow.AddDate(-1, 0, 0), snsNow), nil, ""},
		{"valid from this second", 200, dated(snsNow, snsNow.AddDate(1, 0, 0)), nil, ""},

		{"expired", 200, dated(snsNow.AddDate(-1, 0, 0), snsNow.Add(-time.Second)), nil, badCert},
		{"not yet valid", 200, dated(snsNow.Add(time.Second), snsNow.AddDate(1, 0, 0)), nil, badCert},
		{"another name", 200, a.leaf("sqs.amazonaws.com"), nil, badCert},
		{"name of another region", 200, a.leaf("sns-signing.us-east-1.amazonaws.com"), nil, badCert},
		{"wildcard of a level above", 200, a.leaf("*.com"), nil, badCert},
		{"no name", 200, a.leaf(), nil, badCert},
		{"another key", 200, certPEM(a.issue(&x509.Certificate{DNSNames: []string{"sns.amazonaws.com"}}, &signers()["RSA"].(*rsa.PrivateKey).PublicKey)), nil, mismatch},
		{"not RSA", 200, certPEM(a.issue(&x509.Certificate{DNSNames: []string{"sns.amazonaws.com"}}, &ecKey.PublicKey)), nil, badCert},
		{"too large a key", 200, certPEM(a.issue(&x509.Certificate{DNSNames: []string{"sns.amazonaws.com"}}, huge)), nil, badCert},
		{"empty", 200, nil, nil, badCert},
		{"not PEM", 200, []byte("<html>"), nil, badCert},
		{"a key", 200, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(a.key)}), nil, badCert},
		{"too many", 200, bytes.Repeat(leaf, 9), nil, badCert},
		{"too large", 200, bytes.Repeat([]byte("\n"), 64<<10+1), nil, badCert},
		{"there is none", 404, nil, nil, badCert},
		{"forbidden", 403, nil, nil, "unavailable: the ESP refused a fetch: status 403"},
		{"server error", 500, leaf, nil, "unavailable: the ESP refused a fetch: status 500"},
		{"out of reach", 0, nil, errors.New("GET " + certURL), unavailable + "no HTTP answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &server{serve: func(r *http.Request) (int, []byte, error) {
				if r.URL.String() != certURL {
					t.Errorf("asked for %s", r.URL)
				}
				return tt.status, tt.body, tt.err
			}}
			v := verify.SNS{TopicARNs: []string{topic}, Client: s.client()}.Verifier()
			m := notification()
			a.sign(m, "2")
			if tt.want == "" {
				proves(t, v, posted(t, m))
				return
			}
			refuses(t, v, posted(t, m), tt.want)
			if strings.HasPrefix(tt.want, "unavailable") {
				_, err := v.Verify(t.Context(), posted(t, m))
				require.ErrorIs(t, err, anymail.ErrUnavailable)
			}
		})
	}
}

func TestSNSCertificatePanic(t *testing.T) {
	a := newAuthority()
	v := verify.SNS{TopicARNs: []string{topic}, Client: (&server{serve: func(*http.Request) (int, []byte, error) { panic("transport") }}).client()}.Verifier()
	m := notification()
	a.sign(m, "2")
	refuses(t, v, posted(t, m), "unavailable: signing certificate: panic")
}

// When certificates are asked for anew, and what happens if that fails.
func TestSNSCertificateAge(t *testing.T) {
	a := newAuthority()
	s := serving(a.leaf("sns.amazonaws.com"))
	good := s.serve
	down := func(*http.Request) (int, []byte, error) { return 503, nil, nil }
	gone := func(*http.Request) (int, []byte, error) { return 404, nil, nil }
	v := verify.SNS{TopicARNs: []string{topic}, Client: s.client()}.Verifier()
	m := notification()
	a.sign(m, "2")
	const downText = "unavailable: the ESP refused a fetch: status 503"
	steps := []struct {
		after time.Duration // since the step before
		serve func(*http.Request) (int, []byte, error)
		asked int32 // all in all
		want  string
	}{
		{0, down, 1, downText},
		{9 * time.Second, good, 1, downText}, // a failure is remembered, but
		{time.Second, good, 2, ""},           // not for long
		{time.Second, down, 2, ""},
		{23 * time.Hour, down, 2, ""},
		{time.Hour, down, 3, ""},       // a day old, and no other to be had
		{9 * time.Second, good, 3, ""}, // asked a moment ago
		{time.Second, good, 4, ""},
		{24 * time.Hour, gone, 5, badCert}, // taken back
		{time.Second, gone, 5, badCert},
		{9 * time.Second, good, 6, ""},
		{0, down, 6, ""},
		{8760 * time.Hour, down, 7, badCert}, // in reach or not: it has expired
	}
	now := snsNow.AddDate(0, -3, 0)
	for i, step := range steps {
		now = now.Add(step.after)
		s.serve = step.serve
		p := posted(t, m)
		p.ReceivedAt = now
		if step.want == "" {
			_, err := v.Verify(t.Context(), p)
			require.NoError(t, err, "step %d", i)
		} else {
			_, err := v.Verify(t.Context(), p)
			require.EqualError(t, err, step.want, "step %d", i)
		}
		require.Equal(t, step.asked, s.asked.Load(), "step %d", i)
	}
}

// Whatever URLs strangers make up, no more than a few are asked for at once,
// and the certificate that is good stays.
func TestSNSCertificatesBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		leaf := a.leaf("sns.amazonaws.com")
		release := make(chan struct{})
		var running, most atomic.Int32
		s := &server{serve: func(r *http.Request) (int, []byte, error) {
			if r.URL.String() == certURL {
				return 200, leaf, nil
			}
			n := running.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			<-release
			running.Add(-1)
			return 404, nil, nil
		}}
		v := verify.SNS{TopicARNs: []string{topic}, Client: s.client()}.Verifier()
		good := notification()
		a.sign(good, "2")
		proves(t, v, posted(t, good))

		var wg sync.WaitGroup
		for i := range 20 {
			for range 3 { // who ask for the same share one request
				p := posted(t, func() *verify.SNSMessage {
					m := notification()
					a.sign(m, "2")
					m.SigningCertURL = strings.Replace(certURL, "0123", fmt.Sprint(i), 1)
					return m
				}())
				wg.Go(func() {
					_, err := v.Verify(t.Context(), p)
					if err == nil || err.Error() != badCert {
						t.Errorf("forged: %v", err)
					}
				})
			}
		}
		synctest.Wait()
		require.EqualValues(t, 4, running.Load())
		proves(t, v, posted(t, good))
		close(release)
		wg.Wait()
		require.EqualValues(t, 4, most.Load())
		require.EqualValues(t, 21, s.asked.Load())
		proves(t, v, posted(t, good))
		require.EqualValues(t, 21, s.asked.Load(), "still kept")
	})
}

// What is kept is bounded too: the oldest certificate makes room, and failures
// are forgotten all at once.
func TestSNSCertificatesForgotten(t *testing.T) {
	a := newAuthority()
	s := serving(a.leaf("sns.amazonaws.com"))
	good := s.serve
	v := verify.SNS{TopicARNs: []string{topic}, Client: s.client()}.Verifier()
	m := notification()
	a.sign(m, "2")
	now := snsNow
	ask := func(name string, n int) (asked bool) {
		now = now.Add(time.Millisecond)
		before := s.asked.Load()
		m.SigningCertURL = strings.Replace(certURL, "0123", fmt.Sprint(name, n), 1)
		p := posted(t, m)
		p.ReceivedAt = now
		_, err := v.Verify(t.Context(), p)
		require.Equal(t, name == "good", err == nil, "%v", err)
		return s.asked.Load() != before
	}
	for i := range 65 {
		require.True(t, ask("good", i))
	}
	require.False(t, ask("good", 1))
	require.False(t, ask("good", 64))
	require.True(t, ask("good", 0), "the oldest has made room")

	s.serve = func(*http.Request) (int, []byte, error) { return 404, nil, nil }
	for i := range 1024 {
		require.True(t, ask("bad", i))
	}
	require.False(t, ask("bad", 0))
	require.True(t, ask("bad", 1024))
	require.True(t, ask("bad", 0), "forgotten")
	s.serve = good
	require.False(t, ask("good", 64), "what is good is not")
}

// A client that hangs up is let go at once; the fetch goes on for the others,
// and ends by itself where the server does not answer.
func TestSNSCertificateContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		s := &server{serve: func(r *http.Request) (int, []byte, error) {
			<-r.Context().Done()
			return 0, nil, r.Context().Err()
		}}
		v := verify.SNS{TopicARNs: []string{topic}, Client: s.client()}.Verifier()
		m := notification()
		a.sign(m, "2")
		p := posted(t, m)
		started := time.Now()
		other := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, err := v.Verify(ctx, p)
			other <- err
		}()
		synctest.Wait()
		go func() {
			_, err := v.Verify(t.Context(), p)
			other <- err
		}()
		synctest.Wait()
		cancel()
		err := <-other
		require.ErrorIs(t, err, anymail.ErrUnavailable)
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, time.Since(started))
		err = <-other
		require.EqualError(t, err, unavailable+"timeout")
		require.Equal(t, 10*time.Second, time.Since(started))
		require.EqualValues(t, 1, s.asked.Load(), "one fetch for both")
	})
}

func TestSNSConfirm(t *testing.T) {
	type M = verify.SNSMessage
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
			err := verify.SNS{TopicARNs: []string{topic}, Client: s.client()}.Confirm(t.Context(), m)
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.asked, s.asked.Load() == 1)
			if err != nil {
				require.NotContains(t, err.Error(), "tok123")
			}
		})
	}
}
