package report

import (
	"regexp"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// readProse reads the bounces of mail servers that write no part with fields. It
// takes addresses from where that server writes them; it does not search text for
// addresses.
func readProse(r *Report, m *anymail.InboundMessage, limit int) bool {
	text := strings.ReplaceAll(m.Text[:min(len(m.Text), maxProse)], "\r\n", "\n")
	d, original := readKnownForm(m, text, limit)
	if len(d.Recipients) == 0 {
		if !isMailerDaemon(m) {
			return false
		}
		d.Form = FormUnknown
	}
	r.Kind, r.Delivery = KindDelivery, d
	if hs := inbound.ParseHeaders([]byte(original)); hs.Get("Message-ID") != "" {
		r.Original.Headers = hs
	}
	return true
}

// readKnownForm returns what the text of a bounce says, and the copy of the original
// message in it.
func readKnownForm(m *anymail.InboundMessage, text string, limit int) (d *Delivery, original string) {
	d = &Delivery{}
	if failed := failedRecipients(m, limit); len(failed) > 0 {
		d.Form, d.Recipients = FormExim, failed
		return d, explainExim(failed, text)
	}
	if strings.HasPrefix(text, "Hi. This is the ") {
		// https://cr.yp.to/proto/qsbmf.txt
		d.Form = FormQmail
		text, original = cutCopy(text)
		d.Recipients = readReasons(text, ActionFailed, qmailAddress, limit)
		return d, original
	}
	if !isMailServer(m) {
		return d, ""
	}
	if _, list, ok := strings.Cut(text, "has not yet been delivered"); ok {
		d.Form = FormExim
		d.Recipients = readReasons(list, ActionDelayed, indentedAddress, limit)
		return d, ""
	}
	d.Form = FormExchange
	if _, list, ok := strings.Cut(text, "did not reach the following recipient(s):"); ok {
		d.Recipients = readReasons(list, ActionFailed, addressWithDate, limit)
		return d, ""
	}
	// The text is in the language of the reader, but the returned headers begin alike.
	if i := strings.Index(text, "\nReceived: "); i >= 0 {
		text, original = text[:i+1], text[i+1:]
	}
	for _, to := range readReasons(text, ActionFailed, bareAddress, limit) {
		if to.Status != "" {
			d.Recipients = append(d.Recipients, to)
		}
	}
	return d, original
}

// isMailServer reports whether m claims to be from a mail server rather than from a
// person or another program.
func isMailServer(m *anymail.InboundMessage) bool {
	return isMailerDaemon(m) || hasSender(m, "postmaster@")
}

func isMailerDaemon(m *anymail.InboundMessage) bool {
	return len(m.Headers.Values("X-MS-Exchange-Message-Is-Ndr")) > 0 || hasSender(m, "mailer-daemon", "microsoftexchange")
}

// hasSender reports whether the sender's address begins with one of some names.
func hasSender(m *anymail.InboundMessage, names ...string) bool {
	for _, name := range names {
		if len(m.From) > 0 && hasPrefixFold(m.From[0].Address, name) {
			return true
		}
	}
	return false
}

// failedRecipients returns those in X-Failed-Recipients, which Exim and Gmail write.
func failedRecipients(m *anymail.InboundMessage, limit int) []Recipient {
	var failed []Recipient
	for _, a := range inbound.Addresses(m.Headers.Values("X-Failed-Recipients")...) {
		if to := address(a.Address); to != "" && len(failed) < limit {
			failed = append(failed, Recipient{Final: to, Action: ActionFailed})
		}
	}
	return failed
}

// explainExim sets the reasons that Exim writes below each failed address, and
// returns the copy of the original message.
func explainExim(failed []Recipient, text string) (original string) {
	index := map[string]int{}
	for i := range failed {
		index[strings.ToLower(failed[i].Final)] = i
	}
	text, original = cutCopy(text)
	reasons := readReasons(text, ActionFailed, func(line string) string {
		line = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(line), ":"))
		if _, ok := index[line]; ok {
			return line
		}
		return ""
	}, maxRecipients)
	for _, its := range reasons {
		to := &failed[index[its.Final]]
		if to.Diagnostic == "" {
			to.Diagnostic, to.DiagnosticType, to.Status = its.Diagnostic, its.DiagnosticType, its.Status
		}
	}
	return original
}

// cutCopy splits the text of a bounce before the line of hyphens that introduces the
// copy of the original message. The copy follows the next empty line.
func cutCopy(text string) (before, original string) {
	before, rest, _ := strings.Cut(text, "\n--")
	_, original, _ = strings.Cut(rest, "\n\n")
	return before, original
}

// readReasons reads the addresses that have a line of their own. The reason follows,
// up to an empty line or the next address.
func readReasons(text string, action Action, addressOf func(line string) string, limit int) []Recipient {
	var list []Recipient
	var reason []string
	end := func() {
		if len(reason) > 0 {
			explain(&list[len(list)-1], strings.Join(reason, " "))
		}
		reason = nil
	}
	reading := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		switch to := addressOf(line); {
		case line == "":
			reading = reading && len(reason) == 0 // Exchange puts an empty line before a reason
		case to != "":
			end()
			if len(list) == limit {
				return list
			}
			list = append(list, Recipient{Final: to, Action: action})
			reading = true
		case reading:
			reason = append(reason, strings.TrimSpace(line))
		default:
			end()
		}
	}
	end()
	return list
}

// explain sets a reason. If it has a reply code, it quotes the receiving server.
func explain(to *Recipient, reason string) {
	to.Diagnostic = cut(reason)
	code, enhanced := wire.SMTP(to.Diagnostic)
	to.Status = enhanced
	if code != 0 {
		to.DiagnosticType = "smtp"
	}
}

// qmailAddress returns the address in "<ada@example.net>:".
func qmailAddress(line string) string {
	if !strings.HasPrefix(line, "<") || !strings.HasSuffix(line, ">:") {
		return ""
	}
	return address(strings.TrimSuffix(line, ":"))
}

// indentedAddress returns an address that is indented by two spaces. Exim indents
// reasons by more.
func indentedAddress(line string) string {
	rest, ok := strings.CutPrefix(line, "  ")
	if !ok || strings.HasPrefix(rest, " ") {
		return ""
	}
	return bareAddress(rest)
}

// addressWithDate returns the address in "ada@example.net on Thu, 5 Feb 2026 10:00:00".
func addressWithDate(line string) string {
	to, date, ok := strings.Cut(strings.TrimSpace(line), " on ")
	if !ok || inbound.Date(date).IsZero() {
		return ""
	}
	return bareAddress(to)
}

var addressPattern = regexp.MustCompile(`^[^\s<>()@:;,"]+@[^\s<>()@:;,"]+\.[^\s<>()@:;,"]+$`)

// bareAddress returns a line that is nothing but an address.
func bareAddress(line string) string {
	line = strings.TrimSpace(line)
	if len(line) > 320 || !addressPattern.MatchString(line) {
		return ""
	}
	return line
}
