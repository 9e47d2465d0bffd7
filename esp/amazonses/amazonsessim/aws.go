package amazonsessim

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/goanymail/anymail/esp/amazonses"
	"github.com/goanymail/anymail/simulator"
	"github.com/goanymail/anymail/verify/sns"
)

// AWS is the part of AWS that the adapter calls: SNS, which serves signing
// certificates and confirms subscriptions, and S3. The zero value is ready to
// use. A test that needs other settings changes what [AWS.Config] returns.
type AWS struct {
	certificates simulator.API // separate, so that contents do not displace them
	api          simulator.API

	mu   sync.Mutex
	made int
	keys [4]*rsa.PrivateKey // shared by credentials, because making one takes long
}

// Config returns the settings of an adapter that is connected to a and trusts
// these credentials.
func (a *AWS) Config(trusted ...simulator.Credential) (amazonses.Config, error) {
	config := amazonses.Config{
		Objects: a,
		Buckets: []string{bucket},
		Client:  &http.Client{Transport: a},
		Logger:  slog.New(slog.DiscardHandler),
	}
	if len(trusted) > 0 {
		config.TopicARNs = []string{topic}
		config.Roots = x509.NewCertPool()
	}
	for _, c := range trusted {
		if !config.Roots.AppendCertsFromPEM([]byte(c.Config)) {
			return config, errors.New("amazonsessim: the credential is not a certificate")
		}
	}
	return config, nil
}

// RoundTrip implements [http.RoundTripper].
func (a *AWS) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, ".pem") {
		return a.certificates.RoundTrip(r)
	}
	return a.api.RoundTrip(r)
}

func objectURL(bucket, key string) string {
	return "https://" + bucket + ".s3.eu-west-1.amazonaws.com/" + key
}

// GetObject implements [amazonses.ObjectGetter].
func (a *AWS) GetObject(ctx context.Context, bucket, key string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, objectURL(bucket, key), nil)
	if err != nil {
		return nil, err
	}
	resp, err := a.api.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fs.ErrNotExist
	}
	return resp.Body, nil
}

// newCredential makes a signing certificate, which the user configures.
func (a *AWS) newCredential() simulator.Credential {
	key := a.key()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	check(err)
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "anymail test " + serial.String()}, DNSNames: []string{"sns.amazonaws.com"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(amazonses.MaxTestValidity - 2*time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(err)
	leaf, err := x509.ParseCertificate(der)
	check(err)
	c := simulator.Credential{
		Config:  string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		Private: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf},
	}
	service, _ := sns.AWS(topic)
	a.certificates.Put(service.TestCertificateURL(leaf), "application/x-pem-file", []byte(c.Config))
	return c
}

// key returns different keys for consecutive credentials.
func (a *AWS) key() *rsa.PrivateKey {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.made++
	key := &a.keys[a.made%len(a.keys)]
	if *key == nil {
		fresh, err := rsa.GenerateKey(rand.Reader, 2048)
		check(err)
		*key = fresh
	}
	return *key
}

func check(err error) {
	if err != nil {
		panic(fmt.Sprintf("amazonsessim: %v", err)) // only if there is no randomness
	}
}

// sign signs like SNS, with the signature version that the message names.
// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html
func sign(r *simulator.Request, c simulator.Credential, at time.Time) error {
	var m map[string]string
	if err := json.Unmarshal(r.Body, &m); err != nil {
		return errors.New("amazonsessim: the body is not an SNS message")
	}
	pair, ok := c.Private.(tls.Certificate)
	key, isRSA := pair.PrivateKey.(*rsa.PrivateKey)
	if !ok || !isRSA {
		return errors.New("amazonsessim: not a credential of this simulator")
	}
	service, ok := sns.AWS(m["TopicArn"])
	if !ok {
		return errors.New("amazonsessim: the topic must be the ARN of an SNS topic")
	}
	// The timestamp is that of publication, even if delivery is late.
	if published, err := time.Parse(time.RFC3339, m["Timestamp"]); err != nil || at.Sub(published).Abs() > time.Minute {
		m["Timestamp"] = at.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	if m["SignatureVersion"] == "" {
		m["SignatureVersion"] = "2"
	}
	m["SigningCertURL"] = service.TestCertificateURL(pair.Leaf)

	names := []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	if m["Type"] == "Notification" {
		names = []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	}
	var text bytes.Buffer
	for _, name := range names {
		if value, ok := m[name]; ok {
			fmt.Fprintf(&text, "%s\n%s\n", name, value)
		}
	}
	hash, digest := crypto.SHA256, sha256.Sum256(text.Bytes())
	sum := digest[:]
	if m["SignatureVersion"] == "1" {
		old := sha1.Sum(text.Bytes()) // as topics have it by default
		hash, sum = crypto.SHA1, old[:]
	}
	signature, err := rsa.SignPKCS1v15(nil, key, hash, sum)
	if err != nil {
		return fmt.Errorf("amazonsessim: %w", err)
	}
	m["Signature"] = base64.StdEncoding.EncodeToString(signature)
	r.Body, err = json.Marshal(m)
	return err
}
