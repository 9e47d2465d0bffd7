// Package all makes the adapter of any ESP from settings given as text, for
// programs that are configured rather than written. A program that is written
// should import the ESP packages that it needs.
package all

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/amazonses"
	"github.com/goanymail/anymail/esp/brevo"
	"github.com/goanymail/anymail/esp/mailersend"
	"github.com/goanymail/anymail/esp/mailgun"
	"github.com/goanymail/anymail/esp/mailjet"
	"github.com/goanymail/anymail/esp/mailtrap"
	"github.com/goanymail/anymail/esp/mandrill"
	"github.com/goanymail/anymail/esp/postal"
	"github.com/goanymail/anymail/esp/postmark"
	"github.com/goanymail/anymail/esp/resend"
	"github.com/goanymail/anymail/esp/sendgrid"
	"github.com/goanymail/anymail/esp/sparkpost"
	"github.com/goanymail/anymail/esp/unisendergo"
)

// ESP is an ESP whose adapter can be made.
type ESP struct {
	Name  string // canonical
	Title string
	// Settings are what New understands; none is required.
	Settings []Setting

	make func(v *values) (anymail.Adapter, error)
}

// Setting is a thing to configure.
type Setting struct {
	Name   string
	Help   string
	Secret bool // not to be shown
}

// Option is what New takes besides settings.
type Option func(*values)

// WithClient lets adapters fetch what their ESP keeps by a client that is not
// their own. It is ignored where nothing is fetched.
func WithClient(client *http.Client) Option { return func(v *values) { v.client = client } }

// WithLogger sets the logger of adapters that log. It is [slog.Default] if nil.
func WithLogger(logger *slog.Logger) Option { return func(v *values) { v.logger = logger } }

// New makes the adapter. Each setting has a list of texts: keys and secrets may
// have several, everything else has one. It returns an error that is
// [anymail.ErrConfig] for a setting that the ESP does not have, and where the
// adapter refuses one; the error holds no secret.
func (e ESP) New(settings map[string][]string, options ...Option) (anymail.Adapter, error) {
	for name := range settings {
		if !slices.ContainsFunc(e.Settings, func(s Setting) bool { return s.Name == name }) {
			known := make([]string, len(e.Settings))
			for i, s := range e.Settings {
				known[i] = s.Name
			}
			return nil, fmt.Errorf("%w: %s has no setting %q; it has %s", anymail.ErrConfig, e.Name, name, strings.Join(known, ", "))
		}
	}
	v := &values{settings: settings}
	for _, option := range options {
		option(v)
	}
	adapter, err := e.make(v)
	if v.err != nil {
		return nil, fmt.Errorf("%w: %s: %w", anymail.ErrConfig, e.Name, v.err)
	}
	return adapter, err
}

// Find returns the ESP of that canonical name, and whether there is one.
func Find(name string) (ESP, bool) {
	name = strings.ReplaceAll(name, "_", "")
	list := List()
	i := slices.IndexFunc(list, func(e ESP) bool { return e.Name == name })
	if i < 0 {
		return ESP{}, false
	}
	return list[i], true
}

// values reads settings and remembers what is wrong with them.
type values struct {
	settings map[string][]string
	client   *http.Client
	logger   *slog.Logger
	err      error
}

func (v *values) keys(name string) anymail.KeySource {
	if list := v.settings[name]; len(list) > 0 {
		return anymail.Keys(list...)
	}
	return nil
}

func (v *values) text(name string) string {
	list := v.settings[name]
	switch len(list) {
	case 0:
		return ""
	case 1:
		return list[0]
	}
	v.err = fmt.Errorf("setting %q has more than one value", name)
	return ""
}

func (v *values) bool(name string) bool {
	text := v.text(name)
	if text == "" {
		return false
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		v.err = fmt.Errorf("setting %q is neither true nor false", name)
	}
	return b
}

// entry ties a constructor to the settings that it reads.
func entry[A anymail.Adapter](name, title string, settings []Setting, create func(v *values) (A, error)) ESP {
	return ESP{name, title, settings, func(v *values) (anymail.Adapter, error) {
		adapter, err := create(v)
		if err != nil {
			return nil, err
		}
		return adapter, nil
	}}
}

func secret(name, help string) Setting { return Setting{name, help, true} }

func plain(name, help string) Setting { return Setting{name, help, false} }

// List returns all ESPs in alphabetical order.
func List() []ESP {
	return []ESP{
		entry(amazonses.ESP, "Amazon SES", []Setting{
			plain("topic_arns", "SNS topics to take messages from"),
			plain("require_sha256", "refuse signature version 1"),
			plain("accept_unsigned", "take raw message delivery, which has the shared secret only"),
		}, func(v *values) (*amazonses.Adapter, error) {
			return amazonses.New(amazonses.Config{
				TopicARNs: v.settings["topic_arns"], RequireSHA256: v.bool("require_sha256"), AcceptUnsigned: v.bool("accept_unsigned"),
				Client: v.client, Logger: v.logger,
			})
		}),
		entry(brevo.ESP, "Brevo", []Setting{
			secret("bearer_tokens", "tokens of webhooks made with auth of type bearer"),
			plain("header_name", "custom header of webhooks"),
			secret("header_values", "values of that header"),
			secret("api_keys", "API key to fetch the attachments of inbound messages"),
		}, func(v *values) (*brevo.Adapter, error) {
			return brevo.New(brevo.Config{
				BearerTokens: v.keys("bearer_tokens"), HeaderName: v.text("header_name"), HeaderValues: v.keys("header_values"), APIKeys: v.keys("api_keys"),
				Client: v.client,
			})
		}),
		entry(mailersend.ESP, "MailerSend", []Setting{
			secret("tracking_secrets", "signing secrets of webhooks"),
			secret("inbound_secrets", "secrets of inbound routes"),
		}, func(v *values) (*mailersend.Adapter, error) {
			return mailersend.New(mailersend.Config{TrackingSecrets: v.keys("tracking_secrets"), InboundSecrets: v.keys("inbound_secrets")})
		}),
		entry(mailgun.ESP, "Mailgun", []Setting{
			secret("signing_keys", "HTTP webhook signing keys"),
			secret("api_keys", "private API key to get stored messages"),
		}, func(v *values) (*mailgun.Adapter, error) {
			return mailgun.New(mailgun.Config{SigningKeys: v.keys("signing_keys"), APIKeys: v.keys("api_keys"), Client: v.client})
		}),
		entry(mailjet.ESP, "Mailjet", nil, func(*values) (*mailjet.Adapter, error) { return mailjet.New(mailjet.Config{}) }),
		entry(mailtrap.ESP, "Mailtrap", []Setting{
			secret("tracking_secrets", "signing secrets of sending webhooks"),
			secret("inbound_secrets", "signing secrets of inbound webhooks"),
			secret("api_tokens", "API token to fetch received messages"),
			plain("file_hosts", "further hosts that the API may refer to for contents of messages"),
		}, func(v *values) (*mailtrap.Adapter, error) {
			return mailtrap.New(mailtrap.Config{
				TrackingSecrets: v.keys("tracking_secrets"), InboundSecrets: v.keys("inbound_secrets"), APITokens: v.keys("api_tokens"),
				FileHosts: v.settings["file_hosts"], Client: v.client,
			})
		}),
		entry(mandrill.ESP, "Mandrill", []Setting{
			secret("keys", "keys of webhooks and inbound routes"),
			plain("urls", "URLs exactly as entered at Mandrill, where requests do not tell"),
		}, func(v *values) (*mandrill.Adapter, error) {
			return mandrill.New(mandrill.Config{Keys: v.keys("keys"), URLs: v.settings["urls"]})
		}),
		entry(postal.ESP, "Postal", []Setting{
			plain("keys", "the installation's public key, as default-dkim-record prints it or in PEM"),
			plain("require_sha256", "refuse SHA-1 signatures"),
		}, func(v *values) (*postal.Adapter, error) {
			return postal.New(postal.Config{Keys: v.keys("keys"), RequireSHA256: v.bool("require_sha256")})
		}),
		entry(postmark.ESP, "Postmark", []Setting{
			plain("header_name", "custom header of outbound webhooks"),
			secret("header_values", "values of that header"),
		}, func(v *values) (*postmark.Adapter, error) {
			return postmark.New(postmark.Config{HeaderName: v.text("header_name"), HeaderValues: v.keys("header_values")})
		}),
		entry(resend.ESP, "Resend", []Setting{
			secret("tracking_secrets", "signing secrets of webhooks for tracking, whsec_..."),
			secret("inbound_secrets", "signing secrets of webhooks for inbound"),
			secret("api_keys", "API key to fetch received messages"),
			plain("file_hosts", "further hosts that the API may refer to for contents of messages"),
		}, func(v *values) (*resend.Adapter, error) {
			return resend.New(resend.Config{
				TrackingSecrets: v.keys("tracking_secrets"), InboundSecrets: v.keys("inbound_secrets"), APIKeys: v.keys("api_keys"),
				FileHosts: v.settings["file_hosts"], Client: v.client,
			})
		}),
		entry(sendgrid.ESP, "SendGrid", []Setting{
			plain("verification_keys", "public keys of signed event webhooks"),
			plain("inbound_keys", "public keys of security policies of Inbound Parse"),
			plain("message_id_from", "custom argument to take for the message id"),
		}, func(v *values) (*sendgrid.Adapter, error) {
			return sendgrid.New(sendgrid.Config{
				VerificationKeys: v.keys("verification_keys"), InboundKeys: v.keys("inbound_keys"), MessageIDFrom: v.text("message_id_from"),
			})
		}),
		entry(sparkpost.ESP, "SparkPost", []Setting{
			secret("events_tokens", "values of X-MessageSystems-Webhook-Token of event webhooks"),
			plain("events_header_name", "custom header of event webhooks"),
			secret("events_header_values", "values of that header"),
			secret("events_bearer_tokens", "OAuth 2.0 access tokens of event webhooks"),
			secret("relay_tokens", "values of X-MessageSystems-Webhook-Token of relay webhooks"),
			plain("relay_header_name", "custom header of relay webhooks"),
			secret("relay_header_values", "values of that header"),
			secret("relay_bearer_tokens", "OAuth 2.0 access tokens of relay webhooks"),
			plain("initial_opens", "take initial_open and amp_initial_open for opens"),
		}, func(v *values) (*sparkpost.Adapter, error) {
			auth := func(webhook string) sparkpost.Auth {
				return sparkpost.Auth{
					Tokens: v.keys(webhook + "_tokens"), BearerTokens: v.keys(webhook + "_bearer_tokens"),
					HeaderName: v.text(webhook + "_header_name"), HeaderValues: v.keys(webhook + "_header_values"),
				}
			}
			return sparkpost.New(sparkpost.Config{Events: auth("events"), Relay: auth("relay"), InitialOpens: v.bool("initial_opens")})
		}),
		entry(unisendergo.ESP, "Unisender Go", []Setting{
			secret("api_keys", "API keys of the user or project whose webhook it is"),
			plain("message_id_from", "metadata value to take for the message id"),
		}, func(v *values) (*unisendergo.Adapter, error) {
			return unisendergo.New(unisendergo.Config{APIKeys: v.keys("api_keys"), MessageIDFrom: v.text("message_id_from")})
		}),
	}
}
