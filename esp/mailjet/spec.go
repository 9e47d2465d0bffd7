package mailjet

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Mailjet: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Mailjet",
		Confirmed: true,
		New: func(_ esp.Values) (anymail.Adapter, error) {
			return New(Config{})
		},
		// Mailjet documents no time.
		Patience: 0,
		// https://documentation.mailjet.com/hc/en-us/articles/360043578154-Event-Tracking-API
		Retries: "Mailjet retries after anything but 200, every 30 seconds for 24 hours.",
	}
}
