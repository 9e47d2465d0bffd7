package report

import (
	"strings"

	"github.com/goanymail/anymail"
)

// AutoReply is an automatic reply to a message.
type AutoReply struct {
	// From is the address that replied. It may differ from the address that the
	// message was sent to.
	From string
	// Field is the header field that shows that nobody wrote the reply:
	// "Auto-Submitted", "X-Autoreply", ... or "Subject".
	Field string
}

// autoReplyFields are fields that programs add to automatic replies only.
var autoReplyFields = []string{"X-Autoreply", "X-Autorespond", "X-Autoreply-From", "X-Auto-Reply-From", "X-Mail-Autoreply"}

func readAutoReply(r *Report, m *anymail.InboundMessage) bool {
	field := autoReplyField(m)
	if field == "" {
		return false
	}
	r.Kind, r.AutoReply = KindAutoReply, &AutoReply{From: sender(m), Field: field}
	return true
}

// autoReplyField returns the field that shows that m is an automatic reply.
// "Auto-Submitted: auto-generated" does not: it is for notices of programs too
// (RFC 3834, section 5). Nor does "Precedence: bulk", which mailing lists write.
func autoReplyField(m *anymail.InboundMessage) string {
	if firstWord(m.Headers.Get("Auto-Submitted")) == "auto-replied" {
		return "Auto-Submitted"
	}
	for _, name := range autoReplyFields {
		if value := firstWord(m.Headers.Get(name)); value != "" && value != "no" && value != "false" {
			return name
		}
	}
	for _, name := range []string{"Precedence", "X-Precedence"} {
		switch firstWord(m.Headers.Get(name)) {
		case "auto_reply", "auto-reply", "autoreply":
			return name
		}
	}
	if hasVacationSubject(m) {
		return "Subject"
	}
	return ""
}

// vacationSubjects are the beginnings that mail programs give to the subject of a
// vacation notice.
var vacationSubjects = []string{
	"automatic reply:", "autoreply:", "auto-reply:", "auto reply:", "out of office:", "out of office autoreply:",
	"automatische antwort:", "abwesenheitsnotiz:", "abwesend:", "automatisch antwoord:",
	"réponse automatique", "absence du bureau", "respuesta automática:", "risposta automatica:",
	"resposta automática:", "autosvar:", "自動応答:", "自動応答：", "自動返信:", "自動返信：", "自动答复:", "自动回复:",
}

// hasVacationSubject reports whether m has such a subject and is an answer that a
// program made: people quote such subjects too, but behind "Re:", and their programs
// have an envelope sender.
func hasVacationSubject(m *anymail.InboundMessage) bool {
	isAnswer := m.InReplyTo != "" || len(m.References) > 0
	isProgram := m.EnvelopeRecipient != "" && m.EnvelopeSender == "" || m.Headers.Get("X-Auto-Response-Suppress") != "" ||
		firstWord(m.Headers.Get("Auto-Submitted")) == "auto-generated"
	if !isAnswer || !isProgram || m.Headers.Get("List-Id") != "" {
		return false
	}
	subject := strings.ToLower(cut(m.Subject))
	for _, beginning := range vacationSubjects {
		if strings.HasPrefix(subject, beginning) {
			return true
		}
	}
	return false
}

// firstWord returns the first word of a value, in lower case and without a comment or
// parameters behind it.
func firstWord(s string) string {
	s = strings.ToLower(cut(s))
	if i := strings.IndexAny(s, " \t;("); i >= 0 {
		s = s[:i]
	}
	return s
}

// sender returns the address that m is from.
func sender(m *anymail.InboundMessage) string {
	if len(m.From) == 0 {
		return ""
	}
	return cut(m.From[0].Address)
}
