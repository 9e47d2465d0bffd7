package wire

import "strings"

// SMTP finds the reply code and the enhanced status code (RFC 3463) in the answer
// of a receiving server, for example 550 and "5.1.1" in
// "550 5.1.1 no such user" or "smtp; 550-5.1.1 ...". It returns zero values
// if there are none.
func SMTP(response string) (code int, enhanced string) {
	for field := range strings.FieldsFuncSeq(response, func(r rune) bool {
		return r == ' ' || r == '-' || r == ';' || r == '\t' || r == '\n' || r == '\r' || r == '(' || r == ')' || r == '[' || r == ']' || r == ','
	}) {
		field = strings.TrimRight(field, ":")
		if code == 0 && len(field) == 3 && field[0] >= '2' && field[0] <= '5' && digits(field) {
			code = int(field[0]-'0')*100 + int(field[1]-'0')*10 + int(field[2]-'0')
			continue
		}
		if EnhancedCode(field) != "" {
			return code, field
		}
		if code == 0 && field != "smtp" && !strings.EqualFold(field, "smtp") {
			return 0, "" // codes are at the beginning; a later number is just a number
		}
		if code != 0 {
			return code, ""
		}
	}
	return code, ""
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
