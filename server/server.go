// Package server has an http.Server with settings that suit webhooks, for
// those who have no front of their own.
package server

import (
	"crypto/tls"
	"net/http"
	"time"
)

// New returns a server for handler with bounds on everything a client can draw
// out: 10 seconds for the headers of a request and 64 KiB for their size, 60
// seconds for reading it whole, 90 for answering, and 2 minutes between two
// requests of one connection. TLS is 1.2 at least. Change what does not suit
// before serving: a Dispatcher whose RequestTime is more than 60 seconds needs a
// longer WriteTimeout.
//
// Set Addr and call ListenAndServeTLS, or Serve with a listener of your own.
// Certificates that are renewed are the task of [ReloadCertificate].
func New(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      90 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12},
	}
}
