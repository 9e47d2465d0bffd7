package esp

import "net/netip"

// Prefixes returns addresses and prefixes in their usual notation as prefixes,
// for an ESP's list of the addresses that it calls from. It leaves out a text
// that is neither: each list has a test.
func Prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			list = append(list, prefix)
		} else if addr, err := netip.ParseAddr(text); err == nil {
			list = append(list, netip.PrefixFrom(addr, addr.BitLen()))
		}
	}
	return list
}
