package smtp2go

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes SMTP2GO: how it waits and retries. There are no settings.
func Spec() esp.Spec {
	return esp.Spec{
		Name:  ESP,
		Title: "SMTP2GO",
		New: func(esp.Values) (anymail.Adapter, error) {
			return New(Config{})
		},
		Patience: patience,
		// https://developers.smtp2go.com/docs/webhooks-overview
		Retries: "SMTP2GO retries up to 35 times, for two days or longer, after which the event can be posted again by hand.",
	}
}

// patience is how long the ESP waits for an answer.
//
// Source:
// https://developers.smtp2go.com/docs/webhooks-overview
const patience = 10 * time.Second
