package socketlabs

import (
	"net/netip"

	"github.com/goanymail/anymail/esp"
)

// Addresses returns the addresses that SocketLabs posts from, for
// [anymail.WithAllowedAddresses], as its docs listed them in 2026. The first is for
// validation and test events. The list may change: check
// https://help.socketlabs.com/docs/event-webhooks-authentication-and-access before you
// rely on it, and keep the secret keys in any case.
func Addresses() []netip.Prefix {
	return esp.Prefixes("52.152.150.178", "142.0.176.0/20")
}
