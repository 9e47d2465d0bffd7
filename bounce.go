package anymail

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// explanation is what an answer says about a bounce. An empty field leaves what
// the ESP says.
type explanation struct {
	reason   RejectReason
	category BounceCategory
}

// meaning is what an answer means. Of several in one answer, the lower decides.
type meaning uint8

const (
	aboutSender   meaning = iota // it blames the sender's address
	refused                      // sender, content or client is blocked
	mailboxFull                  // a later message may arrive
	tooLarge                     // another message may arrive
	expired                      // the sending server gave up
	unclear                      // the words are about policy or time, or are examples
	noSuchAddress                // there is no such mailbox or domain
	disabled                     // the mailbox exists and accepts nothing
	meanings
)

var explanations = [meanings]explanation{
	refused:       {RejectBlocked, BounceBlock},
	mailboxFull:   {"", BounceSoft},
	tooLarge:      {RejectOther, BounceSoft},
	expired:       {RejectTimedOut, BounceSoft},
	noSuchAddress: {RejectInvalid, BounceHard},
	disabled:      {RejectBounced, BounceHard},
}

// codeMeanings are those of the enhanced status codes that mean one thing. Servers
// use 5.7.x, 5.2.1, 5.1.0, 5.4.1 and 5.5.0 for anything: their words decide.
//
// Source: https://www.iana.org/assignments/smtp-enhanced-status-codes
var codeMeanings = map[string]meaning{
	"5.1.1":  noSuchAddress, // mailbox
	"5.1.2":  noSuchAddress, // system
	"5.1.3":  noSuchAddress, // syntax
	"5.1.6":  noSuchAddress, // has moved
	"5.1.7":  aboutSender,   // syntax
	"5.1.8":  aboutSender,   // system
	"5.1.10": noSuchAddress, // null MX
	"4.2.2":  mailboxFull,
	"5.2.2":  mailboxFull,
	"5.2.3":  tooLarge, // for the mailbox
	"5.3.4":  tooLarge, // for the system
	"4.4.7":  expired,
	"5.4.7":  expired,
}

// explainBounce refines a bounce by the answer of the receiving server: by a
// code that means one thing, else by the words, else by 5.7.x, which means a
// refusal if nothing else is said. A temporary answer never makes an address
// invalid, and words without a code never make a bounce hard that the ESP calls
// soft. The words are those of the answer, or the ESP's if it gives no answer.
func explainBounce(ev *TrackingEvent) {
	answer := ev.MTAResponse
	if answer == "" {
		answer = ev.Description
	}
	if m, ok := explain(answer, ev.Bounce.SMTPCode, ev.Bounce.EnhancedCode); ok {
		found := explanations[m]
		if found.reason != "" {
			ev.RejectReason = found.reason
		}
		permanent := ev.Bounce.SMTPCode >= 500 || strings.HasPrefix(ev.Bounce.EnhancedCode, "5.")
		if found.category != "" && (permanent || ev.Bounce.Category != BounceSoft || found.category != BounceHard) {
			ev.Bounce.Category = found.category
		}
	}
}

// explain returns what an answer with these codes means, if it says.
func explain(answer string, reply int, enhanced string) (meaning, bool) {
	byCode, certain := codeMeanings[enhanced]
	if certain && byCode != noSuchAddress {
		return byCode, true
	}
	words := phraseTable.match(answer, reply, enhanced)
	switch temporary := strings.HasPrefix(enhanced, "4.") || enhanced == "" && reply >= 400 && reply < 500; {
	case temporary:
		words &= set(mailboxFull) | set(expired)
	case certain && words.has(aboutSender):
		return aboutSender, true
	case certain && (words.has(noSuchAddress) || words&(set(refused)|set(mailboxFull)) == 0):
		return noSuchAddress, true
	}
	for m := range meanings {
		switch {
		case !words.has(m):
		case m == aboutSender || m == unclear:
			return refused, strings.HasPrefix(enhanced, "5.7.")
		default:
			return m, true
		}
	}
	return refused, strings.HasPrefix(enhanced, "5.7.")
}

// meaningSet has a bit for each meaning.
type meaningSet uint16

func set(m meaning) meaningSet          { return 1 << m }
func (s meaningSet) has(m meaning) bool { return s&set(m) != 0 }

const (
	maxAnswer = 4 << 10 // bytes of an answer that are read
	maxWords  = 512
)

// match returns the meanings of the phrases in an answer. Its time is linear in
// the answer, of which it reads the first 4 KB.
func (t *compiledPhrases) match(answer string, reply int, enhanced string) (found meaningSet) {
	if len(answer) > maxAnswer {
		answer = answer[:maxAnswer]
	}
	if answer == "" {
		return 0
	}
	var space [maxWords]string
	words := splitWords(space[:0], answer)
	ascii := true
	for i, word := range words {
		ascii = ascii && word[0] < utf8.RuneSelf
		for _, p := range t.byWord[word] {
			if !found.has(p.meaning) && p.hasCode(reply, enhanced) && matchWords(p.rest, words[i+1:]) {
				found |= set(p.meaning)
			}
		}
	}
	if !ascii {
		for _, p := range t.withoutSpaces {
			if !found.has(p.meaning) && strings.Contains(answer, p.words) {
				found |= set(p.meaning)
			}
		}
	}
	return found
}

// matchWords reports whether words begin with a phrase. Addresses among them are
// skipped.
func matchWords(phrase []element, words []string) bool {
	for i, e := range phrase {
		if e == nil { // up to two words
			for skip := 0; skip <= 2 && skip <= len(words); skip++ {
				if matchWords(phrase[i+1:], words[skip:]) {
					return true
				}
			}
			return false
		}
		if len(words) > 0 && words[0] == address {
			words = words[1:]
		}
		if len(words) == 0 || !e.has(words[0]) {
			return false
		}
		words = words[1:]
	}
	return true
}

// address is the word that stands for an e-mail address.
const address = "@"

// splitWords appends the words of an answer to words, in lower case. It leaves
// out numbers, codes, URLs, articles and the like; an address is "@", a host name
// is one word, and "doesn't" is "does not".
func splitWords(words []string, answer string) []string {
	for field := range strings.FieldsSeq(answer) {
		if url := strings.Index(field, "://"); url >= 0 {
			field = field[:url]
			field = field[:len(field)-len(lastLetters(field))]
		}
		for len(field) > 0 {
			var word string
			word, field = cutWord(field)
			if words = appendWord(words, word); len(words) >= maxWords-2 {
				return words
			}
		}
	}
	return words
}

// lastLetters returns the ASCII letters at the end of s: the scheme of a URL.
func lastLetters(s string) string {
	return s[len(strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")):]
}

// cutWord cuts s after its first run of letters, digits, dots, apostrophes and
// at signs, and what separates that from the next.
func cutWord(s string) (word, rest string) {
	start, end := -1, len(s)
	at := false
	for i, r := range s {
		at = at || r == '@'
		// What may be in an address only.
		inAddress := at && (r == '-' || r == '_' || r == '+')
		if inAddress || r == '.' || r == '@' || r == '\'' || r == '’' || r == '`' ||
			unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
			if start < 0 {
				start = i
			}
		} else if start >= 0 {
			end = i
			break
		}
	}
	if start < 0 {
		return "", ""
	}
	return s[start:end], s[end:]
}

func appendWord(words []string, word string) []string {
	word = strings.Trim(word, ".'’`")
	switch {
	case word == "":
		return words
	case strings.Contains(word, "@"):
		if len(words) == 0 || words[len(words)-1] != address {
			words = append(words, address)
		}
		return words
	case strings.Trim(word, "0123456789.") == "":
		return words
	}
	if dot := strings.IndexByte(word, '.'); dot >= 0 {
		lower := strings.ToLower(word)
		if top := word[strings.LastIndexByte(word, '.')+1:]; lower == word && len(top) > 1 {
			return append(words, word) // a host name
		}
		for part := range strings.SplitSeq(word, ".") {
			words = appendWord(words, part)
			if len(words) >= maxWords-2 {
				break
			}
		}
		return words
	}
	word = strings.ToLower(word)
	if strings.ContainsAny(word, "'’`") {
		word = apostrophes.Replace(word)
	}
	if parts, ok := replacedWords[word]; ok {
		return append(words, parts...)
	}
	return append(words, word)
}

var apostrophes = strings.NewReplacer("'", "", "’", "", "`", "")

// replacedWords are the words that phrases do not tell apart, and those that they
// do without.
var replacedWords = map[string][]string{
	"a": nil, "an": nil, "the": nil, "is": nil, "are": nil, "was": nil, "were": nil, "been": nil, "has": nil,
	"this": nil, "that": nil, "these": nil, "my": nil, "our": nil, "e": nil,
	"doesnt": {"does", "not"}, "didnt": {"does", "not"}, "dont": {"does", "not"}, "do": {"does"}, "did": {"does"},
	"isnt": {"not"}, "wasnt": {"not"}, "arent": {"not"}, "cant": {"can", "not"}, "cannot": {"can", "not"},
	"couldnt": {"can", "not"}, "could": {"can"}, "hasnt": {"not"},
	"exists": {"exist"}, "existed": {"exist"}, "recognised": {"recognized"}, "mails": {"mail"},
	"nonexistant": {"nonexistent"}, "inexistent": {"nonexistent"},
	"greylisting": {"greylisted"}, "graylisted": {"greylisted"}, "graylisting": {"greylisted"}, "greylist": {"greylisted"},
}

// element is what a phrase has at one place: one of some words. The nil element
// is up to two words of any kind.
type element []string

func (e element) has(word string) bool {
	for _, w := range e {
		if w == word {
			return true
		}
	}
	return false
}

// compiledPhrase is a phrase without its first word.
type compiledPhrase struct {
	phrase
	rest []element
}

// compiledPhrases are phrases by their first word, and those of languages that put
// no spaces between words.
type compiledPhrases struct {
	byWord        map[string][]*compiledPhrase
	withoutSpaces []phrase
}

var phraseTable = compilePhrases(phrases)

func compilePhrases(list []phrase) *compiledPhrases {
	t := &compiledPhrases{byWord: map[string][]*compiledPhrase{}}
	for _, p := range list {
		if first, _ := utf8.DecodeRuneInString(p.words); unicode.In(first, unicode.Han, unicode.Hiragana, unicode.Katakana) {
			t.withoutSpaces = append(t.withoutSpaces, p)
			continue
		}
		var elements []element
		for field := range strings.FieldsSeq(p.words) {
			if field == "*" {
				elements = append(elements, nil)
				continue
			}
			elements = append(elements, strings.Split(strings.ReplaceAll(field, "WHO", who), "|"))
		}
		compiled := &compiledPhrase{p, elements[1:]}
		for _, word := range elements[0] {
			t.byWord[word] = append(t.byWord[word], compiled)
		}
	}
	return t
}

// hasCode reports whether a phrase that counts with one code only has that.
func (p *phrase) hasCode(reply int, enhanced string) bool {
	switch {
	case p.code == "":
		return true
	case len(p.code) == 3: // a reply code
		return reply == int(p.code[0]-'0')*100+int(p.code[1]-'0')*10+int(p.code[2]-'0')
	}
	return enhanced == p.code
}
