// Package answers has HTTP answers that several ESPs want in place of the usual
// ones.
package answers

import "net/http"

// ComeAgain replaces every 4xx by 503, for an ESP that takes them for final:
// what they say can be mended by waiting, or by a change of settings here.
func ComeAgain() map[int]int { return ComeAgainBy(http.StatusServiceUnavailable) }

// ComeAgainBy is ComeAgain with another status in the place of 503.
func ComeAgainBy(answer int) map[int]int {
	to := map[int]int{}
	for status := http.StatusBadRequest; status < http.StatusInternalServerError; status++ {
		to[status] = answer
	}
	delete(to, http.StatusMethodNotAllowed) // which is not the ESP
	return to
}
