package all_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/all"
)

// TestPages: each adapter's page has the same sections in the same order, and
// its table of events says nothing that no event can have (see wire.Settle).
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
			want := []string{"Set up", "Secrets", "Events", "What it cannot do", "Peculiarities"}
			sections = slices.DeleteFunc(sections, func(s string) bool { return !slices.Contains(want, s) })
			require.Equal(t, want, sections)
		})
	}
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
