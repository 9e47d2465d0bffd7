package server

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// ReloadCertificate reads a certificate and its key from PEM files, as
// [tls.LoadX509KeyPair] does. It reads them again when one of the files changes,
// so that a renewal needs no restart. Assign the function that it returns to
// [tls.Config.GetCertificate], and call ListenAndServeTLS without files:
//
//	srv.TLSConfig.GetCertificate, err = server.ReloadCertificate("cert.pem", "key.pem")
//	err = srv.ListenAndServeTLS("", "")
//
// It returns an error if it cannot read the files now. If it cannot read them
// later, or the key does not match the certificate yet, it keeps the earlier
// certificate.
func ReloadCertificate(certFile, keyFile string) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	c := &certificate{files: [2]string{certFile, keyFile}}
	if err := c.reload(); err != nil {
		return nil, fmt.Errorf("server: certificate: %w", err)
	}
	return c.get, nil
}

type certificate struct {
	files [2]string

	mu   sync.Mutex
	last [2]version
	cert *tls.Certificate
}

// version identifies the state of a file.
type version struct {
	modified time.Time
	size     int64
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.reload() // the earlier one stays
	return c.cert, nil
}

func (c *certificate) reload() error {
	var now [2]version
	for i, file := range c.files {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		now[i] = version{info.ModTime(), info.Size()}
	}
	if now == c.last {
		return nil
	}
	cert, err := tls.LoadX509KeyPair(c.files[0], c.files[1])
	if err != nil {
		return err
	}
	c.cert, c.last = &cert, now
	return nil
}
