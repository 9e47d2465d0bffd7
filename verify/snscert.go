package verify

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/fetch"
)

// Bounds of certificates. The services renew theirs about once a year, so that
// there are few; failures are kept apart, lest strangers drive out what is good.
const (
	certTimeout    = 10 * time.Second // SNS hangs up after 15
	certMaxBytes   = 64 << 10
	certMaxAge     = 24 * time.Hour
	certMaxKept    = 64
	certFailedAge  = 10 * time.Second
	certMaxFailed  = 1024
	certMaxFetches = 4
)

// certificates fetches signing certificates and keeps them.
type certificates struct {
	client *http.Client
	roots  *x509.CertPool
	flight singleflight.Group

	slots chan struct{} // taken while a fetch runs

	mu     sync.Mutex
	kept   map[string]*certificate
	failed map[string]failure
}

type certificate struct {
	*x509.Certificate
	key       *rsa.PublicKey
	fetchedAt time.Time
}

type failure struct {
	err error
	at  time.Time
}

// key returns the public key of the certificate at a URL, if the certificate
// is the service's and valid now.
func (c *certificates) key(ctx context.Context, service SNSService, certURL string, now time.Time) (*rsa.PublicKey, error) {
	// One certificate has one URL: another spelling would be another entry.
	rest, ok := strings.CutPrefix(certURL, service.CertificatePrefix)
	if !ok || len(certURL) > 256 || strings.Contains(rest, "..") ||
		strings.Trim(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") != "" {
		return nil, errCertURL
	}
	cert, err := c.get(ctx, certURL, now)
	if err != nil {
		return nil, err
	}
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return nil, errCertificate
	}
	named := len(service.CertificateNames) == 0
	for _, name := range service.CertificateNames {
		named = named || cert.VerifyHostname(name) == nil
	}
	if !named {
		return nil, errCertificate
	}
	return cert.key, nil
}

func (c *certificates) get(ctx context.Context, certURL string, now time.Time) (*certificate, error) {
	c.mu.Lock()
	cert, failed := c.kept[certURL], c.failed[certURL]
	c.mu.Unlock()
	switch {
	case cert != nil && now.Sub(cert.fetchedAt).Abs() < certMaxAge:
		return cert, nil
	case failed.err != nil && now.Sub(failed.at).Abs() < certFailedAge:
		if cert != nil {
			return cert, nil
		}
		return nil, failed.err
	}
	done := c.flight.DoChan(certURL, func() (any, error) {
		// For all who wait for it, whoever of them goes away.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), certTimeout)
		defer cancel()
		fresh, err := c.load(ctx, certURL, now)
		return c.keep(certURL, fresh, err, now)
	})
	select {
	case result := <-done:
		cert, _ := result.Val.(*certificate)
		return cert, result.Err
	case <-ctx.Done():
		return nil, anymail.Because(anymail.ErrUnavailable, "signing certificate", ctx.Err())
	}
}

// keep remembers how a fetch ended. A certificate that was good yesterday goes
// on being used while a new copy is out of reach.
func (c *certificates) keep(certURL string, cert *certificate, err error, now time.Time) (*certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		if c.kept == nil {
			c.kept = map[string]*certificate{}
		}
		c.kept[certURL] = cert
		if len(c.kept) > certMaxKept {
			oldest := certURL
			for u, other := range c.kept {
				if other.fetchedAt.Before(c.kept[oldest].fetchedAt) {
					oldest = u
				}
			}
			delete(c.kept, oldest)
		}
		return cert, nil
	}
	if c.failed == nil || len(c.failed) >= certMaxFailed {
		c.failed = map[string]failure{}
	}
	c.failed[certURL] = failure{err, now}
	if !errors.Is(err, anymail.ErrUnavailable) {
		delete(c.kept, certURL) // it was taken back
	}
	if old := c.kept[certURL]; old != nil {
		return old, nil
	}
	return nil, err
}

func (c *certificates) load(ctx context.Context, certURL string, now time.Time) (cert *certificate, err error) {
	defer func() {
		if recover() != nil { // in a goroutine of its own nobody else would
			err = anymail.Because(anymail.ErrUnavailable, "signing certificate: panic", nil)
		}
	}()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, anymail.Because(anymail.ErrUnavailable, "too many signing certificates are being fetched", nil)
	}
	u, err := url.Parse(certURL)
	if err != nil {
		return nil, errCertURL
	}
	getter := fetch.Getter{Client: c.client, Hosts: []string{u.Host}, MaxBytes: certMaxBytes}
	content, err := getter.Get(ctx, certURL, nil)
	switch {
	case errors.Is(err, anymail.ErrUnavailable):
		return nil, err
	case err != nil:
		return nil, errCertificate // there is none, or nothing that could be one
	}
	return c.parse(content, now)
}

func (c *certificates) parse(content []byte, now time.Time) (*certificate, error) {
	var chain []*x509.Certificate
	for block, rest := pem.Decode(bytes.TrimSpace(content)); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil || len(chain) == 8 {
			return nil, errCertificate
		}
		chain = append(chain, cert)
	}
	if len(chain) == 0 {
		return nil, errCertificate
	}
	leaf := chain[0]
	key, ok := leaf.PublicKey.(*rsa.PublicKey)
	if !ok || checkRSA(key) != nil {
		return nil, errCertificate
	}
	if c.roots != nil {
		between := x509.NewCertPool()
		for _, cert := range chain[1:] {
			between.AddCert(cert)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{
			Roots:         c.roots,
			Intermediates: between,
			CurrentTime:   now,
			KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		}); err != nil {
			return nil, errCertificate
		}
	}
	return &certificate{leaf, key, now}, nil
}
