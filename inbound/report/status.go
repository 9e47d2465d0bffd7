package report

import (
	"bytes"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// Form tells how a [Delivery] or a [Feedback] was written.
type Form string

// The forms of reports.
const (
	// FormStandard: RFC 3464 or RFC 6533, and RFC 5965.
	FormStandard Form = "standard"
	// FormExim: the field X-Failed-Recipients, or Exim's warning of a delay.
	FormExim Form = "exim"
	// FormQmail: the text that qmail-send writes.
	FormQmail Form = "qmail"
	// FormExchange: the text that Exchange writes.
	FormExchange Form = "exchange"
	// FormJMRP: a complaint of Microsoft's Junk Mail Reporting Program, which
	// attaches the message and has no part with fields.
	FormJMRP Form = "jmrp"
	// FormUnknown: from a mail server, in a form that is not known. No
	// recipients are named.
	FormUnknown Form = "unknown"
)

// Action is what a mail server did for a recipient.
type Action string

// The actions of RFC 3464, section 2.3.3. The zero value means that none is given.
const (
	ActionFailed    Action = "failed"
	ActionDelayed   Action = "delayed"
	ActionDelivered Action = "delivered"
	ActionRelayed   Action = "relayed"  // to a server that does not confirm deliveries
	ActionExpanded  Action = "expanded" // to the members of a list
)

// Delivery is a delivery status notification (DSN).
type Delivery struct {
	Form         Form
	ReportingMTA string
	// ArrivalDate is when the message arrived at the reporting server.
	ArrivalDate time.Time
	Recipients  []Recipient
}

// Recipient is what a [Delivery] says about one recipient.
type Recipient struct {
	// Original is the address that the sender gave, if the report names it.
	Original string
	// Final is the address to which the reporting server tried to deliver.
	Final  string
	Action Action
	// Status is the enhanced status code (RFC 3463), for example "5.1.1".
	Status    string
	RemoteMTA string
	// Diagnostic is the reason. If DiagnosticType is "smtp", it is the answer of the
	// receiving server.
	Diagnostic     string
	DiagnosticType string
	LastAttempt    time.Time
	WillRetryUntil time.Time
	// LogID names the delivery in the log of the reporting server.
	LogID string
	// Raw is the part of the report that is about this recipient, if it is in the
	// standard form.
	Raw anymail.Raw
}

// Address returns the original recipient, or the final one if the report has no original.
func (r *Recipient) Address() string {
	if r.Original != "" {
		return r.Original
	}
	return r.Final
}

// readStatus reads the parts of a delivery status notification. Servers in between
// sometimes change the type of the part, so with the report-type any part counts
// that has its fields.
func readStatus(r *Report, m *anymail.InboundMessage, reportType string, limit int) bool {
	found := false
	d := &Delivery{Form: FormStandard}
	for i := range m.Attachments {
		a := &m.Attachments[i]
		switch a.ContentType {
		case "message/delivery-status", "message/global-delivery-status":
		case "text/plain", "application/octet-stream":
			if reportType != "delivery-status" || !bytes.Contains(a.Content[:min(len(a.Content), maxProse)], []byte("Final-Recipient:")) {
				continue
			}
		default:
			continue
		}
		found = true
		readBlocks(d, &r.Original, a.Content, limit)
	}
	if !found {
		return false
	}
	if failed := failedRecipients(m, limit); len(d.Recipients) == 0 && len(failed) > 0 {
		d.Recipients = failed
	}
	r.Kind, r.Delivery = KindDelivery, d
	return true
}

// readBlocks reads the groups of fields that empty lines separate: one about the
// message, and one about each recipient. Some servers leave out the line between the
// first two, so every field is looked for in every group.
func readBlocks(d *Delivery, o *Original, part []byte, limit int) {
	part = part[:min(len(part), maxPart)]
	for blocks := 0; len(part) > 0 && blocks < 2*limit && len(d.Recipients) < limit; {
		var block []byte
		block, part = nextBlock(part)
		if len(block) == 0 {
			continue
		}
		blocks++
		hs := inbound.ParseHeaders(block)
		set(&o.EnvelopeID, cut(hs.Get("Original-Envelope-Id")))
		set(&d.ReportingMTA, typed(hs.Get("Reporting-MTA")))
		if d.ArrivalDate.IsZero() {
			d.ArrivalDate = inbound.Date(hs.Get("Arrival-Date"))
		}
		if hs.Get("Final-Recipient") == "" && hs.Get("Original-Recipient") == "" && hs.Get("Action") == "" {
			continue
		}
		d.Recipients = append(d.Recipients, recipientOf(hs, block))
	}
}

// nextBlock returns the lines up to the first one that is empty, and the rest.
func nextBlock(part []byte) (block, rest []byte) {
	for pos := 0; pos < len(part); {
		end := len(part)
		if i := bytes.IndexByte(part[pos:], '\n'); i >= 0 {
			end = pos + i + 1
		}
		if len(bytes.TrimSpace(part[pos:end])) == 0 {
			return part[:pos:pos], part[end:]
		}
		pos = end
	}
	return part, nil
}

func recipientOf(hs anymail.Headers, block []byte) Recipient {
	to := Recipient{
		Original:       address(hs.Get("Original-Recipient")),
		Final:          address(hs.Get("Final-Recipient")),
		Action:         actionOf(hs.Get("Action")),
		RemoteMTA:      typed(hs.Get("Remote-MTA")),
		LastAttempt:    inbound.Date(hs.Get("Last-Attempt-Date")),
		WillRetryUntil: inbound.Date(hs.Get("Will-Retry-Until")),
		LogID:          cut(hs.Get("Final-Log-Id")),
		Raw:            block,
	}
	to.DiagnosticType, to.Diagnostic = splitType(hs.Get("Diagnostic-Code"))
	to.Diagnostic = strings.Join(strings.Fields(to.Diagnostic), " ") // it was folded
	to.Status = statusOf(hs.Values("Status"), to.Action)
	if to.Action == "" {
		to.Action = actionByStatus[to.Status[:min(len(to.Status), 1)]]
	}
	return to
}

// actionByStatus is for reports without an action. A status of class 4 does not tell
// whether the server keeps trying.
var actionByStatus = map[string]Action{"2": ActionDelivered, "5": ActionFailed}

// actionOf reads an action, behind which some servers write a comment.
func actionOf(s string) Action {
	word := strings.ToLower(strings.TrimSpace(s))
	if i := strings.IndexAny(word, " \t(;,"); i >= 0 {
		word = word[:i]
	}
	switch a := Action(word); a {
	case ActionFailed, ActionDelayed, ActionDelivered, ActionRelayed, ActionExpanded:
		return a
	}
	switch word {
	case "failure":
		return ActionFailed
	case "delay":
		return ActionDelayed
	}
	return ""
}

// statusOf returns the status code. Some servers repeat the field: the first code
// counts whose class agrees with the action. Comments may follow a code.
func statusOf(values []string, action Action) string {
	var first string
	for _, value := range values[:min(len(values), 10)] {
		code := value
		if i := strings.IndexAny(strings.TrimSpace(code), " \t(;,"); i >= 0 {
			code = strings.TrimSpace(code)[:i]
		}
		code = wire.EnhancedCode(strings.TrimSpace(code))
		set(&first, code)
		switch {
		case code == "":
		case action == ActionFailed && code[0] == '5',
			action == ActionDelayed && code[0] == '4',
			(action == ActionDelivered || action == ActionRelayed || action == ActionExpanded) && code[0] == '2':
			return code
		}
	}
	return first
}

// splitType splits a value such as "smtp; 550 5.1.1 unknown" into its type, in lower
// case, and what follows it. Without a type, or with a text in front of a semicolon,
// the whole value follows.
func splitType(s string) (name, rest string) {
	before, after, ok := strings.Cut(s, ";")
	before = strings.TrimSpace(before)
	if !ok || strings.ContainsAny(before, " \t@<.") || len(before) > 40 {
		return "", cut(s)
	}
	return strings.ToLower(before), cut(after)
}

// typed returns a value without its type.
func typed(s string) string {
	_, rest := splitType(s)
	return rest
}

// address returns the address of a recipient field, or "" if the field has no address.
func address(s string) string {
	kind, rest := splitType(s)
	if kind == "utf-8" {
		rest = decodeUTF8(rest)
	}
	if i := strings.IndexByte(rest, '<'); i >= 0 {
		if end := strings.IndexByte(rest[i:], '>'); end >= 0 {
			rest = rest[i+1 : i+end]
		}
	}
	rest = strings.TrimSpace(rest)
	if i := strings.Index(rest, " ("); i >= 0 { // a comment
		rest = strings.TrimSpace(rest[:i])
	}
	if at := strings.LastIndexByte(rest, '@'); at <= 0 || at == len(rest)-1 {
		return "" // a local user, "unknown", an X.400 address
	}
	return rest
}

// decodeUTF8 undoes the escapes \x{...} of an address that went through a server
// without SMTPUTF8 (RFC 6533, section 3).
func decodeUTF8(s string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, `\x{`)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		hex, _, ok := strings.Cut(after[:min(len(after), len("10FFFF}"))], "}")
		code, err := strconv.ParseUint(hex, 16, 21)
		if !ok || err != nil || unicode.IsControl(rune(code)) {
			b.WriteString(`\x{`)
			s = after
			continue
		}
		b.WriteRune(rune(code)) // U+FFFD if it is not a character
		s = after[len(hex)+1:]
	}
}

// set sets a value that is still empty.
func set(field *string, value string) {
	if *field == "" {
		*field = value
	}
}
