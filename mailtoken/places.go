package mailtoken

import (
	"context"
	"net/url"
	"strings"

	"github.com/goanymail/anymail"
)

// maxLocal is the length of the longest local part in bytes (RFC 5321, 4.5.3.1.1).
const maxLocal = 64

// Parameter is the parameter of an unsubscribe URL that has the token.
const Parameter = "t"

// ReturnPath returns an envelope sender with a token (variable envelope return path,
// VERP). Mail to it must reach a webhook for received mail. The token goes in front of
// the "@" of address:
//
//	bounce+@example.com    gives   bounce+TOKEN@example.com
//	@bounces.example.com   gives   TOKEN@bounces.example.com
//
// It returns [anymail.ErrConfig] if address has no such form, or if the result has a
// local part of more than 64 bytes: behind "bounce+" and with a recipient, there is
// room for a UUID, for 32 hexadecimal digits, or for any other id of 16 bytes.
func (t *Tokens) ReturnPath(ctx context.Context, m Message, address string) (string, error) {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || !isDomain(domain) || !isPrintable(local) || local != "" && !strings.ContainsRune(delimiters, rune(local[len(local)-1])) {
		return "", anymail.Misconfigured("mailtoken.ReturnPath", "address must have one of %q, or nothing, in front of its @", delimiters)
	}
	token, err := t.make(ctx, UseReturnPath, m)
	if err != nil {
		return "", err
	}
	if size := len(local) + len(token); size > maxLocal {
		return "", anymail.Misconfigured("mailtoken.Message.ID", "must be shorter: the local part would have %d of %d bytes", size, maxLocal)
	}
	return local + token + "@" + domain, nil
}

// MessageID returns a Message-ID with a token, without angle brackets.
func (t *Tokens) MessageID(ctx context.Context, m Message, domain string) (string, error) {
	if !isDomain(domain) {
		return "", anymail.Misconfigured("mailtoken.MessageID", "domain must be the name of one")
	}
	token, err := t.make(ctx, UseMessageID, m)
	return token + "@" + domain, err
}

// Unsubscribe returns a token for the unsubscription of m.Recipient, which must be set.
func (t *Tokens) Unsubscribe(ctx context.Context, m Message) (string, error) {
	if m.Recipient == "" {
		return "", anymail.Misconfigured("mailtoken.Message.Recipient", "must be set to unsubscribe it")
	}
	return t.make(ctx, UseUnsubscribe, m)
}

// ListUnsubscribe returns the header fields of a message whose recipient can
// unsubscribe: List-Unsubscribe (RFC 2369) and, for one click, List-Unsubscribe-Post
// (RFC 8058). The DKIM signature must cover both, which most ESPs see to.
//
// Endpoint is the https URL of an oneclick endpoint, and address is where
// unsubscriptions by mail go, for example "unsubscribe@example.com". One of them may
// be empty.
func (t *Tokens) ListUnsubscribe(ctx context.Context, m Message, endpoint, address string) (anymail.Headers, error) {
	token, err := t.Unsubscribe(ctx, m)
	if err != nil {
		return nil, err
	}
	var ways []string
	if endpoint != "" {
		u, err := url.Parse(endpoint)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.Fragment != "" || !isPrintable(endpoint) {
			return nil, anymail.Misconfigured("mailtoken.ListUnsubscribe", "endpoint must be an absolute https URL")
		}
		query := u.Query()
		query.Set(Parameter, token)
		u.RawQuery = query.Encode()
		ways = append(ways, "<"+u.String()+">")
	}
	if address != "" {
		if local, domain, ok := strings.Cut(address, "@"); !ok || local == "" || !isDomain(domain) || !isPrintable(local) || strings.ContainsAny(local, "<>,?&") {
			return nil, anymail.Misconfigured("mailtoken.ListUnsubscribe", "address must be an e-mail address")
		}
		ways = append(ways, "<mailto:"+address+"?subject=unsubscribe%20"+token+">")
	}
	switch {
	case len(ways) == 0:
		return nil, anymail.Misconfigured("mailtoken.ListUnsubscribe", "needs an endpoint or an address")
	case endpoint == "":
		return anymail.Headers{{Name: "List-Unsubscribe", Value: ways[0]}}, nil
	}
	return anymail.Headers{
		{Name: "List-Unsubscribe", Value: strings.Join(ways, ", ")},
		{Name: "List-Unsubscribe-Post", Value: OneClick},
	}, nil
}

// OneClick is the value of List-Unsubscribe-Post, and the body of the request that a
// mail program makes (RFC 8058, section 3.1).
const OneClick = "List-Unsubscribe=One-Click"

// delimiters are the characters behind which a token may follow in a local part.
const delimiters = "+-=._"

// InAddress returns what may be a token in an address or a Message-ID, "" if
// nothing may: the end of the local part.
func InAddress(address string) string {
	address = strings.Trim(address, "<> ")
	local := address[:max(strings.LastIndexByte(address, '@'), 0)]
	return candidate(local[strings.LastIndexAny(local, delimiters)+1:])
}

// InURL returns what may be a token in the URL of List-Unsubscribe, or of a request to
// it, "" if nothing may.
func InURL(rawURL string) string {
	_, query, _ := strings.Cut(rawURL, "?")
	query, _, _ = strings.Cut(query, "#")
	values, _ := url.ParseQuery(query)
	return candidate(values.Get(Parameter))
}

func candidate(s string) string {
	if len(s) < minToken || len(s) > maxToken {
		return ""
	}
	return s
}

func isDomain(s string) bool {
	return s != "" && isPrintable(s) && !strings.ContainsAny(s, "@<>,?&/")
}
