// Package all lists the ESPs, for programs that are configured and not written.
// A program that is written imports the ESP packages that it needs.
package all

import "github.com/goanymail/anymail/esp"

// Find is [esp.Find] among the Specs.
func Find(name string) (esp.Spec, bool) { return esp.Find(Specs(), name) }
