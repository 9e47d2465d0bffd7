// Package snssim signs like SNS, for the simulators of services that speak it.
package snssim

import (
	"bytes"
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
	"math/big"
	"sync"
	"time"

	"github.com/goanymail/anymail/simulator"
	"github.com/goanymail/anymail/verify/sns"
)

// Signer makes signing certificates. The zero value is ready to use.
type Signer struct {
	mu   sync.Mutex
	made int
	keys [4]*rsa.PrivateKey // shared by credentials, because making one takes long
}

// NewCredential makes a certificate that signed itself, with the given DNS names. It
// is valid from an hour ago, for validity in all.
func (s *Signer) NewCredential(validity time.Duration, names ...string) (simulator.Credential, *x509.Certificate) {
	key := s.key()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	check(err)
	from := time.Now().Add(-time.Hour)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "anymail test " + serial.String()}, DNSNames: names,
		NotBefore: from, NotAfter: from.Add(validity), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(err)
	leaf, err := x509.ParseCertificate(der)
	check(err)
	return simulator.Credential{
		Config:  string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		Private: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf},
	}, leaf
}

// key returns different keys for consecutive credentials.
func (s *Signer) key() *rsa.PrivateKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	key := &s.keys[s.made%len(s.keys)]
	if *key == nil {
		fresh, err := rsa.GenerateKey(rand.Reader, 2048)
		check(err)
		*key = fresh
	}
	return *key
}

func check(err error) {
	if err != nil {
		panic(fmt.Sprintf("snssim: %v", err)) // only if there is no randomness
	}
}

// Sign signs the message in r as the service of its topic does, with the signature
// version that the message names, or else version.
// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html
func Sign(r *simulator.Request, c simulator.Credential, at time.Time, services func(topicARN string) (sns.Service, bool), version string) error {
	var m map[string]string
	if err := json.Unmarshal(r.Body, &m); err != nil {
		return errors.New("snssim: the body is not an SNS message")
	}
	pair, ok := c.Private.(tls.Certificate)
	key, isRSA := pair.PrivateKey.(*rsa.PrivateKey)
	if !ok || !isRSA {
		return errors.New("snssim: not a credential of this simulator")
	}
	service, ok := services(m["TopicArn"])
	if !ok {
		return errors.New("snssim: the topic must be the ARN of an SNS topic")
	}
	// The timestamp is that of publication, even if delivery is late.
	if published, err := time.Parse(time.RFC3339, m["Timestamp"]); err != nil || at.Sub(published).Abs() > time.Minute {
		m["Timestamp"] = at.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	if m["SignatureVersion"] == "" {
		m["SignatureVersion"] = version
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
		return fmt.Errorf("snssim: %w", err)
	}
	m["Signature"] = base64.StdEncoding.EncodeToString(signature)
	r.Body, err = json.Marshal(m)
	return err
}
