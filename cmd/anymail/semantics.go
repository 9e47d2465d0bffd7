package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

const semanticsIntroduction = `# What happens to a message, at each ESP

Made by ` + "`go run ./cmd/anymail esps --semantics > docs/semantics.md`" + `: every outcome
is that of running the ESP's sample through its adapter, and a test holds all ESPs
to one outcome for each situation. A cell names the ESP's event, as the simulator's
sample does; it is empty if the ESP does not report that situation. An outcome is
` + "`event_type`, `reject_reason` and `bounce.category`" + `, and whether it is
` + "`automated`" + `.

How the answer of the receiving server explains a bounce is in
[the ESPs](esps/README.md).

`

// semanticsMarkdown writes a table of situations by ESPs.
func semanticsMarkdown(out io.Writer, sims []*simulator.Simulator, situations []allsim.Situation) error {
	var b strings.Builder
	b.WriteString(semanticsIntroduction)
	header := []string{"situation", "outcome"}
	outcomes := map[string]map[string]allsim.Meaning{}
	for _, sim := range sims {
		var err error
		if outcomes[sim.ESP], err = allsim.Meanings(sim); err != nil {
			return err
		}
		header = append(header, "["+sim.Title+"](esps/"+sim.ESP+".md)")
	}
	table(&b, header)
	var notes []string
	for _, situation := range situations {
		cells := []string{situation.Name, "**" + situation.Meaning.String() + "**"}
		for _, sim := range sims {
			var events []string
			for _, sample := range situation.Samples {
				name, ok := strings.CutPrefix(sample, sim.ESP+"/")
				if !ok {
					continue
				}
				event := "`" + name + "`"
				if why, other := situation.Except[sample]; other {
					notes = append(notes, why)
					event += fmt.Sprintf(" (%s: see %d)", outcomes[sim.ESP][name], len(notes))
				}
				events = append(events, event)
			}
			cells = append(cells, strings.Join(events, ", "))
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	b.WriteString("\n")
	for i, note := range notes {
		fmt.Fprintf(&b, "%d. %s\n", i+1, note)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
