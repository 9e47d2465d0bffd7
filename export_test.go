package anymail

import "slices"

// UnusedPhrases returns the phrases of the table that none of the answers has,
// and those without a source. Codes returns the codes of an answer.
func UnusedPhrases(answers []string, codes func(string) (int, string)) (unused []string) {
	for _, p := range phrases {
		table := compilePhrases([]phrase{p})
		if p.source == "" || !slices.ContainsFunc(answers, func(answer string) bool {
			reply, enhanced := codes(answer)
			return table.match(answer, reply, enhanced) != 0
		}) {
			unused = append(unused, p.words)
		}
	}
	return unused
}

// DefaultMemory is the default of WithMaxMemory.
func DefaultMemory() int64 { return defaultMemory() }
