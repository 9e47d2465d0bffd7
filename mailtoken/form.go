package mailtoken

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goanymail/anymail"
)

const version = 1

// recipientForm is how a token gives its recipient.
type recipientForm byte

const (
	recipientNone recipientForm = iota
	recipientDigest
	recipientWhole
)

// idForm is how a token gives the id.
type idForm byte

const (
	idText idForm = iota
	idHex         // an even number of lower-case hexadecimal digits, two in a byte
	idUUID        // in lower case with its hyphens, as 16 bytes
)

// parts is a token in its parts, not yet checked.
type parts struct {
	day           uint16
	expires       time.Time
	how           recipientForm
	digest        []byte
	id, recipient string
	signed, mac   []byte
}

// parse reads the form of a token. It accepts exactly one text for each token, apart
// from case.
func parse(token string) (p parts, ok bool) {
	if len(token) < minToken || len(token) > maxToken {
		return p, false
	}
	token = strings.ToLower(token)
	b, err := encoding.DecodeString(token)
	if err != nil || encoding.EncodeToString(b) != token || b[0]>>6 != version || b[0]&3 != 0 {
		return p, false
	}
	p.signed, p.mac = b[:len(b)-macSize], b[len(b)-macSize:]
	p.how = recipientForm(b[0] >> 4 & 3)
	p.day = binary.BigEndian.Uint16(b[1:])
	if p.day != 0 {
		p.expires = epoch.AddDate(0, 0, int(p.day))
	}
	id := p.signed[headSize:]
	switch p.how {
	case recipientNone:
	case recipientDigest:
		if len(id) < digestSize {
			return p, false
		}
		p.digest, id = id[:digestSize], id[digestSize:]
	case recipientWhole:
		size := int(id[0])
		if id = id[1:]; len(id) < size {
			return p, false
		}
		p.recipient, id = string(id[size:]), id[:size]
		if p.recipient == "" {
			return p, false
		}
	default:
		return p, false
	}
	p.id, ok = lengthen(idForm(b[0]>>2&3), id)
	m := Message{ID: p.id, Recipient: p.recipient}
	return p, ok && m.check() == nil
}

// epoch is the day 0 of tokens.
var epoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// dayOf returns the first day that begins at t or later, and 0 for the zero time.
func dayOf(t time.Time) (uint16, error) {
	if t.IsZero() {
		return 0, nil
	}
	const day = 24 * time.Hour
	days := (t.Sub(epoch) + day - 1) / day
	if days < 1 || days > 1<<16-1 {
		return 0, anymail.Misconfigured("mailtoken.Message.Expires", "must be a day of 2020 to 2199")
	}
	return uint16(days), nil
}

// shorten returns the shortest form of an id.
func shorten(id string) (idForm, string) {
	digits := id
	form := idHex
	if isUUID(id) {
		form, digits = idUUID, strings.ReplaceAll(id, "-", "")
	}
	b, err := hex.DecodeString(digits)
	if err != nil || strings.ToLower(id) != id {
		return idText, id
	}
	return form, string(b)
}

// lengthen undoes shorten. An id has one form: another one is refused.
func lengthen(form idForm, short []byte) (id string, ok bool) {
	switch form {
	case idText:
		id = string(short)
	case idHex:
		id = hex.EncodeToString(short)
	case idUUID:
		if len(short) != 16 {
			return "", false
		}
		s := hex.EncodeToString(short)
		id = s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
	}
	again, _ := shorten(id)
	return id, id != "" && again == form
}

func isUUID(s string) bool {
	return len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' && strings.Count(s, "-") == 4
}

func isPrintable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) < 0
}
