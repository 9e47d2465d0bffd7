package wire

import (
	"strconv"
	"strings"

	"github.com/goanymail/anymail"
)

// Reply is [Answer] for an ESP that gives the parts of the answer in fields of their
// own: the reply code, or 0, the enhanced code, or "", and the text, which may repeat
// them.
func Reply(ev *anymail.TrackingEvent, code int, enhanced, text string) {
	enhanced = EnhancedCode(enhanced)
	ev.Bounce.SMTPCode, ev.Bounce.EnhancedCode = max(code, 0), enhanced
	if reply := strconv.Itoa(code); code > 0 && !strings.HasPrefix(text, reply) {
		if !strings.HasPrefix(text, enhanced) {
			text = enhanced + " " + text
		}
		text = reply + " " + text
	}
	ev.MTAResponse = strings.TrimSpace(text)
}

// Class returns 4 if the codes of an answer are for the time being and 5 if they are
// for good: by the enhanced code, else by the reply code. It returns 0 if there are
// none, and 2 or 3 for the codes of a success.
func Class(b anymail.Bounce) int {
	if b.EnhancedCode != "" {
		return int(b.EnhancedCode[0] - '0')
	}
	return b.SMTPCode / 100
}

// maxAnswer is how much of an answer is read for codes.
const maxAnswer = 4 << 10

// SMTP finds the reply code and the enhanced status code (RFC 3463) in what a
// receiving server answered, for example 550 and "5.1.1" in
// "550 5.1.1 no such user" or "smtp; 550-5.1.1 ...". It returns zero values if
// there are none.
//
// Codes are at the beginning. Further on, a number is a code if it cannot be
// anything else: a reply code with an enhanced code of its class behind it, a
// reply code after "said:" or after the RCPT command, an enhanced code after "#".
func SMTP(response string) (code int, enhanced string) {
	if len(response) > maxAnswer {
		response = response[:maxAnswer]
	}
	code, enhanced = leadingCodes(response)
	if code != 0 && enhanced != "" {
		return code, enhanced
	}
	if c, e := pairOfCodes(response); c != 0 && (code == 0 || code/100 == c/100) {
		if code == 0 {
			code = c
		}
		return code, e
	}
	if code == 0 && enhanced == "" {
		code = quotedCode(response)
	}
	if enhanced == "" {
		if e := markedCode(response); e != "" && (code == 0 || int(e[0]-'0') == code/100) {
			enhanced = e
		}
	}
	return code, enhanced
}

// leadingCodes finds the codes at the beginning.
func leadingCodes(response string) (code int, enhanced string) {
	for field := range strings.FieldsFuncSeq(response, func(r rune) bool {
		return r == ' ' || r == '-' || r == ';' || r == '\t' || r == '\n' || r == '\r' || r == '(' || r == ')' || r == '[' || r == ']' || r == ','
	}) {
		field = strings.TrimPrefix(strings.TrimRight(field, ":"), "#")
		if code == 0 && replyCode(field) != 0 {
			code = replyCode(field)
			continue
		}
		switch {
		case EnhancedCode(field) != "":
			return code, field
		case code != 0:
			return code, ""
		case !strings.EqualFold(field, "smtp"):
			return 0, ""
		}
	}
	return code, ""
}

// pairOfCodes finds a reply code with an enhanced code of its class behind it.
func pairOfCodes(s string) (code int, enhanced string) {
	for i := 0; i+len("550 5.1.1") <= len(s); i++ {
		if i > 0 && !strings.ContainsRune(codeBefore, rune(s[i-1])) {
			continue
		}
		code := replyCode(s[i : i+3])
		if code == 0 {
			continue
		}
		rest := s[i+3:]
		behind := strings.TrimLeft(rest, " -#('\"\t\r\n")
		if len(behind) == len(rest) || len(rest)-len(behind) > 4 {
			continue
		}
		if e := codeAt(behind); e != "" && e[0] == s[i] {
			return code, e
		}
	}
	return 0, ""
}

// codeBefore is what may be before a code in a text.
const codeBefore = " \t\r\n:;#'\"([<,=-"

// quotedCode finds the reply code of an answer that a server quotes: after "said:",
// as Postfix and qmail write, or after "RCPT TO:<...>:", as Exim does.
func quotedCode(s string) int {
	for _, mark := range []string{" said:", "RCPT TO:<"} {
		_, rest, ok := strings.Cut(s, mark)
		if ok && mark != " said:" {
			_, rest, ok = strings.Cut(rest, ">:")
		}
		rest = strings.TrimLeft(rest, " \t\r\n")
		if !ok || len(rest) < 3 || len(rest) > 3 && !strings.ContainsRune(" -\r\n", rune(rest[3])) {
			continue
		}
		if code := replyCode(rest[:3]); code != 0 {
			return code
		}
	}
	return 0
}

// markedCode finds an enhanced code after "#", as in "no such mailbox (#5.1.1)".
func markedCode(s string) string {
	for {
		_, rest, ok := strings.Cut(s, "#")
		if !ok {
			return ""
		}
		if e := codeAt(rest); e != "" {
			return e
		}
		s = rest
	}
}

// codeAt returns the enhanced code with which s begins.
func codeAt(s string) string {
	end := 0
	for end < len(s) && (s[end] == '.' || s[end] >= '0' && s[end] <= '9') {
		end++
	}
	if end < len(s) && (s[end] >= 'a' && s[end] <= 'z' || s[end] >= 'A' && s[end] <= 'Z' || s[end] == '_') {
		return "" // "5.1.1rc2"
	}
	return EnhancedCode(strings.TrimRight(s[:end], "."))
}

// replyCode returns the number that s is if that can be a reply code.
func replyCode(s string) int {
	if len(s) != 3 || s[0] < '2' || s[0] > '5' || !digits(s) {
		return 0
	}
	return int(s[0]-'0')*100 + int(s[1]-'0')*10 + int(s[2]-'0')
}

// EnhancedCode returns s if it is an enhanced status code of RFC 3463, such as
// "5.1.1", and otherwise "".
func EnhancedCode(s string) string {
	class, rest, _ := strings.Cut(s, ".")
	subject, detail, ok := strings.Cut(rest, ".")
	if !ok || len(class) != 1 || !strings.ContainsAny(class, "245") || !digits(subject) || !digits(detail) ||
		len(subject) > 3 || len(detail) > 3 {
		return ""
	}
	return s
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
