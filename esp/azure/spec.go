package azure

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Azure Communication Services: its settings, and how Event Grid
// waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:  ESP,
		Title: "Azure Communication Services",
		Settings: []esp.Setting{
			{Name: "bearer_tokens", Kind: esp.KindKeys, Secret: true, Help: "tokens in the header Authorization of the event subscription"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{BearerTokens: v.Keys("bearer_tokens")})
		},
		Patience: patience,
		// https://learn.microsoft.com/azure/event-grid/delivery-and-retry
		Retries: "Event Grid gives up on an event after 400, 401, 403, 404 or 413. After anything else but 200 to 204 it retries: 30 attempts within 24 hours, unless the event subscription has other limits.",
	}
}

// patience is how long the ESP waits for an answer.
//
// Source:
// https://learn.microsoft.com/azure/event-grid/delivery-and-retry
const patience = 30 * time.Second
