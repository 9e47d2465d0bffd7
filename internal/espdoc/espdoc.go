// Package espdoc tests that the pages in docs/esps describe what the adapters do.
package espdoc

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/simulator"
)

// Row fails the test unless the ESP's page has a table row for an event. The
// first cell names the ESP's words; the other cells contain event_type (not in
// tables of reasons), reject_reason and bounce.category. A cell may contain more
// ("bounced, or invalid by the status code"), but it must be empty if the event
// has no such field.
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
	var others []string
	for line := range strings.Lines(string(page)) {
		cells := cellsOf(line)
		if len(cells) < 3 || len(cells) > 4 || !named.MatchString(cells[0]) {
			continue
		}
		if contains(cells[1:], want[4-len(cells):]) {
			return
		}
		others = append(others, strings.TrimSpace(line))
	}
	t.Errorf("docs/esps/%s.md has no row in which %q becomes %q, but\n%s", esp, words, want, strings.Join(others, "\n"))
}

// Samples checks [Row] for the first event of each sample of a simulator, if it
// is a tracking event. The function words returns the ESP's words for a sample,
// or "" if the page does not name it.
func Samples(t testing.TB, sim *simulator.Simulator, words func(sample string) string) {
	t.Helper()
	adapter, _, err := sim.NewAccount()
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range sim.Samples {
		if len(sample.Types) == 0 {
			continue // a ping, which does not get to the parser
		}
		events := anymailtest.Parse(t, adapter, sample.Make(simulator.NewParams()))
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

func contains(cells, want []string) bool {
	for i, value := range want {
		if value == "" && cells[i] != "" || value != "" && !slices.Contains(wordOf.FindAllString(cells[i], -1), value) {
			return false
		}
	}
	return true
}
