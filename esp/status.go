package esp

import (
	"net/http"
	"slices"
)

// Replace returns an [anymail.Endpoint] MapStatus function that answers status
// instead of any of others.
func Replace(status int, others ...int) func(int) int {
	return func(usual int) int {
		if slices.Contains(others, usual) {
			return status
		}
		return usual
	}
}

// ReplaceClientErrors returns a MapStatus function that answers status instead
// of any 4xx, for an ESP that takes a 4xx for final. It leaves 405 alone: the
// ESP itself never causes one.
func ReplaceClientErrors(status int) func(int) int {
	return func(usual int) int {
		if usual >= 400 && usual < 500 && usual != http.StatusMethodNotAllowed {
			return status
		}
		return usual
	}
}
