package mailchimp

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Mailchimp: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:  ESP,
		Title: "Mailchimp",
		New: func(_ esp.Values) (anymail.Adapter, error) {
			return New(Config{})
		},
		Patience: patience,
		// https://mailchimp.com/developer/marketing/guides/sync-audience-data-webhooks/
		Retries: "Mailchimp retries at increasing intervals for 75 minutes if the URL cannot be reached or is too slow, and may disable a webhook that fails too often.",
	}
}
