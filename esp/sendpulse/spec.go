package sendpulse

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes SendPulse: its settings, and how it retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:  ESP,
		Title: "SendPulse",
		New: func(_ esp.Values) (anymail.Adapter, error) {
			return New(Config{})
		},
		// SendPulse documents no time.
		Patience: 0,
		Retries:  "SendPulse does not document whether it retries.",
	}
}
