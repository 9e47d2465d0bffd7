package sparkpost

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes SparkPost: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "SparkPost",
		Confirmed: true,
		Settings: []esp.Setting{
			{Name: "tracking_tokens", Kind: esp.KindKeys, Secret: true, Help: "values of X-MessageSystems-Webhook-Token of event webhooks"},
			{Name: "tracking_header_name", Help: "custom header of event webhooks"},
			{Name: "tracking_header_values", Kind: esp.KindKeys, Secret: true, Help: "values of that header"},
			{Name: "tracking_bearer_tokens", Kind: esp.KindKeys, Secret: true, Help: "OAuth 2.0 access tokens of event webhooks"},
			{Name: "inbound_tokens", Kind: esp.KindKeys, Secret: true, Help: "values of X-MessageSystems-Webhook-Token of relay webhooks"},
			{Name: "inbound_header_name", Help: "custom header of relay webhooks"},
			{Name: "inbound_header_values", Kind: esp.KindKeys, Secret: true, Help: "values of that header"},
			{Name: "inbound_bearer_tokens", Kind: esp.KindKeys, Secret: true, Help: "OAuth 2.0 access tokens of relay webhooks"},
			{Name: "initial_opens", Kind: esp.KindBool, Help: "count initial_open and amp_initial_open as opens"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{Tracking: auth(v, "tracking"), Inbound: auth(v, "inbound"), InitialOpens: v.Bool("initial_opens")})
		},
		Patience: patience,
		// https://support.sparkpost.com/docs/tech-resources/webhook-data-streams
		Retries: "SparkPost retries after anything but 2xx: 12 attempts within 8 hours, after which the batch is lost.",
	}
}

// auth reads the settings of one kind of webhook.
func auth(v esp.Values, webhook string) Auth {
	return Auth{
		Tokens: v.Keys(webhook + "_tokens"), BearerTokens: v.Keys(webhook + "_bearer_tokens"),
		HeaderName: v.Text(webhook + "_header_name"), HeaderValues: v.Keys(webhook + "_header_values"),
	}
}

// patience is how long the ESP waits for an answer.
//
// Source:
// https://support.sparkpost.com/docs/tech-resources/webhook-data-streams
const patience = 10 * time.Second
