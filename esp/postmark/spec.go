package postmark

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Postmark: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Postmark",
		Confirmed: true,
		Settings: []esp.Setting{
			{Name: "header_name", Help: "custom header of outbound webhooks"},
			{Name: "header_values", Kind: esp.KindKeys, Secret: true, Help: "values of that header"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{HeaderName: v.Text("header_name"), HeaderValues: v.Keys("header_values")})
		},
		Patience: patience,
		// https://postmarkapp.com/developer/webhooks/webhooks-overview,
		// https://postmarkapp.com/support/article/understanding-inbound-webhook-retries-in-postmark
		Retries: "Postmark retries after anything but 200; 403 is final. " +
			"It retries a received message ten times within ten and a half hours.",
	}
}

// patience is how long the ESP waits for an answer.
//
// Source:
// https://postmarkapp.com/support/article/870-what-are-inbound-error-messages
const patience = 2 * time.Minute
