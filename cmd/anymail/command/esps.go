package command

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/internal/cli"
	"github.com/goanymail/anymail/simulator"
)

func newESPsCommand(c catalog) *cobra.Command {
	var asJSON, asMarkdown, asTable, semantics bool
	cmd := &cobra.Command{
		Use:   "esps",
		Short: "Print what each ESP's adapter covers, measured by running it",
		Example: `  anymail esps
  anymail esps --json | jq -r '.[] | select(.inbound) | .esp'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().NFlag() > 1 {
				return cli.Usagef("--json, --markdown, --table and --semantics exclude each other")
			}
			if semantics {
				return semanticsMarkdown(cmd.OutOrStdout(), c.simulators(), allsim.AllSituations())
			}
			var list []covered
			for _, sim := range c.simulators() {
				coverage, err := simulator.Cover(sim)
				if err != nil {
					return err
				}
				spec, _ := c.find(sim.ESP)
				list = append(list, covered{coverage, spec})
			}
			switch out := cmd.OutOrStdout(); {
			case asJSON:
				encoder := json.NewEncoder(out)
				encoder.SetIndent("", "  ")
				return encoder.Encode(list)
			case asMarkdown:
				return coverageMarkdown(out, list)
			case asTable:
				return coverageTable(out, list)
			default:
				return coverageText(out, list)
			}
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&asMarkdown, "markdown", false, "print docs/coverage.md")
	cmd.Flags().BoolVar(&asTable, "table", false, "print the README's table of ESPs")
	cmd.Flags().BoolVar(&semantics, "semantics", false, "print docs/semantics.md")
	return cmd
}

type covered struct {
	simulator.Coverage
	spec esp.Spec
}

func coverageText(out io.Writer, list []covered) error {
	for i, c := range list {
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "%s (%s)\n", c.ESP, c.Title)
		for _, row := range coverageRows {
			fmt.Fprintf(out, "  %-18s %s\n", row.title, row.value(c))
		}
	}
	return nil
}

var coverageRows = []struct {
	title string
	value func(covered) string
}{
	{"events", func(c covered) string { return join(c.EventTypes) }},
	{"reject reasons", func(c covered) string { return join(c.RejectReasons) }},
	{"inbound", func(c covered) string { return yesNo(c.Inbound) }},
	{"batches", func(c covered) string { return yesNo(c.Batch) }},
	{"signature", signature},
	{"key rotation", rotation},
	{"replay protection", replay},
	{"confirmed", confirmed},
}

func signature(c covered) string {
	if len(c.Signed) == 0 {
		return "none: needs a shared secret"
	}
	endpoints := make([]string, len(c.Signed))
	for i, path := range c.Signed {
		endpoints[i] = "/" + path
	}
	return strings.Join(endpoints, " ")
}

func rotation(c covered) string {
	if c.Rotation {
		return "shared secret and keys"
	}
	return "shared secret"
}

func replay(c covered) string {
	var parts []string
	if c.SignedTime {
		parts = append(parts, "window of "+cli.Duration(c.Window))
	}
	if c.ReplayProtection {
		parts = append(parts, "signature taken once")
	}
	return strings.Join(append(parts, "event keys"), ", ")
}

func confirmed(c covered) string {
	if !c.spec.Confirmed {
		return "not against a live account"
	}
	return "yes"
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func join[T ~string](list []T) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = string(v)
	}
	return strings.Join(parts, " ")
}

func coverageMarkdown(out io.Writer, list []covered) error {
	var b strings.Builder
	b.WriteString("# What each adapter covers\n\n" +
		"Made by `go run internal/generate/main.go`: every mark is the outcome of running\n" +
		"the ESP's samples through its adapter.\n\n## Authenticity and form\n\n")
	header := []string{"ESP"}
	for _, row := range coverageRows[2:] {
		header = append(header, row.title)
	}
	table(&b, header)
	for _, c := range list {
		cells := []string{"[" + c.Title + "](esps/" + c.ESP + ".md)"}
		for _, row := range coverageRows[2:] {
			cells = append(cells, row.value(c))
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	b.WriteString("\n## Event types\n\n")
	marks(&b, list, anymail.EventTypes(), func(c covered) []anymail.EventType { return c.EventTypes })
	b.WriteString("\n## Reject reasons\n\n")
	marks(&b, list, anymail.RejectReasons(), func(c covered) []anymail.RejectReason { return c.RejectReasons })
	_, err := io.WriteString(out, b.String())
	return err
}

// marks writes a table of ESPs by values.
func marks[T ~string](b *strings.Builder, list []covered, values []T, has func(covered) []T) {
	header := []string{"ESP"}
	for _, value := range values {
		header = append(header, string(value))
	}
	table(b, header)
	for _, c := range list {
		fmt.Fprintf(b, "| %s |", c.Title)
		for _, value := range values {
			if slices.Contains(has(c), value) {
				b.WriteString(" ✓ |")
			} else {
				b.WriteString(" |")
			}
		}
		b.WriteString("\n")
	}
}

// coverageTable writes the README's table, and how many ESPs there are.
func coverageTable(out io.Writer, list []covered) error {
	var b, rows strings.Builder
	tracking, received := 0, 0
	for _, c := range list {
		mark := map[bool]string{true: "yes"}
		if c.Tracking {
			tracking++
		}
		if c.Inbound {
			received++
		}
		fmt.Fprintf(&rows, "| %s | %s | %s | %s | [%s](docs/esps/%s.md) |\n", c.Title, mark[c.Tracking], mark[c.Inbound],
			cmp.Or(c.spec.Signature, "none: shared secret"), c.ESP, c.ESP)
	}
	fmt.Fprintf(&b, "%d ESPs: %d with tracking, %d with inbound mail.\n\n", len(list), tracking, received)
	table(&b, []string{"ESP", "tracking", "inbound", "signature", "page"})
	b.WriteString(rows.String())
	_, err := io.WriteString(out, b.String())
	return err
}

func table(b *strings.Builder, header []string) {
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(header, " | "), strings.Repeat(" --- |", len(header)))
}
