package postmark

import (
	"net/netip"

	"github.com/goanymail/anymail/esp"
)

// Addresses returns the addresses that Postmark posts from, for
// [anymail.WithAllowedAddresses], as public projects quoted its page in 2026. The
// list changes: check https://postmarkapp.com/support/article/800-ips-for-firewalls
// before you rely on it, and keep the shared secret in any case.
func Addresses() []netip.Prefix {
	return esp.Prefixes("3.134.147.250", "18.217.206.57", "50.31.156.6", "50.31.156.77")
}
