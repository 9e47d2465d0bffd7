// Package all lists the ESPs, for programs that are configured and not written.
// A program that is written imports the ESP packages that it needs.
package all

import (
	"slices"
	"strings"

	"github.com/goanymail/anymail/esp"
)

// Find returns the Spec of the ESP with that canonical name, and whether there
// is one. A name may be spelled with underscores: "amazon_ses".
func Find(name string) (esp.Spec, bool) {
	name = strings.ReplaceAll(name, "_", "")
	specs := Specs()
	i := slices.IndexFunc(specs, func(s esp.Spec) bool { return s.Name == name })
	if i < 0 {
		return esp.Spec{}, false
	}
	return specs[i], true
}
