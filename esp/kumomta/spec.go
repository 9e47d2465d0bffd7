package kumomta

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes KumoMTA: it has no settings, and how it retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:  ESP,
		Title: "KumoMTA",
		New: func(_ esp.Values) (anymail.Adapter, error) {
			return New(Config{})
		},
		// KumoMTA documents no time.
		Patience: 0,
		// https://docs.kumomta.com/userguide/operation/webhooks/
		Retries: "KumoMTA does not retry with the hook of its documentation: after anything but 2xx, the record is lost. " +
			"A hook that rejects with a 4xx code instead makes it retry, after one minute at first and then less often, until the record expires.",
	}
}
