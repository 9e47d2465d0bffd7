package brevo

import (
	"net/netip"

	"github.com/goanymail/anymail/esp"
)

// Addresses returns those that Brevo calls from, for
// [anymail.WithAllowedAddresses], as its page "Brevo IP ranges" had them in
// 2026. The list changes, as it did in 2025: look at
// https://help.brevo.com/hc/en-us/articles/15127404548498 before relying on it,
// and keep the shared secret in any case.
func Addresses() []netip.Prefix {
	return esp.Prefixes("1.179.112.0/20", "172.246.240.0/20")
}
