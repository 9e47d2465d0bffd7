package inspect

import (
	"slices"
	"strings"

	"github.com/goanymail/anymail/refused"
)

// lacks reports whether the server that wrote the capture removed a header.
func (a attempt) lacks(header string) bool {
	return a.request.Found != nil && slices.ContainsFunc(a.request.Found.Removed, func(name string) bool { return strings.EqualFold(name, header) })
}

// lacksBody reports whether the server that wrote the capture left the body out.
func (a attempt) lacksBody() bool {
	return a.request.Found != nil && a.request.Found.Body != refused.BodyKept
}

// foundSecret is the check of a shared secret that the capture does not have. It
// is nil if the capture tells nothing about it.
func (t *tries) foundSecret() *Check {
	found := t.request.Found
	if found == nil {
		return nil
	}
	const byServer = ", as the server found"
	switch {
	case found.Reason == "no shared secret":
		return &Check{Result: Failed, Reason: found.Reason + byServer, Hints: []string{noSecretHint}}
	case found.Reason == "wrong shared secret":
		return &Check{Result: Failed, Reason: found.Reason + byServer, Hints: []string{wrongSecretHint}}
	case t.lacks("Authorization"):
		return &Check{Result: Skipped, Reason: "the file does not have the header Authorization: servers remove it"}
	}
	return nil
}

// foundSignature is the check of a signature that the capture cannot have, or nil.
func (t *tries) foundSignature() *Check {
	if t.lacksBody() {
		return &Check{Result: Open, Reason: "the file does not have the body"}
	}
	for _, s := range t.admitted.steps {
		if s.Err != nil && s.Header != "" && t.lacks(s.Header) {
			return &Check{Result: Open, Reason: "the file does not have the header " + printableASCII(s.Header) + ": servers remove it, since it holds a secret"}
		}
	}
	return nil
}
