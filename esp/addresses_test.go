package esp_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/esp/brevo"
	"github.com/goanymail/anymail/esp/customerio"
	"github.com/goanymail/anymail/esp/mailtrap"
	"github.com/goanymail/anymail/esp/postmark"
	"github.com/goanymail/anymail/esp/resend"
	"github.com/goanymail/anymail/esp/socketlabs"
)

func TestPrefixes(t *testing.T) {
	require.Equal(t, []netip.Prefix{
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.7/32"),
		netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2001:db8::1/128"),
	}, esp.Prefixes("192.0.2.0/24", "198.51.100.7", "not an address", "2001:db8::/32", "2001:db8::1"))
}

// The lists of the adapters, each with an address in it and one just outside.
func TestPublishedAddresses(t *testing.T) {
	tests := []struct {
		esp             string
		list            []netip.Prefix
		entries         int
		inside, outside string
	}{
		{"brevo", brevo.Addresses(), 2, "1.179.127.255", "1.179.128.0"},
		{"brevo", brevo.Addresses(), 2, "172.246.240.1", "172.246.239.255"},
		{"customerio", customerio.Addresses(), 22, "104.198.177.219", "104.198.177.220"},
		{"customerio", customerio.Addresses(), 22, "34.10.127.179", "34.10.127.178"},
		{"mailtrap", mailtrap.Addresses(), 2, "45.158.83.129", "45.158.84.0"},
		{"mailtrap", mailtrap.Addresses(), 2, "5.181.200.1", "5.181.201.1"},
		{"postmark", postmark.Addresses(), 4, "50.31.156.77", "50.31.156.78"},
		{"resend", resend.Addresses(), 5, "52.24.126.164", "52.24.126.165"},
		{"resend", resend.Addresses(), 5, "2600:1f24:64:8fff::1", "2600:1f24:64:9000::1"},
		{"socketlabs", socketlabs.Addresses(), 2, "52.152.150.178", "52.152.150.179"},
		{"socketlabs", socketlabs.Addresses(), 2, "142.0.191.255", "142.0.192.0"},
	}
	for _, tt := range tests {
		t.Run(tt.esp+" "+tt.inside, func(t *testing.T) {
			require.Len(t, tt.list, tt.entries, "an entry that does not parse is left out")
			for _, p := range tt.list {
				require.Equal(t, p.Masked(), p, "bits beyond the mask")
			}
			contains := func(addr string) (found bool) {
				for _, p := range tt.list {
					found = found || p.Contains(netip.MustParseAddr(addr))
				}
				return found
			}
			require.True(t, contains(tt.inside))
			require.False(t, contains(tt.outside))
		})
	}
}
