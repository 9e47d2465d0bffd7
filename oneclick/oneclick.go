// Package oneclick is an endpoint for unsubscriptions by one click (RFC 8058): the URL
// of List-Unsubscribe, which mail programs post to when their user presses
// "Unsubscribe". The request becomes an unsubscribed event, delivered as those of ESPs
// are. Opening the URL, as scanners of links do, changes nothing: a GET shows a page
// with a button.
//
// A token of package mailtoken in the URL is all that proves the request. Neither mail
// programs nor their servers sign it.
//
// How to set it up, and what a token allows:
// https://github.com/goanymail/anymail/blob/main/docs/reports.md
package oneclick

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/mailtoken"
)

// Name is the name of the adapter, which its events bear as their ESP.
const Name = "oneclick"

// Config configures the adapter.
type Config struct {
	// Tokens checks the tokens in the URLs. They are made by
	// [mailtoken.Tokens.ListUnsubscribe].
	Tokens *mailtoken.Tokens
	// Page is what a GET shows, in HTML. It must have a form that posts
	// "List-Unsubscribe=One-Click" to the same URL; scripts and references to other
	// sites do not work. Default: a button.
	Page []byte
	// Done is what people see who have pressed it, as plain text. Default:
	// "You are unsubscribed."
	Done string
}

// Adapter is the adapter for unsubscriptions by one click.
type Adapter struct{ config Config }

// New returns an adapter. It returns [anymail.ErrConfig] without Tokens, or if Page has
// no such form.
func New(config Config) (*Adapter, error) {
	switch {
	case config.Tokens == nil:
		return nil, anymail.Misconfigured("oneclick.Config.Tokens", "must be set")
	case config.Page == nil:
		config.Page = []byte(page)
	case !strings.Contains(string(config.Page), field) || !strings.Contains(string(config.Page), "<form"):
		return nil, anymail.Misconfigured("oneclick.Config.Page", "must have a form with a field %s", field)
	}
	if config.Done == "" {
		config.Done = "You are unsubscribed.\n"
	}
	return &Adapter{config}, nil
}

// field is the one that a request has, and its value (RFC 8058, section 3.1).
const (
	field = "List-Unsubscribe"
	value = "One-Click"
)

// The form has no action: it posts to the URL that the page is at.
const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Unsubscribe</title>
<form method="post">
<input type="hidden" name="List-Unsubscribe" value="One-Click">
<p>Do you want to receive no more of these messages?</p>
<button>Unsubscribe</button>
</form>
</html>
`

// pageHeader keeps the token from other sites and from search engines, and the page
// from running scripts.
var pageHeader = http.Header{
	"Content-Type":            {"text/html; charset=utf-8"},
	"Content-Security-Policy": {"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"},
	"Referrer-Policy":         {"no-referrer"},
	"X-Content-Type-Options":  {"nosniff"},
	"X-Robots-Tag":            {"noindex"},
	"Cache-Control":           {"no-store"},
}

// ESP returns "oneclick".
func (*Adapter) ESP() string { return Name }

// Endpoints returns the one endpoint, at the root of the adapter.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{{
		Verifier:     anymail.VerifierFunc(a.verify),
		Parser:       anymail.ParserFunc(a.parse),
		ContentTypes: []string{"application/x-www-form-urlencoded", "multipart/form-data"},
		MaxBody:      maxBody,
		Probes:       []string{http.MethodGet},
		ProbeHeader:  pageHeader,
		ProbeBody:    a.config.Page,
		Answer:       anymail.Reply{ContentType: "text/plain; charset=utf-8", Body: []byte(a.config.Done)},
	}}
}

// maxBody is far more than the one field takes, in either form.
const maxBody = 16 << 10

func (a *Adapter) check(ctx context.Context, p *anymail.Payload) (mailtoken.Claims, error) {
	return a.config.Tokens.Check(ctx, mailtoken.UseUnsubscribe, mailtoken.InURL(p.URL))
}

func (a *Adapter) verify(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
	claims, err := a.check(ctx, p)
	return anymail.Proof{Key: claims.Key}, err
}

// parse returns the unsubscription. Its key is the same for an hour: a mail server that
// gets no answer posts again. After that it is a new request, since the recipient
// may have subscribed again and changed their mind.
func (a *Adapter) parse(ctx context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	form, err := p.Form()
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(form.Fields.Get(field), value) {
		return nil, anymail.Malformed("it does not ask for the unsubscription", nil)
	}
	claims, err := a.check(ctx, p)
	if err != nil {
		return nil, err
	}
	hour := p.ReceivedAt.UTC().Truncate(time.Hour).Format(time.RFC3339)
	return []anymail.Event{&anymail.TrackingEvent{
		Common: anymail.Common{
			Type: anymail.EventUnsubscribed, Timestamp: p.ReceivedAt, Raw: p.Body,
			Key: anymail.EventKey(Name, claims.ID, strings.ToLower(claims.Recipient), hour),
		},
		MessageID:    claims.ID,
		Recipient:    claims.Recipient,
		RejectReason: anymail.RejectUnsubscribed,
		Verified:     anymail.VerifiedToken,
	}}, nil
}
