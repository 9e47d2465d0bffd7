package esp

import (
	"net/http"
	"slices"
)

// Replace returns a MapStatus function of an [anymail.Endpoint] that answers status
// in place of any of others.
func Replace(status int, others ...int) func(int) int {
	return func(usual int) int {
		if slices.Contains(others, usual) {
			return status
		}
		return usual
	}
}

// ReplaceClientErrors returns a MapStatus function that answers status in place of
// any 4xx, for an ESP to which a 4xx is final. It keeps 405, which the ESP itself
// never causes.
func ReplaceClientErrors(status int) func(int) int {
	return func(usual int) int {
		if usual >= 400 && usual < 500 && usual != http.StatusMethodNotAllowed {
			return status
		}
		return usual
	}
}
