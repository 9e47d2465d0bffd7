package mailtrap

import (
	"net/netip"

	"github.com/goanymail/anymail/esp"
)

// Addresses returns the addresses that Mailtrap posts and sends from, for
// [anymail.WithAllowedAddresses], as of "Static IPs for sending and webhooks" in its
// documentation (https://docs.mailtrap.io) on 2026-07-22. The list changes:
// https://mailtrap.io/ip-ranges.json has it for programs. Keep the signature in any
// case.
func Addresses() []netip.Prefix {
	return esp.Prefixes("5.181.200.0/24", "45.158.83.0/24")
}
