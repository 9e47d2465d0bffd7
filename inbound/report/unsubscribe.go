package report

import (
	"strings"

	"github.com/goanymail/anymail"
)

// Unsubscribe is a message that a mail program sent to the mailto address of a
// List-Unsubscribe field (RFC 2369), or that a person wrote in the same way.
type Unsubscribe struct {
	// From is the address that the request is from. It may differ from the
	// address that is subscribed.
	From string
	// To is the address that the request was sent to.
	To string
	// Token is what follows the word in the subject or in the address, as in
	// "unsubscribe k3x9" and "unsubscribe+k3x9@example.com", empty if nothing does.
	Token string
}

// unsubscribeWords are the whole subject, or its first word if a token follows.
var unsubscribeWords = []string{
	"unsubscribe", "abmelden", "abbestellen", "désinscription", "desinscription", "désabonnement",
	"se désabonner", "darse de baja", "配信停止", "退订",
}

// unsubscribeNames are the local parts of addresses that only take such requests.
var unsubscribeNames = []string{"unsubscribe", "unsub", "list-unsubscribe"}

func readUnsubscribe(r *Report, m *anymail.InboundMessage) bool {
	u := &Unsubscribe{From: sender(m), To: recipient(m)}
	token, ok := unsubscribeAddress(u.To)
	if subject, found := unsubscribeSubject(m.Subject); found {
		ok = true
		set(&token, subject)
	}
	if !ok || isMailServer(m) || m.Headers.Get("List-Id") != "" {
		return false
	}
	u.Token = token
	r.Kind, r.Unsubscribe = KindUnsubscribe, u
	return true
}

// unsubscribeSubject reports whether a subject is a request: the word alone, or with
// one other word. "How do I unsubscribe?" is for a person to answer.
func unsubscribeSubject(subject string) (token string, ok bool) {
	subject = strings.Join(strings.Fields(cut(subject)), " ")
	for _, word := range unsubscribeWords {
		if !hasPrefixFold(subject, word) {
			continue
		}
		rest := subject[len(word):]
		token = strings.TrimPrefix(strings.TrimPrefix(rest, ":"), " ")
		if rest == "" || token != rest && isToken(token) {
			return token, true
		}
	}
	return "", false
}

// isToken reports whether s is made by a program: one word with a digit or longer
// than words are. "unsubscribe me" has none, and neither has "unsubscribe button".
func isToken(s string) bool {
	return !strings.Contains(s, " ") && (strings.ContainsAny(s, "0123456789") || len(s) > 20)
}

// unsubscribeAddress reports whether an address takes only requests, and returns what
// follows its name.
func unsubscribeAddress(to string) (token string, ok bool) {
	local := to[:max(strings.LastIndexByte(to, '@'), 0)]
	for _, name := range unsubscribeNames {
		if !hasPrefixFold(local, name) {
			continue
		}
		rest := local[len(name):]
		if rest == "" || strings.ContainsRune("+-=.", rune(rest[0])) {
			return strings.TrimLeft(rest, "+-=."), true
		}
	}
	return "", false
}

// recipient returns the address that m was sent to.
func recipient(m *anymail.InboundMessage) string {
	if m.EnvelopeRecipient != "" || len(m.To) == 0 {
		return cut(m.EnvelopeRecipient)
	}
	return cut(m.To[0].Address)
}
