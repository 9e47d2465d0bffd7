package amazonsessim

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/goanymail/anymail/esp/amazonses"
	"github.com/goanymail/anymail/internal/snssim"
	"github.com/goanymail/anymail/simulator"
	"github.com/goanymail/anymail/verify/sns"
)

// AWS is the part of AWS that the adapter calls: SNS, which serves signing
// certificates and confirms subscriptions, and S3. The zero value is ready to
// use. A test that needs other settings changes what [AWS.Config] returns.
type AWS struct {
	certificates simulator.API // separate, so that contents do not displace them
	api          simulator.API
	signer       snssim.Signer
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
	c, leaf := a.signer.NewCredential(amazonses.MaxTestValidity-time.Hour, "sns.amazonaws.com")
	service, _ := sns.AWS(topic)
	a.certificates.Put(service.TestCertificateURL(leaf), "application/x-pem-file", []byte(c.Config))
	return c
}

// sign signs like SNS, with the signature version that the message names, or version 2.
func sign(r *simulator.Request, c simulator.Credential, at time.Time) error {
	return snssim.Sign(r, c, at, sns.AWS, "2")
}
