package wire

import "github.com/goanymail/anymail"

// AnyOf returns Yes if one of several flags is true, No if none is but one is false,
// and otherwise Unsaid. It is for ESPs that report in several flags whether a program
// opened or clicked.
func AnyOf(flags ...Text) anymail.Tri {
	result := anymail.Unsaid
	for _, flag := range flags {
		switch flag {
		case "true":
			return anymail.Yes
		case "false":
			result = anymail.No
		}
	}
	return result
}
