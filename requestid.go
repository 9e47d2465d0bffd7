package anymail

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
)

// requestID names a request in logs, traces and hooks. It becomes a text only if
// one of them wants it.
type requestID struct {
	given string // by the client or a proxy; empty if neither sent one
	made  uint64
}

// maxRequestID is the longest id that is taken from a request.
const maxRequestID = 64

// newRequestID takes the id of the header X-Request-Id if there is one and it has at
// most 64 letters, digits and "-_.", and makes one otherwise. An id proves nothing:
// any client can send one.
func newRequestID(h http.Header) requestID {
	if values := h["X-Request-Id"]; len(values) == 1 && isRequestID(values[0]) {
		return requestID{given: values[0]}
	}
	return requestID{made: rand.Uint64()} //nolint:gosec // it is not a secret
}

func isRequestID(s string) bool {
	return s != "" && len(s) <= maxRequestID && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

// String returns the given id, or the one that was made in hexadecimal digits.
func (id requestID) String() string {
	if id.given != "" {
		return id.given
	}
	return fmt.Sprintf("%016x", id.made)
}

func (id requestID) attr() slog.Attr { return slog.String("request_id", id.String()) }
