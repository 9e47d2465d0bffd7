package infobip

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Infobip: its settings, and how it retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:  ESP,
		Title: "Infobip",
		New: func(_ esp.Values) (anymail.Adapter, error) {
			return New(Config{})
		},
		// Infobip documents no time.
		Patience: 0,
		// https://www.infobip.com/docs/cpaas-x/subscriptions-management
		Retries: "Infobip retries if the server does not answer; how often and for how long is not documented.",
	}
}
