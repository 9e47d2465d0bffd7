package report

import (
	"context"
	"errors"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/mailtoken"
)

// Options are those of a [Reader]. With the zero value nothing is ever verified.
type Options struct {
	// Tokens checks the tokens that the sender has put into its messages. Nil means
	// that there are none.
	Tokens *mailtoken.Tokens
	// SentTo reports whether the message of that id went to the recipient. It is asked
	// for tokens that are not bound to a recipient, at most 50 times for a report.
	// Without it, these verify nothing: each recipient of a message could report the
	// bounce of any address. An error makes the ESP retry.
	SentTo func(ctx context.Context, id, recipient string) (bool, error)
	// Reporters are addresses and domains, such as "mailer-daemon@provider.example"
	// and "fbl.provider.example", whose reports are believed about any recipient if the
	// ESP found DKIM and DMARC to pass. A domain is that of the From address, and not
	// those below it. Name no domain whose users choose their own addresses.
	Reporters []string
	// OwnRequests believes unsubscriptions and automatic replies about the address that
	// they are from, if the ESP found DKIM and DMARC to pass.
	OwnRequests bool
	// Unverified makes events of reports that nothing verifies, too.
	Unverified bool
	// Replace delivers the events instead of the message that they were made of.
	// Messages of which none is made are delivered in any case.
	Replace bool
	// Limits bound what is read: see [Read].
	Limits anymail.Limits
}

// Reader turns received mail into tracking events, for [anymail.WithReports].
type Reader struct{ options Options }

// NewReader returns [anymail.ErrConfig] if a reporter is empty.
func NewReader(options Options) (*Reader, error) {
	for _, reporter := range options.Reporters {
		if strings.TrimSpace(reporter) != reporter || reporter == "" {
			return nil, anymail.Misconfigured("report.Options.Reporters", "must be addresses and domains")
		}
	}
	return &Reader{options}, nil
}

// ReadReport returns the events of a report that is verified, each with the way in
// Verified. A verified event has, as its MessageID, the id that its token was made for.
// Its Recipient is the one that the token is bound to, or empty if the report does
// not name that one: a token says nothing about anybody else. The Key does not depend
// on what was verified.
func (r *Reader) ReadReport(ctx context.Context, in *anymail.InboundEvent) (events []*anymail.TrackingEvent, keep bool, err error) {
	read := Read(&in.Message, r.options.Limits)
	all := read.Events(in)
	if len(all) == 0 {
		return nil, true, nil
	}
	proof, err := r.prove(ctx, &read, &in.Message)
	if err != nil {
		return nil, true, err
	}
	lookups := 0
	for _, ev := range all {
		ev.Verified = proof.verified
		if proof.claims != nil {
			ev.MessageID = proof.claims.ID
			switch {
			case proof.claims.Bound:
				ev.Recipient = boundRecipient(proof.claims, &read, ev.Recipient)
			case ev.Recipient == "": // it says nothing about anybody
			case r.options.SentTo == nil || lookups == maxLookups:
				ev.Verified = anymail.VerifiedNone
			default:
				lookups++
				sent, err := r.options.SentTo(ctx, proof.claims.ID, ev.Recipient)
				if err != nil {
					return nil, true, err
				}
				if !sent {
					ev.Verified = anymail.VerifiedNone
				}
			}
		}
		if ev.Verified != anymail.VerifiedNone || r.options.Unverified {
			events = append(events, ev)
		}
	}
	return events, !r.options.Replace || len(events) == 0, nil
}

const (
	maxLookups    = 50
	maxCandidates = 20 // addresses and URLs in which a token is looked for
)

// proof is what shows that a report is about a message that was sent.
type proof struct {
	verified anymail.Verification
	claims   *mailtoken.Claims // of the token, if there is one
}

// prove looks for a proof, the strongest first.
func (r *Reader) prove(ctx context.Context, read *Report, m *anymail.InboundMessage) (proof, error) {
	if r.options.Tokens != nil {
		for _, c := range candidates(read, m) {
			claims, err := r.options.Tokens.Check(ctx, c.use, c.token)
			switch {
			case errors.Is(err, anymail.ErrUnavailable):
				return proof{}, err
			case err == nil && c.use == mailtoken.UseMessageID:
				return proof{anymail.VerifiedMessageID, &claims}, nil
			case err == nil:
				return proof{anymail.VerifiedToken, &claims}, nil
			}
		}
	}
	if r.believes(read, m) {
		return proof{verified: anymail.VerifiedDKIM}, nil
	}
	return proof{verified: anymail.VerifiedNone}, nil
}

// candidate may be a token.
type candidate struct {
	use   mailtoken.Use
	token string
}

// candidates returns what may be a token of the message that was sent: from where the
// sender put it to where it is repeated. That any of it can be forged does not
// matter: a token authenticates itself.
func candidates(read *Report, m *anymail.InboundMessage) []candidate {
	var list []candidate
	add := func(use mailtoken.Use, token string) {
		if token != "" && len(list) < maxCandidates {
			list = append(list, candidate{use, token})
		}
	}
	if read.Unsubscribe != nil {
		// Nothing else counts: a return path cannot unsubscribe.
		add(mailtoken.UseUnsubscribe, read.Unsubscribe.Token)
		return list
	}
	add(mailtoken.UseReturnPath, mailtoken.InAddress(m.EnvelopeRecipient))
	for _, to := range m.EnvelopeRecipients {
		add(mailtoken.UseReturnPath, mailtoken.InAddress(to))
	}
	for _, to := range m.To { // not every ESP gives the envelope
		add(mailtoken.UseReturnPath, mailtoken.InAddress(to.Address))
	}
	if read.Feedback != nil {
		add(mailtoken.UseReturnPath, mailtoken.InAddress(read.Feedback.MailFrom))
		// It has the recipient, which reporters often remove from everywhere else.
		for _, way := range strings.SplitN(cut(read.Original.Headers.Get("List-Unsubscribe")), ",", maxCandidates) {
			add(mailtoken.UseUnsubscribe, mailtoken.InURL(strings.Trim(way, "<> \t")))
		}
	}
	add(mailtoken.UseReturnPath, mailtoken.InAddress(cut(read.Original.Headers.Get("Return-Path"))))
	add(mailtoken.UseMessageID, mailtoken.InAddress(read.Original.MessageID))
	return list
}

// boundRecipient returns the recipient that a token is bound to, "" if the report does
// not name it. A report about an address to which a message was forwarded, or that
// hides the address, often has it in the header that it returns.
func boundRecipient(claims *mailtoken.Claims, read *Report, reported string) string {
	if claims.Recipient != "" {
		return claims.Recipient
	}
	named := []string{reported}
	if read.Delivery != nil {
		for i := range read.Delivery.Recipients {
			if to := &read.Delivery.Recipients[i]; to.Address() == reported && len(named) < maxCandidates {
				named = append(named, to.Final)
			}
		}
	}
	headers := read.Original.Headers
	for _, to := range inbound.Addresses(cut(headers.Get("To")), cut(headers.Get("Cc"))) {
		if len(named) < 2*maxCandidates {
			named = append(named, to.Address)
		}
	}
	for _, address := range named {
		if claims.IsFor(address) {
			return address
		}
	}
	return ""
}

// believes reports whether the ESP has authenticated a reporter that is trusted. DKIM
// alone does not do: any domain may have signed. DMARC says that it was that of From.
func (r *Reader) believes(read *Report, m *anymail.InboundMessage) bool {
	if m.Authentication.DKIM != "pass" || m.Authentication.DMARC != "pass" || len(m.From) != 1 || len(m.Headers.Values("From")) > 1 {
		return false
	}
	if r.options.OwnRequests && (read.Unsubscribe != nil || read.AutoReply != nil) {
		return true // the event is about the address that it is from
	}
	from := m.From[0].Address
	for _, reporter := range r.options.Reporters {
		domain := from[strings.LastIndexByte(from, '@')+1:]
		if strings.EqualFold(reporter, from) || strings.EqualFold(reporter, domain) {
			return true
		}
	}
	return false
}
