// Package prefixes makes address lists of constants.
package prefixes

import "net/netip"

// Of returns addresses and prefixes in their usual notation as prefixes. It
// leaves out what is neither, which the tests of those who call it would show.
func Of(texts ...string) []netip.Prefix {
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
