package sns

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/fetch"
	"github.com/goanymail/anymail/verify"
)

// Bounds of certificates. The services renew theirs about once a year, so there
// are few. Failures are kept apart, so that forged requests cannot displace good
// certificates.
const (
	fetchTimeout = 10 * time.Second // SNS hangs up after 15
	maxFetches   = 4                // at once
	maxWaiting   = 32               // a fraction of the requests that may be in flight
	maxBytes     = 64 << 10
	maxAge       = 24 * time.Hour
	maxKept      = 64
	failureAge   = 10 * time.Second
	maxFailures  = 1024
	maxChain     = 8
	maxURL       = 256
)

// certificates fetches signing certificates and keeps them.
type certificates struct {
	client *http.Client
	roots  *x509.CertPool

	// The fetches that anyone can cause, with a forged message, and the others:
	// those for requests that proved a shared secret, and those that renew a
	// certificate.
	unproved, proved fetches

	mu     sync.Mutex
	stored int // certificates so far
	kept   map[string]*certificate
	failed map[string]failure
}

// fetches are the fetches that share places.
type fetches struct {
	flight  singleflight.Group
	running chan struct{} // has an element for each running fetch
	waiting chan struct{} // has one for each request that waits; nil if they are not bounded
}

func newCertificates(client *http.Client, roots *x509.CertPool) *certificates {
	return &certificates{
		client:   client,
		roots:    roots,
		unproved: fetches{running: make(chan struct{}, maxFetches), waiting: make(chan struct{}, maxWaiting)},
		proved:   fetches{running: make(chan struct{}, maxFetches)},
		kept:     map[string]*certificate{},
		failed:   map[string]failure{},
	}
}

type certificate struct {
	*x509.Certificate
	key       *rsa.PublicKey
	fetchedAt time.Time
	number    int // in the order of storing, which no clock changes
}

type failure struct {
	err error
	at  time.Time
}

// key returns the public key of the certificate at a URL, if the certificate is
// the service's and valid at now. proved reports whether the request has proved a
// shared secret.
func (c *certificates) key(ctx context.Context, service Service, certURL string, proved bool, now time.Time) (*rsa.PublicKey, error) {
	// One certificate has one URL: another spelling would be another entry.
	rest, ok := strings.CutPrefix(certURL, service.CertificatePrefix)
	if !ok || len(certURL) > maxURL || strings.Contains(rest, "..") ||
		strings.Trim(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") != "" {
		return nil, errCertificateURL
	}
	cert, err := c.get(ctx, certURL, proved, now)
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

func (c *certificates) get(ctx context.Context, certURL string, proved bool, now time.Time) (*certificate, error) {
	c.mu.Lock()
	cert, failed := c.kept[certURL], c.failed[certURL]
	c.mu.Unlock()
	switch {
	case cert != nil && now.Sub(cert.fetchedAt).Abs() < maxAge:
		return cert, nil
	case failed.err != nil && now.Sub(failed.at).Abs() < failureAge:
		if cert != nil {
			return cert, nil
		}
		return nil, failed.err
	}
	group := &c.unproved
	if proved || cert != nil {
		group = &c.proved
	}
	if group.waiting != nil {
		select {
		case group.waiting <- struct{}{}:
			defer func() { <-group.waiting }()
		default:
			return nil, errCrowded
		}
	}
	done := group.flight.DoChan(certURL, func() (any, error) {
		// Several requests may wait for it: it outlives the first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		select {
		case group.running <- struct{}{}:
			defer func() { <-group.running }()
		case <-ctx.Done():
			return nil, errCrowded // which says nothing about this certificate
		}
		fresh, err := c.load(ctx, certURL, now)
		return c.keep(certURL, fresh, err, now)
	})
	select {
	case result := <-done:
		if cert != nil && errors.Is(result.Err, errCrowded) {
			return cert, nil
		}
		cert, _ := result.Val.(*certificate)
		return cert, result.Err
	case <-ctx.Done():
		return nil, anymail.Because(anymail.ErrUnavailable, "signing certificate", ctx.Err())
	}
}

// errCrowded means that other requests have all places. A retry may find one.
var errCrowded = anymail.Because(anymail.ErrUnavailable, "too many signing certificates are being fetched", nil)

// keep stores the result of a fetch. A certificate stays in use while a new copy
// is out of reach.
func (c *certificates) keep(certURL string, cert *certificate, err error, now time.Time) (*certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.stored++
		cert.number = c.stored
		c.kept[certURL] = cert
		if len(c.kept) > maxKept {
			oldest := certURL
			for u, other := range c.kept {
				if other.number < c.kept[oldest].number {
					oldest = u
				}
			}
			delete(c.kept, oldest)
		}
		return cert, nil
	}
	if len(c.failed) >= maxFailures {
		c.failed = map[string]failure{}
	}
	c.failed[certURL] = failure{err, now}
	if !errors.Is(err, anymail.ErrUnavailable) {
		delete(c.kept, certURL) // it was withdrawn
	}
	if old := c.kept[certURL]; old != nil {
		return old, nil
	}
	return nil, err
}

func (c *certificates) load(ctx context.Context, certURL string, now time.Time) (cert *certificate, err error) {
	defer func() {
		if recover() != nil { // it runs in a goroutine of its own
			err = anymail.Because(anymail.ErrUnavailable, "signing certificate: panic", nil)
		}
	}()
	u, err := url.Parse(certURL)
	if err != nil {
		return nil, errCertificateURL
	}
	getter := fetch.Getter{Client: c.client, Hosts: []string{u.Host}, MaxBytes: maxBytes}
	content, err := getter.Get(ctx, certURL, nil)
	switch {
	case errors.Is(err, anymail.ErrUnavailable):
		return nil, err
	case err != nil:
		return nil, errCertificate // it does not exist, or cannot be one
	}
	return c.parse(content, now)
}

func (c *certificates) parse(content []byte, now time.Time) (*certificate, error) {
	var chain []*x509.Certificate
	for block, rest := pem.Decode(bytes.TrimSpace(content)); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil || len(chain) == maxChain {
			return nil, errCertificate
		}
		chain = append(chain, cert)
	}
	if len(chain) == 0 {
		return nil, errCertificate
	}
	leaf := chain[0]
	// verify knows which key sizes are acceptable.
	public, err := verify.ParsePublicKey(base64.StdEncoding.EncodeToString(leaf.RawSubjectPublicKeyInfo))
	key, ok := public.(*rsa.PublicKey)
	if err != nil || !ok {
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
	return &certificate{Certificate: leaf, key: key, fetchedAt: now}, nil
}
