package gateway

import (
	"fmt"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/report"
	"github.com/goanymail/anymail/mailtoken"
	"github.com/goanymail/anymail/oneclick"
)

// Reports says which reports that come as mail become tracking events:
// [report.Options]. Without a setting, none does.
type Reports struct {
	TokenKeys   []string `key:"token_keys,secret"`
	OneClick    bool     `key:"one_click"`
	Reporters   []string `key:"reporters"`
	OwnRequests bool     `key:"own_requests"`
	Unverified  bool     `key:"unverified"`
	Replace     bool     `key:"replace"`
}

func (r *Reports) check(fail fail) {
	for i, key := range r.TokenKeys {
		if len(key) < mailtoken.MinKey {
			fail(fmt.Sprintf("reports.token_keys[%d]", i), "must have at least %d characters", mailtoken.MinKey)
		}
	}
	if _, err := report.NewReader(report.Options{Reporters: r.Reporters}); err != nil {
		fail("reports.reporters", "must be addresses and domains")
	}
	if r.OneClick && len(r.TokenKeys) == 0 {
		fail("reports.one_click", "needs reports.token_keys, which prove unsubscriptions")
	}
}

// tokens returns nil if there are no keys.
func (r *Reports) tokens() (*mailtoken.Tokens, error) {
	if len(r.TokenKeys) == 0 {
		return nil, nil
	}
	return mailtoken.New(mailtoken.Config{Keys: anymail.Keys(r.TokenKeys...)})
}

// option returns what the Dispatcher does with reports.
func (r *Reports) option(limits anymail.Limits) (anymail.Option, error) {
	if len(r.TokenKeys) == 0 && len(r.Reporters) == 0 && !r.OwnRequests && !r.Unverified {
		return anymail.WithReports(nil), nil // nothing could verify one
	}
	tokens, err := r.tokens()
	if err != nil {
		return nil, err
	}
	reader, err := report.NewReader(report.Options{
		Tokens: tokens, Reporters: r.Reporters, OwnRequests: r.OwnRequests, Unverified: r.Unverified, Replace: r.Replace, Limits: limits,
	})
	return anymail.WithReports(reader), err
}

// registerOneClick serves unsubscriptions by one click, if they are configured.
func (r *Reports) registerOneClick(d *anymail.Dispatcher) error {
	if !r.OneClick {
		return nil
	}
	tokens, err := r.tokens()
	if err != nil {
		return err
	}
	adapter, err := oneclick.New(oneclick.Config{Tokens: tokens})
	if err != nil {
		return err
	}
	return d.Register(oneclick.Name, adapter, anymail.WithoutSharedSecret())
}
