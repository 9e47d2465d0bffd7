package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// row is what was measured under one attack.
type row struct {
	attack   string
	honest   result
	peak     int64          // bytes
	attacker map[string]int // what the attack did
}

const mib = 1 << 20

// peakMiB rounds up.
func (r row) peakMiB() int64 { return (r.peak + mib - 1) / mib }

// failure returns an error if an honest request was not answered or the server
// took more than that many MiB.
func (r row) failure(memory int) error {
	var errs []error
	if r.honest.Answered < r.honest.Sent || r.honest.Sent == 0 {
		errs = append(errs, fmt.Errorf("%s: %d of %d honest requests were answered with 200; %s",
			r.attack, r.honest.Answered, r.honest.Sent, counts(r.honest.Others)))
	}
	if r.peak > int64(memory)*mib {
		errs = append(errs, fmt.Errorf("%s: the server took %d MiB, more than %d", r.attack, r.peakMiB(), memory))
	}
	return errors.Join(errs...)
}

func (r row) String() string {
	return fmt.Sprintf("%s: %d of %d honest requests answered, p50 %s, p99 %s, max %s; peak memory %d MiB; attacker: %s",
		r.attack, r.honest.Answered, r.honest.Sent, milliseconds(r.honest.P50), milliseconds(r.honest.P99), milliseconds(r.honest.Max),
		r.peakMiB(), counts(r.attacker))
}

// counts lists what was counted, the most frequent first.
func counts(counted map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counted), func(a, b string) int {
		return cmp.Or(counted[b]-counted[a], strings.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", counted[name], name)
	}
	return strings.Join(names, ", ")
}

// printTable writes the rows, in columns or in Markdown.
func printTable(w io.Writer, rows []row, markdown bool) error {
	begin, between, end := "", "\t", ""
	tabs := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if markdown {
		begin, between, end = "| ", " | ", " |"
	}
	line := func(cells ...string) { fmt.Fprintln(tabs, begin+strings.Join(cells, between)+end) }
	line("attack", "honest requests answered", "p50", "p99", "peak memory (MiB)")
	if markdown {
		line("---", "---", "---", "---", "---")
	}
	for _, r := range rows {
		line(r.attack, fmt.Sprintf("%d of %d", r.honest.Answered, r.honest.Sent),
			milliseconds(r.honest.P50), milliseconds(r.honest.P99), fmt.Sprint(r.peakMiB()))
	}
	return tabs.Flush()
}

// milliseconds writes 0, the time of no request, as a dash.
func milliseconds(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	ms := float64(d) / float64(time.Millisecond)
	if ms < 10 {
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}
