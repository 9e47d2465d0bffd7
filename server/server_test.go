package server_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/goanymail/anymail/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// writeKeyPair writes a new certificate for name and its key.
func writeKeyPair(t *testing.T, certFile, keyFile, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write := func(file, kind string, content []byte) {
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600))
	}
	write(certFile, "CERTIFICATE", cert)
	write(keyFile, "PRIVATE KEY", der)
}

func tempFiles(t *testing.T) (certFile, keyFile string) {
	dir := t.TempDir()
	return filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
}

// start serves "hello" and returns the address. change may shorten timeouts for
// the test.
func start(t *testing.T, change func(*http.Server)) string {
	t.Helper()
	srv := server.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, "hello")
	}))
	srv.ErrorLog = log.New(io.Discard, "", 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	secure := srv.TLSConfig.GetCertificate
	if change != nil {
		change(srv)
		secure = srv.TLSConfig.GetCertificate
	}
	ended := make(chan error, 1)
	go func() {
		if secure != nil {
			ended <- srv.ServeTLS(listener, "", "")
			return
		}
		ended <- srv.Serve(listener)
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, srv.Shutdown(ctx), "all connections must end")
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
	return listener.Addr().String()
}

// exchange sends text and returns the answer up to the end of the connection. It
// fails the test if the server does not close the connection within a minute.
func exchange(t *testing.T, addr, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	if err != nil {
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	}
	return string(answer)
}

// The tests below check the effect of each setting, with shorter times.
func TestSettings(t *testing.T) {
	srv := server.New(http.NotFoundHandler())
	require.Equal(t, 10*time.Second, srv.ReadHeaderTimeout)
	require.Equal(t, 60*time.Second, srv.ReadTimeout)
	require.Equal(t, 90*time.Second, srv.WriteTimeout)
	require.Equal(t, 2*time.Minute, srv.IdleTimeout)
	require.Equal(t, 16<<10, srv.MaxHeaderBytes)
	require.EqualValues(t, tls.VersionTLS12, srv.TLSConfig.MinVersion)
	require.False(t, srv.TLSConfig.InsecureSkipVerify)
}

// shorten divides the timeouts by a hundred.
func shorten(srv *http.Server) {
	srv.ReadHeaderTimeout /= 100
	srv.ReadTimeout /= 100
	shortenIdle(srv)
}

func shortenIdle(srv *http.Server) { srv.IdleTimeout /= 100 }

func TestSlowHeaders(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":         "",
		"half a line":     "POST / HT",
		"headers, no end": "POST / HTTP/1.1\r\nHost: x\r\nX-Slow: 1\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			require.NotContains(t, exchange(t, start(t, shorten), text), "hello")
		})
	}
	t.Run("no second request", func(t *testing.T) {
		// The first request keeps its timeouts, because the machine may be busy.
		answer := exchange(t, start(t, shortenIdle), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		require.Contains(t, answer, "hello")
	})
}

func TestSlowBody(t *testing.T) {
	answer := exchange(t, start(t, shorten), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
	require.NotContains(t, answer, "hello")
}

func TestLargeHeaders(t *testing.T) {
	addr := start(t, nil)
	request := func(size int) string {
		return "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Large: " + strings.Repeat("x", size) + "\r\n\r\n"
	}
	require.Contains(t, exchange(t, addr, request(15<<10)), "200 OK")
	require.Contains(t, exchange(t, addr, request(21<<10)), "431 ") // net/http allows 4096 bytes more
	require.Contains(t, exchange(t, addr, "GET / HTTP/1.1\r\nHost: x\r\n"+strings.Repeat("X: y\r\n", 20_000)+"\r\n"), "431 ")
}

func TestTLSVersions(t *testing.T) {
	certFile, keyFile := tempFiles(t)
	writeKeyPair(t, certFile, keyFile, "a")
	addr := start(t, func(srv *http.Server) {
		var err error
		srv.TLSConfig.GetCertificate, err = server.ReloadCertificate(certFile, keyFile)
		require.NoError(t, err)
	})
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
			require.Equal(t, ok, err == nil, "%v", err)
			if err != nil {
				require.ErrorContains(t, err, "protocol version")
				return
			}
			defer conn.Close()
			_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			require.NoError(t, err)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			require.Equal(t, 200, resp.StatusCode)
		})
	}
}

func TestReloadCertificate(t *testing.T) {
	certFile, keyFile := tempFiles(t)
	_, err := server.ReloadCertificate(certFile, keyFile)
	require.ErrorIs(t, err, os.ErrNotExist)

	writeKeyPair(t, certFile, keyFile, "first")
	get, err := server.ReloadCertificate(certFile, keyFile)
	require.NoError(t, err)
	name := func() string {
		cert, err := get(nil)
		require.NoError(t, err)
		return cert.Leaf.Subject.CommonName
	}
	// Set the times: a coarse clock may not distinguish two changes.
	later := time.Now()
	touch := func() {
		later = later.Add(time.Second)
		require.NoError(t, os.Chtimes(certFile, later, later))
		require.NoError(t, os.Chtimes(keyFile, later, later))
	}
	require.Equal(t, "first", name())
	writeKeyPair(t, certFile, keyFile, "second")
	touch()
	require.Equal(t, "second", name())

	require.NoError(t, os.WriteFile(certFile, []byte("half a certif"), 0o600))
	touch()
	require.Equal(t, "second", name(), "the earlier certificate stays while the files are written")
	other := filepath.Join(t.TempDir(), "key.pem")
	writeKeyPair(t, certFile, other, "third")
	touch()
	require.Equal(t, "second", name(), "the earlier certificate stays while the key does not match")
	require.NoError(t, os.Rename(other, keyFile))
	touch()
	require.Equal(t, "third", name())
	require.NoError(t, os.Remove(keyFile))
	require.Equal(t, "third", name())
}
