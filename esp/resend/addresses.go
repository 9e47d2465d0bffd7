package resend

import (
	"net/netip"

	"github.com/goanymail/anymail/esp"
)

// Addresses returns the addresses that Resend posts from, for
// [anymail.WithAllowedAddresses], as of https://resend.com/docs/webhooks/create-webhook
// in 2026. They are Svix's in the US. The list changes: check that page before you
// rely on it, and keep the signature in any case.
func Addresses() []netip.Prefix {
	return esp.Prefixes(
		"44.228.126.217", "50.112.21.217", "52.24.126.164", "54.148.139.208",
		"2600:1f24:64:8000::/52",
	)
}
