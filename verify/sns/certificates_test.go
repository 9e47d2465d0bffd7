package sns_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify/sns"
)

// scaleway describes another service that speaks SNS.
func scaleway(topicARN string) (sns.Service, bool) {
	parts := strings.Split(topicARN, ":")
	if len(parts) != 6 || parts[1] != "scw" || parts[2] != "sns" || (parts[3] != "fr-par" && parts[3] != "nl-ams") {
		return sns.Service{}, false
	}
	return sns.Service{
		CertificatePrefix: "https://messaging.s3." + parts[3] + ".scw.cloud/",
		APIHost:           "sns.mnq." + parts[3] + ".scaleway.com",
	}, true
}

func TestRoots(t *testing.T) {
	a := newAuthority()
	pool := func(certs ...*x509.Certificate) *x509.CertPool {
		p := x509.NewCertPool()
		for _, c := range certs {
			p.AddCert(c)
		}
		return p
	}
	stranger := &authority{key: otherKey()}
	strangerDER := stranger.issue(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, &stranger.key.PublicKey)
	strangerCert, err := x509.ParseCertificate(strangerDER)
	require.NoError(t, err)
	// A second authority below a, whose certificate is sent too.
	below := &authority{key: stranger.key}
	belowDER := a.issue(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, &below.key.PublicKey)
	below.cert, err = x509.ParseCertificate(belowDER)
	require.NoError(t, err)
	belowLeaf := below.issue(&x509.Certificate{DNSNames: []string{"messaging.example.com"}}, &a.key.PublicKey)

	tests := []struct {
		name  string
		roots *x509.CertPool
		certs []byte
		want  string
	}{
		{"not checked", nil, a.leaf(), ""},
		{"issued by the root", pool(strangerCert, a.cert), a.leaf(), ""},
		{"issued by an intermediate that is trusted", pool(below.cert), certPEM(belowLeaf), ""},
		{"with the chain", pool(a.cert), certPEM(belowLeaf, belowDER), ""},
		{"chain missing", pool(a.cert), certPEM(belowLeaf), badCert},
		{"another root", pool(strangerCert), a.leaf(), badCert},
		{"no root", pool(), a.leaf(), badCert},
		{"expired", pool(a.cert), certPEM(a.issue(&x509.Certificate{
			NotBefore: testTime.AddDate(-1, 0, 0), NotAfter: testTime.Add(-time.Second)}, &a.key.PublicKey)), badCert},
	}
	const arn = "arn:scw:sns:fr-par:project-11111111-1111-4111-8111-111111111111:mail"
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serving(tt.certs)
			v := sns.New(sns.Options{TopicARNs: []string{arn}, Service: scaleway, Roots: tt.roots, Client: s.client()})
			m := notification()
			m.TopicArn = arn
			m.SigningCertURL = "https://messaging.s3.fr-par.scw.cloud/fr-par/sns/sns_certificate_1.crt"
			a.sign(m, "1")
			if tt.want != "" {
				refuses(t, v, posted(t, m), tt.want)
			} else {
				proves(t, v, posted(t, m))
			}
		})
	}
}

func TestCertificate(t *testing.T) {
	a := newAuthority()
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	dated := func(from, to time.Time) []byte {
		return certPEM(a.issue(&x509.Certificate{DNSNames: []string{"sns.amazonaws.com"}, NotBefore: from, NotAfter: to}, &a.key.PublicKey))
	}
	hugeN := new(big.Int).Lsh(big.NewInt(1), 8192)
	huge := &rsa.PublicKey{N: hugeN.Add(hugeN, big.NewInt(1)), E: 65537}
	leaf := a.leaf("sns.amazonaws.com")
	tests := []struct {
		name   string
		status int
		body   []byte
		err    error
		want   string
	}{
		{"global name", 200, leaf, nil, ""},
		{"name of the region", 200, a.leaf("sns-signing.eu-west-1.amazonaws.com"), nil, ""},
		{"several names", 200, a.leaf("example.com", "sns.amazonaws.com"), nil, ""},
		{"with text around", 200, append([]byte("subject: sns\n"), append(leaf, "\nbye"...)...), nil, ""},
		{"valid until this second", 200, dated(testTime.AddDate(-1, 0, 0), testTime), nil, ""},
		{"valid from this second", 200, dated(testTime, testTime.AddDate(1, 0, 0)), nil, ""},

		{"expired", 200, dated(testTime.AddDate(-1, 0, 0), testTime.Add(-time.Second)), nil, badCert},
		{"not yet valid", 200, dated(testTime.Add(time.Second), testTime.AddDate(1, 0, 0)), nil, badCert},
		{"another name", 200, a.leaf("sqs.amazonaws.com"), nil, badCert},
		{"name of another region", 200, a.leaf("sns-signing.us-east-1.amazonaws.com"), nil, badCert},
		{"wildcard of a level above", 200, a.leaf("*.com"), nil, badCert},
		{"no name", 200, a.leaf(), nil, badCert},
		{"another key", 200, certPEM(a.issue(&x509.Certificate{DNSNames: []string{"sns.amazonaws.com"}}, &otherKey().PublicKey)), nil, mismatch},
		{"not RSA", 200, certPEM(a.issue(&x509.Certificate{DNSNames: []string{"sns.amazonaws.com"}}, &ecKey.PublicKey)), nil, badCert},
		{"too large a key", 200, certPEM(a.issue(&x509.Certificate{DNSNames: []string{"sns.amazonaws.com"}}, huge)), nil, badCert},
		{"empty", 200, nil, nil, badCert},
		{"not PEM", 200, []byte("<html>"), nil, badCert},
		{"a key", 200, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(a.key)}), nil, badCert},
		{"too many", 200, bytes.Repeat(leaf, 9), nil, badCert},
		{"too large", 200, bytes.Repeat([]byte("\n"), 64<<10+1), nil, badCert},
		{"there is none", 404, nil, nil, badCert},
		{"forbidden", 403, nil, nil, "unavailable: the ESP refused a fetch: status 403"},
		{"server error", 500, leaf, nil, "unavailable: the ESP refused a fetch: status 500"},
		{"out of reach", 0, nil, errors.New("GET " + certURL), unavailable + "no HTTP answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &server{serve: func(r *http.Request) (int, []byte, error) {
				if r.URL.String() != certURL {
					t.Errorf("asked for %s", r.URL)
				}
				return tt.status, tt.body, tt.err
			}}
			v := sns.New(sns.Options{TopicARNs: []string{topic}, Client: s.client()})
			m := notification()
			a.sign(m, "2")
			if tt.want == "" {
				proves(t, v, posted(t, m))
				return
			}
			refuses(t, v, posted(t, m), tt.want)
			if strings.HasPrefix(tt.want, "unavailable") {
				_, err := v.Verify(t.Context(), posted(t, m))
				require.ErrorIs(t, err, anymail.ErrUnavailable)
			}
		})
	}
}

func TestCertificatePanic(t *testing.T) {
	a := newAuthority()
	v := sns.New(sns.Options{TopicARNs: []string{topic}, Client: (&server{serve: func(*http.Request) (int, []byte, error) { panic("transport") }}).client()})
	m := notification()
	a.sign(m, "2")
	refuses(t, v, posted(t, m), "unavailable: signing certificate: panic")
}

// A certificate is fetched again after a day, and used on if that fails.
func TestCertificateAge(t *testing.T) {
	a := newAuthority()
	s := serving(a.leaf("sns.amazonaws.com"))
	good := s.serve
	down := func(*http.Request) (int, []byte, error) { return 503, nil, nil }
	gone := func(*http.Request) (int, []byte, error) { return 404, nil, nil }
	v := sns.New(sns.Options{TopicARNs: []string{topic}, Client: s.client()})
	m := notification()
	a.sign(m, "2")
	const downText = "unavailable: the ESP refused a fetch: status 503"
	steps := []struct {
		after time.Duration // since the step before
		serve func(*http.Request) (int, []byte, error)
		asked int32 // in total
		want  string
	}{
		{0, down, 1, downText},
		{9 * time.Second, good, 1, downText}, // a failure is kept, but
		{time.Second, good, 2, ""},           // not for long
		{time.Second, down, 2, ""},
		{23 * time.Hour, down, 2, ""},
		{time.Hour, down, 3, ""},       // a day old, but out of reach
		{9 * time.Second, good, 3, ""}, // fetched a moment ago
		{time.Second, good, 4, ""},
		{24 * time.Hour, gone, 5, badCert}, // withdrawn
		{time.Second, gone, 5, badCert},
		{9 * time.Second, good, 6, ""},
		{0, down, 6, ""},
		{8760 * time.Hour, down, 7, badCert}, // it has expired
	}
	now := testTime.AddDate(0, -3, 0)
	for i, step := range steps {
		now = now.Add(step.after)
		s.serve = step.serve
		p := posted(t, m)
		p.ReceivedAt = now
		if step.want == "" {
			_, err := v.Verify(t.Context(), p)
			require.NoError(t, err, "step %d", i)
		} else {
			_, err := v.Verify(t.Context(), p)
			require.EqualError(t, err, step.want, "step %d", i)
		}
		require.Equal(t, step.asked, s.asked.Load(), "step %d", i)
	}
}

// Forged requests can make the server fetch a few URLs at once at most, and the
// good certificate stays.
func TestCertificatesBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		leaf := a.leaf("sns.amazonaws.com")
		release := make(chan struct{})
		var running, most atomic.Int32
		s := &server{serve: func(r *http.Request) (int, []byte, error) {
			if r.URL.String() == certURL {
				return 200, leaf, nil
			}
			n := running.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			<-release
			running.Add(-1)
			return 404, nil, nil
		}}
		v := sns.New(sns.Options{TopicARNs: []string{topic}, Client: s.client()})
		good := notification()
		a.sign(good, "2")
		proves(t, v, posted(t, good))

		var wg sync.WaitGroup
		for i := range 10 {
			for range 3 { // the same URL is fetched once
				p := posted(t, func() *sns.Message {
					m := notification()
					a.sign(m, "2")
					m.SigningCertURL = strings.Replace(certURL, "0123", fmt.Sprint(i), 1)
					return m
				}())
				wg.Go(func() {
					_, err := v.Verify(t.Context(), p)
					if err == nil || err.Error() != badCert {
						t.Errorf("forged: %v", err)
					}
				})
			}
		}
		synctest.Wait()
		require.EqualValues(t, 4, running.Load())
		proves(t, v, posted(t, good))
		close(release)
		wg.Wait()
		require.EqualValues(t, 4, most.Load())
		require.EqualValues(t, 11, s.asked.Load())
		proves(t, v, posted(t, good))
		require.EqualValues(t, 11, s.asked.Load(), "still kept")
	})
}

// crowd handles n forged messages, each of which names a certificate of its own,
// and returns when they wait.
func crowd(t *testing.T, n int, handle func(*sns.Message)) {
	t.Helper()
	for i := range n {
		m := notification()
		newAuthority().sign(m, "2")
		m.SigningCertURL = strings.Replace(certURL, "0123", fmt.Sprint("forged", i), 1)
		go handle(m)
	}
	synctest.Wait()
}

// stalling serves the certificate at certURL, and nothing at other URLs until
// release is called.
func stalling(certificate []byte) (s *server, release func()) {
	stall := make(chan struct{})
	return &server{serve: func(r *http.Request) (int, []byte, error) {
		if r.URL.String() == certURL {
			return 200, certificate, nil
		}
		<-stall
		return 404, nil, nil
	}}, func() { close(stall); synctest.Wait() }
}

const crowded = "unavailable: too many signing certificates are being fetched"

// Forged messages keep waiting only as many requests as there are places for
// them. Requests that proved a secret have other places, and so does the renewal
// of a certificate.
func TestForgedMessagesHavePlacesOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		s, release := stalling(a.leaf("sns.amazonaws.com"))
		v := sns.New(sns.Options{TopicARNs: []string{topic}, Client: s.client()})
		var waiting atomic.Int32
		crowd(t, 100, func(m *sns.Message) {
			waiting.Add(1)
			defer waiting.Add(-1)
			_, _ = v.Verify(context.Background(), posted(t, m))
		})
		require.EqualValues(t, 32, waiting.Load())
		require.EqualValues(t, 4, s.asked.Load())

		good := notification()
		a.sign(good, "2")
		p := posted(t, good)
		refuses(t, v, p, crowded)
		_, err := v.Verify(t.Context(), p)
		require.ErrorIs(t, err, anymail.ErrUnavailable, "SNS retries")
		p.SecretProved = true
		proves(t, v, p)
		require.EqualValues(t, 5, s.asked.Load())
		p.SecretProved = false
		proves(t, v, p)
		p.ReceivedAt = testTime.Add(25 * time.Hour)
		proves(t, v, p)
		require.EqualValues(t, 6, s.asked.Load(), "renewed")

		time.Sleep(time.Minute)
		require.EqualValues(t, 4, waiting.Load(), "the others were out of time")
		release()
		require.Zero(t, waiting.Load())
		require.EqualValues(t, 6, s.asked.Load())
	})
}

// Having found no place says nothing about a certificate: it is fetched as soon
// as there is one.
func TestCrowdIsNoFailureOfACertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		s, release := stalling(a.leaf("sns.amazonaws.com"))
		v := sns.New(sns.Options{TopicARNs: []string{topic}, Client: s.client()})
		crowd(t, 20, func(m *sns.Message) { _, _ = v.Verify(context.Background(), posted(t, m)) })
		good := notification()
		a.sign(good, "2")
		refuses(t, v, posted(t, good), crowded) // after ten seconds
		release()
		proves(t, v, posted(t, good))
	})
}

// endpoint is an adapter of one endpoint with a verifier.
type endpoint struct{ verifier anymail.Verifier }

func (endpoint) ESP() string { return "example" }

func (e endpoint) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{{Path: "tracking", Verifier: e.verifier, Parser: anymail.ParserFunc(func(context.Context, *anymail.Payload) ([]anymail.Event, error) {
		return []anymail.Event{&anymail.TrackingEvent{Common: anymail.Common{Key: "k", Type: anymail.EventDelivered}}}, nil
	})}}
}

// More forged messages than a Dispatcher has places for requests do not keep
// other ESPs out.
func TestForgedMessagesStarveNoOtherESP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const secret = "hook:correct-horse-battery-42"
		s, release := stalling(nil)
		d, err := anymail.New(anymail.WithLogger(slog.New(slog.DiscardHandler)))
		require.NoError(t, err)
		require.NoError(t, d.Register("ses", endpoint{sns.New(sns.Options{TopicARNs: []string{topic}, Client: s.client()})}))
		require.NoError(t, d.Register("other", endpoint{}, anymail.WithSharedSecret(secret)))
		post := func(path string, body []byte) int {
			r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
			r.SetBasicAuth("hook", "correct-horse-battery-42")
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			return w.Code
		}
		crowd(t, 2*anymail.DefaultMaxInFlight, func(m *sns.Message) { post("/ses/tracking/", posted(t, m).Body) })
		require.Equal(t, http.StatusOK, post("/other/tracking/", []byte("{}")))
		release()
	})
}

// A clock may jump in either direction. A certificate is fetched again then, and
// used on if it is out of reach; the newest are kept, whatever their times.
func TestCertificateClockJumps(t *testing.T) {
	a := newAuthority()
	s := serving(a.leaf("sns.amazonaws.com"))
	good := s.serve
	v := sns.New(sns.Options{TopicARNs: []string{topic}, Client: s.client()})
	m := notification()
	ask := func(n int, now time.Time) (asked bool) {
		t.Helper()
		a.sign(m, "2")
		before := s.asked.Load()
		m.SigningCertURL = strings.Replace(certURL, "0123", fmt.Sprint(n), 1)
		p := posted(t, m)
		p.ReceivedAt = now
		proves(t, v, p)
		return s.asked.Load() != before
	}
	require.True(t, ask(0, testTime))
	require.False(t, ask(0, testTime.Add(-23*time.Hour)))
	back, ahead := testTime.AddDate(0, -1, 0), testTime.AddDate(0, 1, 0)
	require.True(t, ask(0, back), "it is unknown how old it is")
	require.False(t, ask(0, back.Add(time.Hour)))
	require.True(t, ask(0, ahead))
	s.serve = func(*http.Request) (int, []byte, error) { return 503, nil, nil }
	require.True(t, ask(0, back), "used on")
	require.False(t, ask(0, back.Add(9*time.Second)), "the failure is kept")
	require.True(t, ask(0, back.Add(-10*time.Second)), "until the clock jumps")

	s.serve = good
	for i := range 64 {
		ask(i, ahead)
	}
	require.True(t, ask(64, back))
	require.False(t, ask(64, back), "the newest is kept, though the others have later times")
}

// The caches are bounded: the oldest certificate makes room, and failures are
// forgotten all at once.
func TestCertificatesForgotten(t *testing.T) {
	a := newAuthority()
	s := serving(a.leaf("sns.amazonaws.com"))
	good := s.serve
	v := sns.New(sns.Options{TopicARNs: []string{topic}, Client: s.client()})
	m := notification()
	a.sign(m, "2")
	now := testTime
	ask := func(name string, n int) (asked bool) {
		now = now.Add(time.Millisecond)
		before := s.asked.Load()
		m.SigningCertURL = strings.Replace(certURL, "0123", fmt.Sprint(name, n), 1)
		p := posted(t, m)
		p.ReceivedAt = now
		_, err := v.Verify(t.Context(), p)
		require.Equal(t, name == "good", err == nil, "%v", err)
		return s.asked.Load() != before
	}
	for i := range 65 {
		require.True(t, ask("good", i))
	}
	require.False(t, ask("good", 1))
	require.False(t, ask("good", 64))
	require.True(t, ask("good", 0), "the oldest has made room")

	s.serve = func(*http.Request) (int, []byte, error) { return 404, nil, nil }
	for i := range 1024 {
		require.True(t, ask("bad", i))
	}
	require.False(t, ask("bad", 0))
	require.True(t, ask("bad", 1024))
	require.True(t, ask("bad", 0), "forgotten")
	s.serve = good
	require.False(t, ask("good", 64), "a good certificate is not")
}

// A client that hangs up gets its result at once. The fetch goes on for the
// others, and times out if the server does not respond.
func TestCertificateContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		s := &server{serve: func(r *http.Request) (int, []byte, error) {
			<-r.Context().Done()
			return 0, nil, r.Context().Err()
		}}
		v := sns.New(sns.Options{TopicARNs: []string{topic}, Client: s.client()})
		m := notification()
		a.sign(m, "2")
		p := posted(t, m)
		started := time.Now()
		other := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, err := v.Verify(ctx, p)
			other <- err
		}()
		synctest.Wait()
		go func() {
			_, err := v.Verify(t.Context(), p)
			other <- err
		}()
		synctest.Wait()
		cancel()
		err := <-other
		require.ErrorIs(t, err, anymail.ErrUnavailable)
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, time.Since(started))
		err = <-other
		require.EqualError(t, err, unavailable+"timeout")
		require.Equal(t, 10*time.Second, time.Since(started))
		require.EqualValues(t, 1, s.asked.Load(), "one fetch for both")
	})
}
