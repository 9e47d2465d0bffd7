package fetch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/fetch"
)

// esp serves https for every name below example.com: httptest's certificate is
// valid for them, and the client connects every name to the server.
func esp(t *testing.T, handler http.HandlerFunc) *http.Client {
	t.Helper()
	srv := httptest.NewTLSServer(handler)
	t.Cleanup(srv.Close)
	client := srv.Client()
	transport := client.Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, srv.Listener.Addr().String())
	}
	client.Transport = transport
	return client
}

// noClient fails the test on any request.
func noClient(t *testing.T) *http.Client {
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		t.Errorf("request to %s", r.URL.Host)
		return nil, errors.New("unexpected request")
	})}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestGet(t *testing.T) {
	client := esp(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Host+" "+r.URL.RequestURI()+" "+r.Header.Get("X-Key"))
	})
	g := fetch.Getter{Client: client, Hosts: []string{"api.example.com", ".store.example.com"}}
	tests := []struct{ url, want string }{
		{"https://api.example.com/m/1?t=2", "api.example.com /m/1?t=2 k"},
		{"https://api.example.com:443/m/1", "api.example.com /m/1 k"},
		{"https://API.example.com/m/1", "API.example.com /m/1 k"},
	}
	for _, tt := range tests {
		got, err := g.Get(t.Context(), tt.url, http.Header{"x-key": {"k"}})
		require.NoError(t, err, tt.url)
		if diff := cmp.Diff(strings.ToLower(tt.want), strings.ToLower(strings.ReplaceAll(string(got), ":443", ""))); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.url, diff)
		}
	}
}

func TestAllowed(t *testing.T) {
	g := fetch.Getter{Hosts: []string{"api.example.com", ".store.example.com"}}
	for _, url := range []string{
		"https://api.example.com/",
		"https://api.example.com",
		"https://api.example.com:443/x",
		"https://eu.store.example.com/x",
		"https://a.eu.store.example.com/x",
	} {
		require.NoError(t, g.Allowed(url), url)
	}
	for _, url := range []string{
		"",
		"/m/1",
		"//api.example.com/m",
		"http://api.example.com/",
		"ftp://api.example.com/",
		"https:api.example.com/",
		"https://api.example.com:8443/",
		"https://api.example.com:0443/",
		"https://user@api.example.com/",
		"https://user:secret@api.example.com/",
		"https://api.example.com@evil.example.org/",
		"https://evil.example.org/https://api.example.com/",
		"https://evil.example.org#@api.example.com",
		"https://evil.example.org?api.example.com",
		"https://evil.example.org\\@api.example.com/",
		"https://api.example.com.example.org/",
		"https://xapi.example.com/",
		"https://store.example.com/",
		"https://xstore.example.com/",
		"https://api.example.com./",
		"https://192.0.2.1/",
		"https://[2001:db8::1]/",
		"https://api.example.com\n/",
		"https://api.example.com%00/",
		" https://api.example.com/",
	} {
		require.ErrorIs(t, g.Allowed(url), anymail.ErrMalformed, url)
		_, err := fetch.Getter{Client: noClient(t), Hosts: g.Hosts}.Get(t.Context(), url, nil)
		require.ErrorIs(t, err, anymail.ErrMalformed, url)
	}
	require.Error(t, fetch.Getter{}.Allowed("https://api.example.com/"), "without hosts no URL is allowed")
}

func TestGetStatus(t *testing.T) {
	client := esp(t, func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(r.URL.Query().Get("status"))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "tok-secret")
	})
	g := fetch.Getter{Client: client, Hosts: []string{"api.example.com"}}
	tests := map[int]error{
		201: anymail.ErrUnavailable, // a GET creates nothing
		206: anymail.ErrUnavailable, // a part is not the content
		302: anymail.ErrUnavailable, // without a Location
		304: anymail.ErrUnavailable,
		401: anymail.ErrUnavailable, // the user may fix the key before the ESP stops retrying
		403: anymail.ErrUnavailable,
		404: fetch.ErrGone,
		410: fetch.ErrGone,
		429: anymail.ErrUnavailable,
		500: anymail.ErrUnavailable,
		503: anymail.ErrUnavailable,
	}
	for status, want := range tests {
		_, err := g.Get(t.Context(), "https://api.example.com/m?key=tok-secret&status="+strconv.Itoa(status), nil)
		require.ErrorIs(t, err, want, status)
		require.NotContains(t, err.Error(), "tok-secret", status)
	}
}

func TestRedirect(t *testing.T) {
	type seen struct{ Host, Key, Authorization, Referer string }
	var got []seen
	client := esp(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, seen{r.Host, r.Header.Get("X-Api-Key"), r.Header.Get("Authorization"), r.Referer()})
		to := r.URL.Query()["to"]
		if len(to) == 0 {
			_, _ = io.WriteString(w, "content")
			return
		}
		next := to[0]
		for i, more := range to[1:] {
			sep := "&"
			if i == 0 {
				sep = "?"
			}
			next += sep + "to=" + more
		}
		http.Redirect(w, r, next, http.StatusFound)
	})
	g := fetch.Getter{Client: client, Hosts: []string{"api.example.com", "cdn.example.com"}}
	// Not in canonical form, which Header.Del expects.
	header := http.Header{"x-api-key": {"k"}, "Authorization": {"Basic a"}}
	const api, cdn = "https://api.example.com/m?token=t", "https://cdn.example.com/m"
	with := seen{"api.example.com", "k", "Basic a", ""}
	tests := []struct {
		name string
		url  string
		want []seen
		err  error
	}{
		{"none", api, []seen{with}, nil},
		{"same host", api + "&to=/n", []seen{with, with}, nil},
		{"another host", api + "&to=" + cdn, []seen{with, {"cdn.example.com", "", "", ""}}, nil},
		{"there and back", api + "&to=" + cdn + "&to=https://api.example.com/n",
			[]seen{with, {"cdn.example.com", "", "", ""}, {"api.example.com", "", "", ""}}, nil},
		{"not allowed", api + "&to=https://evil.example.com/m", []seen{with}, anymail.ErrMalformed},
		{"to http", api + "&to=http://api.example.com/m", []seen{with}, anymail.ErrMalformed},
		{"to another port", api + "&to=https://api.example.com:8443/m", []seen{with}, anymail.ErrMalformed},
		{"with userinfo", api + "&to=https://u:p@api.example.com/m", []seen{with}, anymail.ErrMalformed},
		{"unreadable", api + "&to=https://api.example.com:tok-secret/", []seen{with}, anymail.ErrUnavailable},
		{"too many", api + strings.Repeat("&to=/n", 6), []seen{with, with, with, with, with}, anymail.ErrUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got = nil
			content, err := g.Get(t.Context(), tt.url, header)
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
				require.NotContains(t, err.Error(), "tok-secret")
				require.NotContains(t, err.Error(), "example")
			} else {
				require.NoError(t, err)
				require.Equal(t, "content", string(content))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("requests (-want +got)\n%s", diff)
			}
		})
	}
	require.Equal(t, http.Header{"x-api-key": {"k"}, "Authorization": {"Basic a"}}, header, "the caller's header is unchanged")
}

func TestGetSize(t *testing.T) {
	const most = 1000
	client := esp(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		content := bytes.Repeat([]byte("a"), n)
		switch r.URL.Path {
		case "/declared":
			w.Header().Set("Content-Length", strconv.Itoa(n))
			_, _ = w.Write(content)
		case "/chunked":
			w.(http.Flusher).Flush()
			_, _ = w.Write(content)
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(content)
			_ = z.Close()
		case "/short":
			w.Header().Set("Content-Length", strconv.Itoa(n+1))
			_, _ = w.Write(content)
		case "/endless":
			w.Header().Set("Content-Length", strconv.Itoa(n))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	})
	client.Timeout = 10 * time.Second
	g := fetch.Getter{Client: client, Hosts: []string{"api.example.com"}, MaxBytes: most}
	tests := []struct {
		path string
		n    int
		err  error
	}{
		{"declared", 0, nil},
		{"declared", most, nil},
		{"declared", most + 1, anymail.ErrTooLarge},
		{"chunked", 0, nil},
		{"chunked", most, nil},
		{"chunked", most + 1, anymail.ErrTooLarge},
		{"gzip", most, nil},
		{"gzip", 1000 * most, anymail.ErrTooLarge},
		{"short", 10, anymail.ErrUnavailable},
		{"endless", most + 1, anymail.ErrTooLarge}, // without waiting for it
	}
	for _, tt := range tests {
		content, err := g.Get(t.Context(), "https://api.example.com/"+tt.path+"?n="+strconv.Itoa(tt.n), nil)
		require.ErrorIs(t, err, tt.err, "%s %d", tt.path, tt.n)
		if tt.err == nil {
			require.Len(t, content, tt.n, "%s %d", tt.path, tt.n)
		}
	}
}

// Content larger than maxPrealloc arrives whole.
func TestGetLarge(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
	client := esp(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(want)))
		_, _ = w.Write(want)
	})
	got, err := fetch.Getter{Client: client, Hosts: []string{"api.example.com"}}.Get(t.Context(), "https://api.example.com/", nil)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))
}

func TestGetFails(t *testing.T) {
	const secretURL = "https://api.example.com/m?token=tok-secret"
	fail := func(err error) *http.Client {
		return &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, err })}
	}
	// The server must not answer when the client hangs up: if an answer and the end
	// of a connection arrive together, the client may report either.
	release := make(chan struct{})
	stuck := esp(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	stuck.Timeout = 20 * time.Millisecond
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name   string
		ctx    context.Context
		client *http.Client
		want   string
	}{
		{"timeout", t.Context(), stuck, "timeout"},
		{"cancelled", cancelled, fail(context.Canceled), "cancelled"},
		{"DNS", t.Context(), fail(&net.DNSError{Err: "no such host", Name: "tok-secret"}), "name does not resolve"},
		{"certificate", t.Context(), fail(&tls.CertificateVerificationError{Err: errors.New("tok-secret")}), "TLS certificate"},
		{"other", t.Context(), fail(errors.New("GET " + secretURL)), "no HTTP answer"},
		{"closed", t.Context(), fail(io.EOF), "closed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := fetch.Getter{Client: tt.client, Hosts: []string{"api.example.com"}}.Get(tt.ctx, secretURL, http.Header{"Authorization": {"tok-secret"}})
			require.ErrorIs(t, err, anymail.ErrUnavailable)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "tok-secret")
			require.NotContains(t, err.Error(), "/m")
		})
	}
	_, err := fetch.Getter{Client: fail(context.Canceled), Hosts: []string{"api.example.com"}}.Get(cancelled, secretURL, nil)
	require.ErrorIs(t, err, context.Canceled, "errors.Is finds the cause")
}

// Get uses the user's client and does not change it.
func TestClientUnchanged(t *testing.T) {
	client := esp(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/n", http.StatusFound)
		}
	})
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return errors.New("the user's own") }
	_, err := fetch.Getter{Client: client, Hosts: []string{"api.example.com"}}.Get(t.Context(), "https://api.example.com/", nil)
	require.NoError(t, err)
	require.EqualError(t, client.CheckRedirect(nil, nil), "the user's own")
}

func FuzzAllowed(f *testing.F) {
	for _, url := range []string{"https://api.example.com/x", "https://a.store.example.com/", "http://api.example.com", "https://u@api.example.com:443/?#"} {
		f.Add(url)
	}
	g := fetch.Getter{Hosts: []string{"api.example.com", ".store.example.com"}}
	f.Fuzz(func(t *testing.T, url string) {
		if g.Allowed(url) != nil {
			return
		}
		// An allowed URL is fetched over TLS from one of the hosts.
		fetched := false
		g := g
		g.Client = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			host := strings.ToLower(r.URL.Hostname())
			fetched = r.URL.Scheme == "https" && (host == "api.example.com" || strings.HasSuffix(host, ".store.example.com")) &&
				r.URL.User == nil && r.Header.Get("Authorization") == ""
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
		})}
		_, err := g.Get(t.Context(), url, nil)
		if err != nil || !fetched {
			t.Fatalf("%q: fetched properly: %v, error: %v", url, fetched, err)
		}
	})
}
