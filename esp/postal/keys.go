package postal

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/keycache"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// keySource converts keys from Postal's forms into those that package verify
// accepts.
func keySource(source anymail.KeySource) anymail.KeySource {
	last := new(keycache.Cache[string])
	return anymail.KeyFunc(func(ctx context.Context) ([]string, error) {
		texts, err := source.Keys(ctx)
		if err != nil {
			return nil, err
		}
		return last.Parse(texts, parseKeys)
	})
}

func parseKeys(texts []string) ([]string, error) {
	var keys []string
	for i, text := range texts {
		some, err := parseKey(strings.TrimSpace(text))
		if err == nil && len(some) == 0 {
			err = errors.New("must hold an RSA key")
		}
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		keys = append(keys, some...)
	}
	return keys, nil
}

func parseKey(text string) ([]string, error) {
	if strings.HasPrefix(text, "{") {
		return parseJWKS(text)
	}
	if !strings.HasPrefix(text, "-----") {
		// A DNS record is in quotes, and in several pieces if it is long.
		text = strings.TrimRight(strings.ReplaceAll(text, `"`, " "), "; \t\r\n")
		joined := strings.Join(strings.Fields(text), "")
		if inner, err := base64.StdEncoding.DecodeString(joined); err == nil && strings.HasPrefix(string(inner), "-----") {
			text = string(inner)
		}
	}
	return []string{text}, checkRSA(text)
}

func checkRSA(text string) error {
	key, err := verify.ParsePublicKey(text)
	if _, ok := key.(*rsa.PublicKey); err == nil && !ok {
		err = errors.New("must be an RSA key")
	}
	return err
}

// parseJWKS reads the RSA keys of a JSON Web Key Set (RFC 7517), or a single
// key. It ignores Postal's "kid", which neither selects nor proves anything.
func parseJWKS(text string) ([]string, error) {
	type jwk struct {
		Type     string `json:"kty"`
		Modulus  string `json:"n"`
		Exponent string `json:"e"`
	}
	var set struct {
		jwk
		Keys []jwk `json:"keys"`
	}
	if err := wire.Unmarshal([]byte(text), &set); err != nil {
		return nil, errors.New("must be a JSON Web Key Set")
	}
	var keys []string
	for _, k := range append(set.Keys, set.jwk) {
		if k.Type != "RSA" {
			continue
		}
		n, errN := base64.RawURLEncoding.DecodeString(strings.TrimRight(k.Modulus, "="))
		e, errE := base64.RawURLEncoding.DecodeString(strings.TrimRight(k.Exponent, "="))
		if errN != nil || errE != nil || len(n) == 0 || len(e) == 0 || len(e) > 4 {
			return nil, errors.New("must have a modulus and exponent that can be decoded")
		}
		public := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			return nil, errors.New("must be a public key")
		}
		key := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		if err := checkRSA(key); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}
