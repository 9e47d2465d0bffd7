package resend

import (
	"net/netip"

	"github.com/goanymail/anymail/esp"
)

// Addresses returns those that Resend calls from, for
// [anymail.WithAllowedAddresses], as https://resend.com/docs/webhooks/create-webhook
// had them in 2026. They are those of Svix in the US. The list changes: look
// there before relying on it, and keep the signature in any case.
func Addresses() []netip.Prefix {
	return esp.Prefixes(
		"44.228.126.217", "50.112.21.217", "52.24.126.164", "54.148.139.208",
		"2600:1f24:64:8000::/52",
	)
}
