// Package alltest lists the kits of all adapters, for tools and tests that
// want every ESP.
package alltest

import (
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/postmark/postmarktest"
)

// Kits returns a new kit of every ESP, in alphabetical order.
func Kits() []*anymailtest.Kit {
	return []*anymailtest.Kit{
		postmarktest.Kit(),
	}
}

// Kit returns a new kit of the ESP with that canonical name, or nil.
func Kit(esp string) *anymailtest.Kit {
	for _, kit := range Kits() {
		if kit.ESP == esp {
			return kit
		}
	}
	return nil
}
