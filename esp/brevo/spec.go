package brevo

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Brevo: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Brevo",
		Confirmed: true,
		Settings: []esp.Setting{
			{Name: "bearer_tokens", Kind: esp.KindKeys, Secret: true, Help: "tokens of webhooks made with auth of type bearer"},
			{Name: "header_name", Help: "custom header of webhooks"},
			{Name: "header_values", Kind: esp.KindKeys, Secret: true, Help: "values of that header"},
			{Name: "api_keys", Kind: esp.KindKeys, Secret: true, Help: "API key to fetch the attachments of inbound messages"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{
				BearerTokens: v.Keys("bearer_tokens"), HeaderName: v.Text("header_name"), HeaderValues: v.Keys("header_values"),
				APIKeys: v.Keys("api_keys"), Client: v.Client,
			})
		},
		// Brevo documents no time.
		Patience: 0,
		// https://developers.brevo.com/docs/retry-mechanism
		Retries: "Brevo retries after 429, and if it gets no answer: four times, after 10 minutes, 1 hour, 2 hours and 8 hours. " +
			"Any other 4xx and any 5xx is final.",
	}
}
