package anymail_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

func TestSharedSecretHeader(t *testing.T) {
	const odd = "esp:p\xff\x00ss:w\u00f6rd-Of-Any-Bytes"
	right := basic(secret)
	tests := []struct {
		name   string
		values []string
		status int
	}{
		{"right", []string{right}, 200},
		{"scheme in lower case", []string{"basic" + strings.TrimPrefix(right, "Basic")}, 200},
		{"more spaces", []string{"Basic   " + strings.TrimPrefix(right, "Basic ")}, 200},
		{"any bytes", []string{basic(odd)}, 200},
		{"right one twice", []string{right, right}, 400},
		{"right, then wrong", []string{right, basic("a:b")}, 400},
		{"wrong, then right", []string{basic("a:b"), right}, 400},
		{"joined by a comma", []string{right + ", " + right}, 400},
		{"empty", []string{""}, 400},
		{"scheme alone", []string{"Basic"}, 400},
		{"scheme and a space", []string{"Basic "}, 400},
		{"no scheme", []string{strings.TrimPrefix(right, "Basic ")}, 400},
		{"another scheme", []string{"Bearer" + strings.TrimPrefix(right, "Basic")}, 400},
		{"not encoded", []string{"Basic " + secret}, 400},
		{"no colon", []string{basic(strings.ReplaceAll(secret, ":", ""))}, 400},
		{"user alone", []string{basic("esp:")}, 400},
		{"password alone", []string{basic(":a-Long-Enough-Password")}, 400},
		{"another user", []string{basic("Esp:a-Long-Enough-Password")}, 400},
		{"truncated", []string{basic(secret[:len(secret)-1])}, 400},
		{"with a NUL at the end", []string{basic(secret + "\x00")}, 400},
		{"with a line end", []string{basic(secret + "\n")}, 400},
		{"not padded", []string{strings.TrimRight(basic(secret+"!"), "=")}, 400},
		{"garbage at the end", []string{right + "x"}, 400},
		{"base64 garbage at the end", []string{right + "eHh4"}, 400},
		{"not UTF-8", []string{basic("\xff\xfe:\xff")}, 400},
		{"huge", []string{basic(secret + strings.Repeat("x", 500_000))}, 400},
		{"huge garbage", []string{"Basic " + strings.Repeat("=", 500_000)}, 400},
	}
	srv := newTestServer(t, newAcme(), anymail.WithSharedSecret(secret, odd))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPost("[]")
			p.header["Authorization"] = tt.values
			require.Equal(t, tt.status, srv.do(t, p).StatusCode)
		})
	}
	_, err := anymail.New(anymail.WithSharedSecret("esp:" + strings.Repeat("0123456789abcdef", 100)))
	require.ErrorIs(t, err, anymail.ErrConfig, "longer than the header that is read")
}

func TestKeySources(t *testing.T) {
	for _, tt := range []struct {
		name   string
		source anymail.KeySource
		want   []string
	}{
		{"Keys", anymail.Keys("a", "b"), []string{"a", "b"}},
		{"KeyFunc", anymail.KeyFunc(func(context.Context) ([]string, error) { return []string{"c"}, nil }), []string{"c"}},
		{"KeyRing", anymail.NewKeyRing("d"), []string{"d"}},
		{"zero KeyRing", new(anymail.KeyRing), nil},
	} {
		keys, err := tt.source.Keys(t.Context())
		require.NoError(t, err)
		require.Equal(t, tt.want, keys, tt.name)
	}
	keys := []string{"before"}
	ring := anymail.NewKeyRing(keys...)
	keys[0] = "after"
	got, err := ring.Keys(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"before"}, got, "the ring keeps a copy")
}

// A secret that is read from a file often has a line end.
func TestSecretsWithWhiteSpace(t *testing.T) {
	for _, text := range []string{secret + "\n", secret + "\r\n", " " + secret, secret + "\t"} {
		_, err := anymail.New(anymail.WithSharedSecret(text))
		require.ErrorContains(t, err, "white space", "%q", text)
	}
}

func TestRotationWhileServing(t *testing.T) {
	ring := anymail.NewKeyRing(secret)
	srv := newTestServer(t, newAcme(), anymail.WithSharedSecretSource(ring))
	require.Equal(t, 200, srv.do(t, newPost(delivered)).StatusCode)
	ring.Set("esp:the-Next-Password-is-it")
	require.Equal(t, 400, srv.do(t, newPost(delivered)).StatusCode)
	next := newPost(delivered).with("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("esp:the-Next-Password-is-it")))
	require.Equal(t, 200, srv.do(t, next).StatusCode)
	ring.Set("weak:weak")
	weak := next.with("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("weak:weak")))
	require.Equal(t, 400, srv.do(t, weak).StatusCode, "a weak secret is refused")
	ring.Set()
	require.Equal(t, 400, srv.do(t, next).StatusCode)
}

// While secrets and keys change, requests that are valid throughout are accepted,
// and requests that are never valid are refused. Run with -race.
func TestRotationUnderLoad(t *testing.T) {
	const next = "esp:the-Next-Password-is-it"
	secrets, keys := anymail.NewKeyRing(secret), anymail.NewKeyRing("key")
	a := newAcme("key")
	a.endpoint.Verifier = newAcmeVerifier(keys)
	srv := newTestServer(t, a, anymail.WithSharedSecretSource(secrets), anymail.WithLogger(quiet))

	stop := make(chan struct{})
	var rotating, posting sync.WaitGroup
	rotating.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				secrets.Set(next, secret)
				keys.Set("next", "key")
				secrets.Set(secret)
				keys.Set("key")
			}
		}
	})
	for i := range 4 {
		posting.Go(func() {
			for j := range 50 {
				body := fmt.Sprintf(`{"ID":"%d-%d","Event":"delivered"}`, i, j)
				good := newPost(body).sign("key", time.Now())
				require.Equal(t, 400, srv.do(t, good.with("Authorization", basic("esp:never-Was-a-Password"))).StatusCode)
				require.Equal(t, 400, srv.do(t, newPost(body).sign("never", time.Now())).StatusCode)
				require.Equal(t, 200, srv.do(t, good).StatusCode)
			}
		})
	}
	posting.Wait()
	close(stop)
	rotating.Wait()
	require.Len(t, srv.take(), 200)
}
