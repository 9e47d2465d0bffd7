package anymail

import (
	"context"
	"net/netip"
	"slices"
)

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

// TakeForm decodes a form in the memory of the body, however small it is.
func TakeForm(contentType string, body []byte) (*Form, error) {
	return parseForm(contentType, body, Limits{}, formOptions{inPlace: true})
}

// DefaultMemory is the default of WithMaxMemory.
func DefaultMemory() int64 { return defaultMemory() }

// FindTenant looks a name up as a request without an address does.
func FindTenant(d *Dispatcher, name string) {
	_, _ = d.tenants.account(context.Background(), name, netip.Addr{})
}

// TenantsInMemory returns how many names the Dispatcher remembers or looks up.
func TenantsInMemory(d *Dispatcher) int {
	d.tenants.mu.Lock()
	defer d.tenants.mu.Unlock()
	return d.tenants.known.Len() + d.tenants.unknown.Len() + len(d.tenants.running)
}
