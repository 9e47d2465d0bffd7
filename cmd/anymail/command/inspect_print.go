package command

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail/internal/inspect"
	"github.com/goanymail/anymail/cmd/anymail/internal/provenance"
	"github.com/goanymail/anymail/internal/cli"
)

// shownEvents is the number of events shown without --verbose.
const shownEvents = 10

// inspectPrinter prints a report for people.
type inspectPrinter struct {
	out io.Writer
	colours
	verbose bool
	err     error
}

func (p *inspectPrinter) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.out, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}

// clip shortens text from a capture, unless --verbose is set.
func (p *inspectPrinter) clip(s string, most int) string {
	if p.verbose {
		most = len(s) + 1
	}
	return clipped(s, most)
}

func (p *inspectPrinter) report(r *inspect.Report) {
	p.line("%s", p.headline(r))
	endpoint := r.Title
	if r.Endpoint != "" {
		endpoint += " " + r.Endpoint
	}
	p.line("%s", p.faint(fmt.Sprintf("%s; a server with these settings answers %d %s", endpoint, r.Status, http.StatusText(r.Status))))

	p.line("\n%s", p.strong("Request"))
	p.line("  read as   %s", orElse(map[string]string{"HTTP": "an HTTP request", "curl": "a curl command", "HAR": "an entry of a HAR file", "Lambda": "an event of AWS Lambda", "ngrok": "a request of ngrok", "webhook.site": "a request of webhook.site", "refused": "a request that a server refused and kept", "message": "a message"}[r.Request.Form], "a body alone"))
	p.line("  called    %s %s", cli.Printable(r.Request.Method), p.clip(orElse(r.Request.URL, "(no URL in the capture)"), 120))
	p.line("  body      %s bytes, %s", thousands(r.Request.BodyBytes), p.clip(orElse(r.Request.ContentType, "no content type"), 90))
	if !r.Request.ReceivedAt.IsZero() {
		p.line("  received  %s", r.Request.ReceivedAt.UTC().Format(time.DateTime+" MST"))
	}
	if r.Request.Refused != "" {
		p.line("  refused   %s", p.clip(r.Request.Refused, 120))
	}
	if len(r.Request.Removed) > 0 {
		p.line("  removed   %s", p.clip(strings.Join(r.Request.Removed, ", "), 120))
	}
	for _, note := range r.Request.Notes {
		p.line("  %s      %s", p.doubt("note"), cli.Printable(note))
	}

	p.line("\n%s", p.strong("Checks"))
	for _, c := range r.Checks {
		p.check(c)
	}
	p.events(r)
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (p *inspectPrinter) headline(r *inspect.Report) string {
	reason := ""
	for _, c := range r.Checks {
		if c.Result == inspect.Failed || c.Result == inspect.Open && r.Verdict == inspect.Undecided {
			reason = ": " + c.Name + ": " + cli.Printable(c.Reason)
			break
		}
	}
	switch r.Verdict {
	case inspect.Authentic:
		less := ""
		if r.Covers != "" && len(r.Events) > 0 {
			less = ", whose contents the signature does not cover"
		}
		if slices.ContainsFunc(r.Checks, func(c inspect.Check) bool { return c.Result == inspect.Open }) {
			less += ", as far as the request itself tells"
		}
		return p.good("AUTHENTIC") + ": " + countEvents(len(r.Events)) + less
	case inspect.NotChecked:
		return p.doubt("NOT CHECKED") + ": no key or secret was given that would prove anything"
	case inspect.Undecided:
		return p.doubt("UNDECIDED") + reason
	}
	return p.bad(strings.ToUpper(string(r.Verdict))) + reason
}

func countEvents(n int) string {
	if n == 0 {
		return "no event"
	}
	return count(n, "event")
}

func (p *inspectPrinter) check(c inspect.Check) {
	word := map[inspect.Result]string{
		inspect.OK: p.good("ok     "), inspect.Failed: p.bad("FAILED "), inspect.Skipped: p.faint("skipped"), inspect.Open: p.doubt("open   "),
	}[c.Result]
	p.line("  %s  %-14s %s", word, c.Name, cli.Printable(c.Reason))
	if c.Result != inspect.OK || p.verbose {
		for i, comparison := range c.Comparisons {
			if len(c.Comparisons) > 1 {
				p.line("             %s", p.faint(fmt.Sprintf("comparison %d of %d", i+1, len(c.Comparisons))))
			}
			p.comparison(comparison)
		}
	}
	for _, hint := range c.Hints {
		for i, line := range wrap(cli.Printable(hint), 88) {
			if i == 0 {
				p.line("           %s %s", p.doubt("→"), line)
			} else {
				p.line("             %s", line)
			}
		}
	}
}

func (p *inspectPrinter) comparison(c inspect.Comparison) {
	detail := func(name, format string, args ...any) {
		p.line("             %s %s", p.faint(fmt.Sprintf("%-9s", name)), fmt.Sprintf(format, args...))
	}
	for _, offered := range c.Offered {
		place := ""
		if c.Place != "" {
			place = p.faint("  in " + p.clip(c.Place, 60))
		}
		detail("offered", "%s%s", p.clip(offered, 88), place)
	}
	if len(c.Offered) == 0 && c.Place != "" {
		detail("offered", "nothing%s", p.faint("  in "+p.clip(c.Place, 60)))
	}
	for _, k := range c.Keys {
		key := p.faint(fmt.Sprintf("  with key %d, %s", k.Number, p.clip(k.Kind, 120)))
		if c.Secret {
			key = p.faint(fmt.Sprintf("  secret %d", k.Number))
		}
		mark := ""
		if k.Valid {
			mark = p.good("  matches")
		}
		switch {
		case k.Computed != "" && c.Secret:
			detail("expected", "%s%s%s", p.clip(k.Computed, 88), key, mark)
		case k.Computed != "":
			detail("computed", "%s%s%s", p.clip(k.Computed, 88), key, mark)
		case k.Digest != "":
			detail("digest", "%s%s%s", k.Digest, key, mark)
			if k.Signed != "" && k.Signed != k.Digest {
				detail("was of", "%s%s", k.Signed, p.faint("  the digest that this key signed"))
			}
		default:
			detail("checked", "%s", strings.TrimSpace(key)+mark)
		}
	}
	if c.SignedBytes > 0 {
		content := p.clip(c.Signed, 72)
		if !utf8.ValidString(c.Signed) {
			content = "(not text)"
		}
		detail("over", "%s bytes: %s", thousands(c.SignedBytes), content)
	}
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// wrap breaks a text into lines at spaces.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

func (p *inspectPrinter) events(r *inspect.Report) {
	warning := ""
	switch r.Verdict {
	case inspect.NotAuthentic:
		warning = p.bad("  NOT AUTHENTIC: what it would be")
	case inspect.NotChecked, inspect.Undecided:
		warning = p.doubt("  not proved authentic")
	}
	for i, ev := range r.Events {
		if i == shownEvents && !p.verbose {
			p.line("\n%s", p.faint(fmt.Sprintf("and %d more (--verbose shows all)", len(r.Events)-i)))
			return
		}
		p.line("\n%s  %s%s", p.strong(fmt.Sprintf("Event %d of %d", i+1, len(r.Events))), summary(ev.Event), warning)
		p.listing(ev.Listing)
	}
}

// summary describes an event on one line.
func summary(ev anymail.Event) string {
	about := ""
	switch ev := ev.(type) {
	case *anymail.TrackingEvent:
		about = ev.Recipient
	case *anymail.InboundEvent:
		about = ev.Message.Subject
	}
	return string(ev.Base().Type) + prefixed(" ", clipped(about, 60))
}

// The widths of the columns of a listing.
const (
	widestName  = 38
	widestValue = 46
	widestRaw   = 60
)

func (p *inspectPrinter) listing(l provenance.Listing) {
	name, value := 0, 0
	for _, f := range l.Fields {
		name = max(name, utf8.RuneCountInString(f.Name))
		value = max(value, utf8.RuneCountInString(clipped(f.Value, widestValue)))
	}
	name = min(name, widestName)
	for _, f := range l.Fields {
		shown := p.clip(f.Value, widestValue)
		p.line("  %s  %s  %s", pad(clipped(f.Name, widestName), name), pad(shown, value), p.from(f))
	}
	if len(l.OnlyInRaw) == 0 {
		return
	}
	p.line("  %s", p.faint("only in raw"))
	for i, m := range l.OnlyInRaw {
		const most = 12
		if i == most && !p.verbose {
			p.line("    %s", p.faint(fmt.Sprintf("and %d more (--verbose shows all)", len(l.OnlyInRaw)-i)))
			break
		}
		p.line("    %s", p.faint(p.clip(m.Path, 60)+" = "+p.clip(m.Value, widestRaw)))
	}
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// from lists the members that hold the value of a field.
func (p *inspectPrinter) from(f provenance.Field) string {
	if len(f.From) == 0 {
		return p.faint("← derived")
	}
	var paths []string
	for _, s := range f.From {
		paths = append(paths, s.Path)
	}
	first := f.From[0]
	text := p.names(paths)
	switch first.Match {
	case provenance.Within:
		return p.faint("← in ") + text
	case provenance.Alike, provenance.SameTime:
		return p.faint("← ") + text + p.faint(" = "+p.clip(first.Value, widestRaw))
	}
	return p.faint("← ") + text
}

// names lists paths, a few of them without --verbose.
func (p *inspectPrinter) names(paths []string) string {
	const most = 3
	rest := ""
	if len(paths) > most && !p.verbose {
		rest = fmt.Sprintf(" and %d more", len(paths)-most)
		paths = paths[:most]
	}
	shown := make([]string, len(paths))
	for i, path := range paths {
		shown[i] = p.clip(path, 60)
	}
	return strings.Join(shown, ", ") + rest
}
