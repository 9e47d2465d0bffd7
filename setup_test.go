package anymail_test

import (
	"context"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// Parameters of the routes around the Dispatcher are theirs.
func TestMountedBelowParameters(t *testing.T) {
	d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.WithLogger(quiet), anymail.WithPublicURL("https://example.com/x"))
	require.NoError(t, err)
	a := newAcme("key")
	a.endpoint.Path = ""
	var url, tenant string
	a.endpoint.Parser = anymail.ParserFunc(func(ctx context.Context, p *anymail.Payload) ([]anymail.Event, error) {
		url, tenant = p.URL, chi.URLParamFromCtx(ctx, "endpoint")
		return nil, nil
	})
	require.NoError(t, d.Register("acme", a))
	router := chi.NewRouter()
	router.Route("/{name}", func(r chi.Router) {
		r.Route("/{endpoint}", func(r chi.Router) { r.Mount("/hooks", d) })
	})
	h := &house{url: serve(t, router)}
	p := newPost("[]").sign("key", time.Now())
	p.path = "/acme/tracking/hooks/acme"
	require.Equal(t, 200, h.do(t, p).StatusCode)
	require.Equal(t, "https://example.com/x/acme", url)
	require.Equal(t, "tracking", tenant)
}

// Limits of an adapter are laid over those of the Dispatcher, field by field.
func TestLimitsOfAnAdapter(t *testing.T) {
	d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.WithLogger(quiet), anymail.WithLimits(anymail.Limits{Body: 1000, FormFields: 3}))
	require.NoError(t, err)
	var got anymail.Limits
	a := newAcme("key")
	a.endpoint.MaxBody = 2000
	a.endpoint.Parser = anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
		got = p.Limits
		return nil, nil
	})
	require.NoError(t, d.Register("acme", a, anymail.WithLimits(anymail.Limits{BatchEvents: 7, BodyTime: -1})))
	h := &house{url: serve(t, http.StripPrefix("/hooks", d))}
	require.Equal(t, 200, h.do(t, newPost("[]").sign("key", time.Now())).StatusCode)
	require.Equal(t, anymail.Limits{
		Body: 1000, FormFields: 3, BatchEvents: 7, BodyTime: 30 * time.Second, RequestTime: time.Minute,
		MIMEDepth: 24, MIMEParts: 1000, MIMEHeaders: 2000, Fetch: 64 << 20,
	}, got)
}

func TestOptionsRefuseNil(t *testing.T) {
	for name, option := range map[string]anymail.Option{
		"logger":         anymail.WithLogger(nil),
		"clock":          anymail.WithClock(nil),
		"shared secrets": anymail.WithSharedSecretSource(nil),
		"address list":   anymail.WithAllowedAddressFunc(nil),
		"store":          anymail.WithIdempotencyStore(nil),
		"window":         anymail.WithTimestampWindow(-time.Second),
	} {
		_, err := anymail.New(option)
		require.ErrorIs(t, err, anymail.ErrConfig, name)
	}
	_, err := anymail.New(nil)
	require.ErrorIs(t, err, anymail.ErrConfig)
}

// A list that is empty because a setting was not found opens nothing.
func TestOptionsRefuseEmptyLists(t *testing.T) {
	var secrets []string
	var prefixes []netip.Prefix
	_, err := anymail.New(anymail.WithSharedSecret(secrets...))
	require.ErrorIs(t, err, anymail.ErrConfig)
	_, err = anymail.New(anymail.WithAllowedAddresses(prefixes...))
	require.ErrorIs(t, err, anymail.ErrConfig)
}

// What was read from a file often has its line end.
func TestSecretsWithWhiteSpace(t *testing.T) {
	for _, text := range []string{secret + "\n", secret + "\r\n", " " + secret, secret + "\t"} {
		_, err := anymail.New(anymail.WithSharedSecret(text))
		require.ErrorContains(t, err, "white space", "%q", text)
	}
}

func TestRegisterRefusesAdapters(t *testing.T) {
	d, err := anymail.New()
	require.NoError(t, err)
	require.ErrorIs(t, d.Register("a", nil), anymail.ErrConfig)
	require.ErrorIs(t, d.Register("a", noEndpoints{}), anymail.ErrConfig)
	deep := newAcme("key")
	deep.endpoint.Path = "tracking/more"
	require.ErrorIs(t, d.Register("a", deep), anymail.ErrConfig)
}

type noEndpoints struct{}

func (noEndpoints) ESP() string                   { return "none" }
func (noEndpoints) Endpoints() []anymail.Endpoint { return nil }
