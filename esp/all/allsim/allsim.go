// Package allsim lists the simulators of all ESPs, and the situations that ESPs
// report in common.
package allsim

import "github.com/goanymail/anymail/simulator"

// Find returns a new simulator of the ESP with that canonical name. It returns
// nil if there is none.
func Find(esp string) *simulator.Simulator {
	for _, sim := range List() {
		if sim.ESP == esp {
			return sim
		}
	}
	return nil
}
