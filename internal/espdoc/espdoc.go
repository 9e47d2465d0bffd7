// Package espdoc holds the pages in docs/esps to what the adapters do.
package espdoc

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/simulator"
)

// Row fails the test unless the ESP's page has a table row with the ESP's words
// in its first cell and what became of them in the others: event_type (not in
// tables of reasons), reject_reason and bounce.category. A cell may say more
// than that ("bounced, or invalid by the status code"), but where the event has
// nothing it has to be empty.
func Row(t testing.TB, esp, words string, ev *anymail.TrackingEvent) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "esps", esp+".md")) // of a package below esp/
	if err != nil {
		t.Fatal(err)
	}
	typ := ev.Type
	if typ == "" {
		typ = anymail.EventUnknown
	}
	want := []string{string(typ), string(ev.RejectReason), string(ev.Bounce.Category)}
	named := regexp.MustCompile(`(?i)(^|[^\w-])` + regexp.QuoteMeta(words) + `($|[^\w-])`)
	var about []string
	for line := range strings.Lines(string(page)) {
		cells := cellsOf(line)
		if len(cells) < 3 || len(cells) > 4 || !named.MatchString(cells[0]) {
			continue
		}
		if saysAll(cells[1:], want[4-len(cells):]) {
			return
		}
		about = append(about, strings.TrimSpace(line))
	}
	t.Errorf("docs/esps/%s.md does not say that %q becomes %q, but\n%s", esp, words, want, strings.Join(about, "\n"))
}

// Samples does what [Row] does for the first event of each sample of a simulator, if it
// is a tracking event. The function returns the ESP's words for a sample; none
// where the page has others.
func Samples(t testing.TB, sim *simulator.Simulator, words func(sample string) string) {
	t.Helper()
	var trusted []simulator.Credential
	if sim.NewCredential != nil {
		trusted = append(trusted, sim.NewCredential())
	}
	adapter, err := sim.NewAdapter(trusted...)
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range sim.Samples {
		events, err := simulator.Parse(adapter, sample.Make(simulator.NewParams()))
		if err != nil {
			t.Fatalf("%s: %v", sample.Name, err)
		}
		if len(events) == 0 || words(sample.Name) == "" {
			continue
		}
		if ev, ok := events[0].(*anymail.TrackingEvent); ok {
			Row(t, sim.ESP, words(sample.Name), ev)
		}
	}
}

func cellsOf(line string) []string {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "|") {
		return nil
	}
	cells := strings.Split(strings.Trim(line, "|"), "|")
	for i, cell := range cells {
		cells[i] = strings.TrimSpace(cell)
	}
	return cells
}

var wordOf = regexp.MustCompile(`[a-z_]+`)

func saysAll(cells, want []string) bool {
	for i, value := range want {
		if value == "" && cells[i] != "" || value != "" && !slices.Contains(wordOf.FindAllString(cells[i], -1), value) {
			return false
		}
	}
	return true
}
