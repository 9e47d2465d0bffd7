package postmark

import (
	"net/netip"

	"github.com/goanymail/anymail/esp"
)

// Addresses returns those that Postmark calls from, for
// [anymail.WithAllowedAddresses], as its page had them when public projects
// quoted it in 2026. The list changes: look at
// https://postmarkapp.com/support/article/800-ips-for-firewalls before relying
// on it, and keep the shared secret in any case.
func Addresses() []netip.Prefix {
	return esp.Prefixes("3.134.147.250", "18.217.206.57", "50.31.156.6", "50.31.156.77")
}
