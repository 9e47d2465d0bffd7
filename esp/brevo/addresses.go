package brevo

import (
	"net/netip"

	"github.com/goanymail/anymail/esp"
)

// Addresses returns the addresses that Brevo posts from, for
// [anymail.WithAllowedAddresses], as of its page "Brevo IP ranges" in 2026. The list
// changes, as it did in 2025: check
// https://help.brevo.com/hc/en-us/articles/15127404548498 before you rely on it, and
// keep the shared secret in any case.
func Addresses() []netip.Prefix {
	return esp.Prefixes("1.179.112.0/20", "172.246.240.0/20")
}
