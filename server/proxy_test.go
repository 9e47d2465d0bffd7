package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/mailgun/mailgunsim"
	"github.com/goanymail/anymail/esp/mandrill/mandrillsim"
	"github.com/goanymail/anymail/esp/sendgrid/sendgridsim"
	"github.com/goanymail/anymail/simulator"
)

// proxies are the programs whose settings docs/deploying.md has. Each is started with
// the very file, except for the addresses and the certificate.
var proxies = []struct {
	name, variable, file string
	configure            func(dir, config, port, upstream string) (content string, args []string)
}{
	{"nginx", "ANYMAIL_TEST_NGINX", "nginx.conf", func(dir, config, port, upstream string) (string, []string) {
		config = strings.NewReplacer("listen 443 ssl", "listen 127.0.0.1:"+port+" ssl", "/etc/ssl/hooks.example.com", dir+"/cert", "127.0.0.1:8080", upstream).Replace(config)
		temp := ""
		for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			temp += fmt.Sprintf("%s_temp_path %s/%s;\n", name, dir, name)
		}
		return "daemon off; master_process off; pid " + dir + "/pid; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n" + temp + config + "}\n",
			[]string{"-p", dir, "-e", "stderr", "-c", dir + "/config"}
	}},
	{"Caddy", "ANYMAIL_TEST_CADDY", "Caddyfile", func(dir, config, port, upstream string) (string, []string) {
		config = strings.NewReplacer("hooks.example.com {", "https://localhost:"+port+" {\ntls "+dir+"/cert.pem "+dir+"/cert.key", "127.0.0.1:8080", upstream).Replace(config)
		return "{\nadmin off\nauto_https disable_redirects\n}\n" + config,
			[]string{"run", "--adapter", "caddyfile", "--config", dir + "/config"}
	}},
}

// Signed requests arrive through real proxies, and a client's own forwarding headers
// have no effect.
func TestProxies(t *testing.T) {
	// The client has another address than the proxy, so that the proxy's is not
	// mistaken for it.
	const client = "127.0.0.2"
	claims := http.Header{
		"X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"evil.example"},
		"X-Forwarded-Prefix": {"/evil"}, "Forwarded": {"for=192.0.2.1;proto=http;host=evil.example"},
	}
	// More than nginx accepts by default. Mailgun's request has it.
	large := "@example.com>\r\nSubject: large\r\n\r\n" + strings.Repeat(strings.Repeat("x", 78)+"\r\n", 30_000)
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			program := os.Getenv(p.variable)
			if program == "" {
				t.Skip(p.variable + " is not set")
			}
			for _, sent := range []struct {
				sim    *simulator.Simulator
				sample string
			}{
				{mandrillsim.New(), "hard_bounce-general"},      // signs the URL
				{sendgridsim.New(), "delivered"},                // signs the bytes of the body
				{mailgunsim.New(), "route-forward-attachments"}, // a multipart form
			} {
				srv := anymailtest.NewServer(t, sent.sim,
					anymail.WithTrustedProxies(netip.MustParsePrefix("127.0.0.1/32")),
					anymail.WithForwardedHeaders("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Prefix"),
					anymail.RequireTLS(),
					anymail.WithAllowedAddresses(netip.MustParsePrefix(client+"/32")))
				base, trusting := startProxy(t, program, p.file, p.configure, srv.URL, client)
				sample, ok := sent.sim.Sample(sent.sample)
				require.True(t, ok)
				for _, path := range []string{"/anymail", "/mail/anymail"} {
					srv.URL = base + path
					for _, header := range []map[string][]string{nil, claims} {
						params := simulator.NewParams()
						params.MIME = []byte("Message-ID: <" + params.EventID + large)
						r := srv.Prepare(t, sample, params)
						for name, values := range header {
							r.Header[name] = values
						}
						require.Equal(t, 200, post(t, trusting, r), "%s %s %v: %s", sent.sim.ESP, path, header, srv.Rejections)
						require.NotEmpty(t, srv.Take())
					}
				}
			}
		})
	}
}

func post(t *testing.T, client *http.Client, r simulator.Request) int {
	t.Helper()
	req, err := r.HTTP()
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// startProxy starts a proxy in front of a server, until the test ends. It returns the
// proxy's base URL and a client that trusts it and has the address from.
func startProxy(t *testing.T, program, file string, configure func(dir, config, port, upstream string) (string, []string), behind, from string) (string, *http.Client) {
	t.Helper()
	dir := t.TempDir()
	writeKeyPair(t, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "cert.key"), "localhost")
	config, err := os.ReadFile(filepath.Join("..", "docs", "deploying", file))
	require.NoError(t, err)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(free.Addr().String())
	require.NoError(t, err)
	require.NoError(t, free.Close())
	upstream, err := url.Parse(behind)
	require.NoError(t, err)
	content, args := configure(dir, string(config), port, upstream.Host)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config"), []byte(content), 0o600))

	var output strings.Builder
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	cmd.Stdout, cmd.Stderr = &output, &output
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		_ = cmd.Wait() // what it was ended by
		if t.Failed() {
			t.Log(output.String())
		}
	})

	roots := x509.NewCertPool()
	pem, err := os.ReadFile(filepath.Join(dir, "cert.pem"))
	require.NoError(t, err)
	require.True(t, roots.AppendCertsFromPEM(pem))
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", "127.0.0.1:"+port)
		},
	}}
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, time.Minute, 20*time.Millisecond, "%s does not start", program)
	return "https://localhost:" + port, client
}

// The page shows the files that the test runs.
func TestDeployingShowsTheFiles(t *testing.T) {
	page, err := os.ReadFile("../docs/deploying.md")
	require.NoError(t, err)
	for _, p := range proxies {
		config, err := os.ReadFile(filepath.Join("../docs/deploying", p.file))
		require.NoError(t, err)
		require.Contains(t, string(page), string(config)+"```\n")
	}
}
