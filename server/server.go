// Package server makes an http.Server with settings for webhooks, for services
// without a reverse proxy in front of them.
package server

import (
	"crypto/tls"
	"net/http"
	"time"
)

// New returns a server for handler that limits the time and memory of each
// client: 10 seconds and 16 KiB for the headers of a request, 60 seconds to read
// the whole request, 90 seconds to answer it, and 2 minutes between two requests
// of a connection. It accepts TLS 1.2 and later. Change settings before serving: a
// Dispatcher with a RequestTime of more than 60 seconds needs a longer
// WriteTimeout.
//
// Set Addr and call ListenAndServeTLS, or call Serve with a listener. For
// certificates that are renewed use [ReloadCertificate].
func New(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      90 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12},
	}
}
