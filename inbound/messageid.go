package inbound

import (
	"strings"

	"github.com/goanymail/anymail/inbound/internal/syntax"
)

// maxMessageIDs is how many message ids are read from one field.
const maxMessageIDs = 1000

// MessageIDs returns the message ids of a field such as References, without
// angle brackets. If no id has brackets, every word is an id. It returns at most
// 1000.
func MessageIDs(s string) []string {
	s = syntax.OneLine(syntax.ValidUTF8(s))
	var ids []string
	add := func(id string) {
		if id = strings.Join(strings.Fields(id), ""); id != "" && len(ids) < maxMessageIDs {
			ids = append(ids, id)
		}
	}
	if !strings.Contains(s, "<") {
		for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(" \t,>", r) }) {
			add(word)
		}
		return ids
	}
	for {
		_, after, found := strings.Cut(s, "<")
		if !found {
			return ids
		}
		end := strings.IndexAny(after, "<>")
		if end < 0 {
			end = len(after)
		}
		add(after[:end])
		s = after[end:]
	}
}
