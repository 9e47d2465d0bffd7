package cloudmailin

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes CloudMailin: how it waits and retries. There are no settings.
func Spec() esp.Spec {
	return esp.Spec{
		Name:  ESP,
		Title: "CloudMailin",
		New: func(esp.Values) (anymail.Adapter, error) {
			return New(Config{})
		},
		// CloudMailin documents no time.
		Patience: 0,
		// https://docs.cloudmailin.com/receiving_email/http_status_codes/
		Retries: "CloudMailin does not retry a received message: at 5xx, and if it cannot connect, it tells the sender's server to try again later, and at 4xx it bounces the message. Whether it posts events again is not documented.",
	}
}
