package amazonsessim

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
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

// signer is the private part of a credential.
type signer struct {
	key *rsa.PrivateKey
	url string // of its certificate
}

// newCredential makes a certificate authority, whose certificate the user
// configures, and a signing certificate that it has issued.
func (a *AWS) newCredential() simulator.Credential {
	authority, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	key := a.key()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	check(err)
	root := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "anymailtest authority " + serial.String()},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "sns.amazonaws.com"}, DNSNames: []string{"sns.amazonaws.com"},
		NotBefore: root.NotBefore, NotAfter: root.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &authority.PublicKey, authority)
	check(err)
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, &key.PublicKey, authority)
	check(err)

	sum := sha256.Sum256(leafDER)
	s := &signer{key, sns + "SimpleNotificationService-" + hex.EncodeToString(sum[:16]) + ".pem"}
	a.certificates.Put(s.url, "application/x-pem-file", toPEM(leafDER))
	return simulator.Credential{Config: string(toPEM(rootDER)), Private: s}
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

func toPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
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
	s, ok := c.Private.(*signer)
	if !ok {
		return errors.New("amazonsessim: not a credential of this simulator")
	}
	// The timestamp is that of publication, even if delivery is late.
	if published, err := time.Parse(time.RFC3339, m["Timestamp"]); err != nil || at.Sub(published).Abs() > time.Minute {
		m["Timestamp"] = at.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	if m["SignatureVersion"] == "" {
		m["SignatureVersion"] = "2"
	}
	m["SigningCertURL"] = s.url

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
	signature, err := rsa.SignPKCS1v15(nil, s.key, hash, sum)
	if err != nil {
		return fmt.Errorf("amazonsessim: %w", err)
	}
	m["Signature"] = base64.StdEncoding.EncodeToString(signature)
	r.Body, err = json.Marshal(m)
	return err
}
