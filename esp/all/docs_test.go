package all_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/esp/all"
)

// TestPages: each adapter's page has the same sections in the same order, its
// table of events has only outcomes that an event can have, and its section on
// retries says what the Spec says.
func TestPages(t *testing.T) {
	const folder = "../../docs/esps"
	for _, e := range all.Specs() {
		t.Run(e.Name, func(t *testing.T) {
			page, err := os.ReadFile(filepath.Join(folder, e.Name+".md"))
			require.NoError(t, err)
			var sections []string
			rows := 0
			inTable := false
			for line := range strings.Lines(string(page)) {
				line = strings.TrimSpace(line)
				if title, ok := strings.CutPrefix(line, "## "); ok {
					sections = append(sections, title)
				}
				cells := strings.Split(strings.Trim(line, "|"), "|")
				for i := range cells {
					cells[i] = strings.TrimSpace(cells[i])
				}
				switch {
				case !strings.HasPrefix(line, "|"):
					inTable = false
				case slices.Equal(cells[1:], []string{"event_type", "reject_reason", "bounce.category"}):
					inTable = true
				case inTable && !strings.HasPrefix(cells[0], "---"):
					rows++
					checkRow(t, cells)
				}
			}
			require.NotZero(t, rows, "no table of events")
			want := []string{"Set up", "Secrets", "Events", "Retries", "What it cannot do", "Peculiarities"}
			sections = slices.DeleteFunc(sections, func(s string) bool { return !slices.Contains(want, s) })
			require.Equal(t, want, sections)
			require.Contains(t, strings.Join(strings.Fields(string(page)), " "), "## Retries "+patience(e)+" "+e.Retries)
		})
	}
}

// patience is the sentence of a page about how long the ESP waits.
func patience(s esp.Spec) string {
	switch {
	case s.Patience == 0:
		return s.Title + " does not document how long it waits for an answer."
	case s.Patience%time.Minute == 0:
		return fmt.Sprintf("%s waits %d minutes for an answer.", s.Title, s.Patience/time.Minute)
	}
	return fmt.Sprintf("%s waits %d seconds for an answer.", s.Title, s.Patience/time.Second)
}

func checkRow(t *testing.T, cells []string) {
	t.Helper()
	require.Len(t, cells, 4, cells[0])
	word, _, _ := strings.Cut(cells[1], " ")
	if word == "none" || word == "as" || word == "by" { // as above, by another table
		return
	}
	typ := anymail.EventType(strings.TrimRight(word, ",;"))
	assert.Contains(t, anymail.EventTypes(), typ, cells[0])
	reason, category := cells[2] != "", cells[3] != ""
	switch typ {
	case anymail.EventBounced:
		assert.True(t, reason && category, "%s: a bounce has a reason and a category", cells[0])
	case anymail.EventDeferred:
		assert.True(t, category && !reason, "%s: a deferral has a category and no reason", cells[0])
	case anymail.EventRejected, anymail.EventFailed, anymail.EventComplained, anymail.EventUnsubscribed:
		assert.True(t, reason && !category, "%s: %s has a reason and no category", cells[0], typ)
	case anymail.EventUnknown:
	default:
		assert.False(t, reason || category, "%s: %s has neither a reason nor a category", cells[0], typ)
	}
}
