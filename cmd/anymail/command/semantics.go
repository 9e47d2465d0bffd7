package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

const semanticsIntroduction = "# What happens to a message, at each ESP\n\n" + `Made by ` + "`go run internal/generate/main.go`" + `: every outcome is that of running the
ESP's sample through its adapter, and a test holds all ESPs to one outcome for each
situation. The ESPs that report a situation are listed with their events, named as
the simulator's samples are. An outcome is ` + "`event_type`, `reject_reason` and\n`bounce.category`, and whether it is `automated`" + `.

How the answer of the receiving server explains a bounce is in
[the ESPs](esps/README.md).
`

// semanticsMarkdown writes a section for each situation, with a line for each ESP that
// reports it.
func semanticsMarkdown(out io.Writer, sims []*simulator.Simulator, situations allsim.Situations) error {
	lines := map[string][]string{} // by the situation's name
	for _, sim := range sims {
		meanings, err := allsim.Meanings(sim)
		if err != nil {
			return err
		}
		events := map[string][]string{}
		for _, sample := range sim.Samples {
			m := meanings[sample.Name]
			situation := situations.Find(sim, sample.Name, m)
			if situation == nil {
				continue // an event that the adapter does not know
			}
			event := "`" + sample.Name + "`"
			if why, other := situation.Except[sim.ESP+"/"+sample.Name]; other {
				event += fmt.Sprintf(" (%s: %s)", m, why)
			}
			events[situation.Name] = append(events[situation.Name], event)
		}
		for name, list := range events {
			lines[name] = append(lines[name], "- ["+sim.Title+"](esps/"+sim.ESP+".md): "+strings.Join(list, ", ")+"\n")
		}
	}
	var b strings.Builder
	b.WriteString(semanticsIntroduction)
	for _, situation := range situations {
		fmt.Fprintf(&b, "\n## %s\n\n**%s**\n\n%s", situation.Name, situation.Meaning, strings.Join(lines[situation.Name], ""))
	}
	_, err := io.WriteString(out, b.String())
	return err
}
