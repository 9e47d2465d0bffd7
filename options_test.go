package anymail_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

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

// A list that is empty because a setting is missing must not open an endpoint.
func TestOptionsRefuseEmptyLists(t *testing.T) {
	var secrets []string
	var prefixes []netip.Prefix
	_, err := anymail.New(anymail.WithSharedSecret(secrets...))
	require.ErrorIs(t, err, anymail.ErrConfig)
	_, err = anymail.New(anymail.WithAllowedAddresses(prefixes...))
	require.ErrorIs(t, err, anymail.ErrConfig)
	_, err = anymail.New(anymail.WithForwardedHeaders(secrets...))
	require.ErrorIs(t, err, anymail.ErrConfig)
}
