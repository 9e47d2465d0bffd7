package simulator

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"reflect"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// Credential is a key or secret that an ESP and its user share.
type Credential struct {
	// Config is what the user configures: the secret, or the public key.
	Config string
	// Private is what the ESP signs with. Only the simulator reads it.
	Private any
}

func (c Credential) isZero() bool { return c.Config == "" && c.Private == nil }

// Keys returns what users configure of credentials, as a source. It returns nil
// for no credentials, like a setting that was left out.
func Keys(credentials []Credential) anymail.KeySource {
	if len(credentials) == 0 {
		return nil
	}
	var keys []string
	for _, c := range credentials {
		keys = append(keys, c.Config)
	}
	return anymail.Keys(keys...)
}

// Credential makes a credential from a key that a user has: the secret itself
// if the ESP signs with a secret, a private key in PEM (PKCS #8) if it signs with
// one, and a private key with its certificate in PEM if the certificate is what the
// user trusts. It returns an error if the ESP signs nothing.
func (s *Simulator) Credential(key string) (Credential, error) {
	if s.NewCredential == nil {
		return Credential{}, fmt.Errorf("simulator: %s signs nothing", s.Title)
	}
	switch example := s.NewCredential().Private.(type) {
	case nil:
		return Credential{Config: key}, nil
	case string:
		return Credential{Config: key, Private: key}, nil
	case []byte:
		secret, err := verify.DecodeWebhookSecret(key)
		if err != nil {
			return Credential{}, fmt.Errorf("simulator: not a secret such as %s has", s.Title)
		}
		return Credential{Config: key, Private: secret}, nil
	case *ecdsa.PrivateKey, *rsa.PrivateKey, ed25519.PrivateKey:
		block, _ := pem.Decode([]byte(key))
		if block == nil {
			return Credential{}, fmt.Errorf("simulator: %s signs with a private key: give it in PEM", s.Title)
		}
		private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil || reflect.TypeOf(private) != reflect.TypeOf(example) {
			return Credential{}, fmt.Errorf("simulator: not a private key such as %s has", s.Title)
		}
		return Credential{Private: private}, nil
	case tls.Certificate:
		pair, err := tls.X509KeyPair([]byte(key), []byte(key))
		if err != nil || reflect.TypeOf(pair.PrivateKey) != reflect.TypeOf(example.PrivateKey) {
			return Credential{}, fmt.Errorf("simulator: %s signs with a private key that has a certificate: give both in PEM", s.Title)
		}
		return Credential{Config: toPEM("CERTIFICATE", pair.Certificate...), Private: pair}, nil
	}
	return Credential{}, fmt.Errorf("simulator: cannot make a credential of %s from a key", s.Title)
}

// Key returns what c signs with, as [Simulator.Credential] reads it.
func (c Credential) Key() (string, error) {
	switch private := c.Private.(type) {
	case *ecdsa.PrivateKey, *rsa.PrivateKey, ed25519.PrivateKey:
		return privatePEM(private)
	case tls.Certificate:
		key, err := privatePEM(private.PrivateKey)
		return key + toPEM("CERTIFICATE", private.Certificate...), err
	}
	return c.Config, nil
}

func privatePEM(key any) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return toPEM("PRIVATE KEY", der), err
}

func toPEM(kind string, blocks ...[]byte) string {
	var text strings.Builder
	for _, der := range blocks {
		_ = pem.Encode(&text, &pem.Block{Type: kind, Bytes: der}) // a Builder never fails
	}
	return text.String()
}
