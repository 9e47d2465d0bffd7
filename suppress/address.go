package suppress

import (
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
)

// maxAddress is the length of the longest address, in bytes: 64 for the local part,
// 255 for the domain (RFC 5321, 4.5.3.1).
const maxAddress = 64 + 1 + 255

// Canonical returns the form in which a store has an address: in lower case,
// without a display name, angle brackets or a dot at its end. Tags ("+news") and
// dots in the local part stay, since some servers tell such addresses apart.
//
// The local part is in lower case as well: some ESPs change its case, and servers
// that tell ada@ from Ada@ are very rare. The two forms of an
// international domain (xn--bcher-kva.example and bücher.example) are two
// addresses: check the one that you send to.
//
// Canonical returns [anymail.ErrMalformed] if address is not one address, or is
// longer than 320 bytes.
func Canonical(address string) (string, error) {
	canonical := strings.TrimRight(strings.ToLower(single(address)), ".")
	if len(canonical) > maxAddress {
		return "", anymail.Malformed("e-mail address of more than 320 bytes", nil)
	}
	at := strings.LastIndexByte(canonical, '@')
	// The parser is lenient. What it reads differently by itself is no address.
	if at < 1 || at == len(canonical)-1 || single(canonical) != canonical {
		return "", anymail.Malformed("not one e-mail address", nil)
	}
	return canonical, nil
}

// single returns the address in a list of one, and "" for any other list.
func single(list string) string {
	if addresses := inbound.Addresses(list); len(addresses) == 1 {
		return addresses[0].Address
	}
	return ""
}
