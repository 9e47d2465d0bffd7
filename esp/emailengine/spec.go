package emailengine

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes EmailEngine: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "EmailEngine",
		Signature: "HMAC-SHA256",
		Settings: []esp.Setting{
			{Name: "signing_keys", Kind: esp.KindKeys, Secret: true, Help: "service secrets"},
			{Name: "api_tokens", Kind: esp.KindKeys, Secret: true, Help: "access token to fetch the source of received messages"},
			{Name: "server_url", Help: "https URL of your EmailEngine, for api_tokens"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{SigningKeys: v.Keys("signing_keys"), APITokens: v.Keys("api_tokens"), ServerURL: v.Text("server_url"), Client: v.Client})
		},
		Patience: patience,
		// https://learn.emailengine.app/docs/webhooks/overview
		Retries: "EmailEngine retries nine times within about 45 minutes after anything but 2xx. It does not retry after a redirect.",
	}
}

// patience is how long the ESP waits for an answer, unless EENGINE_WEBHOOK_TIMEOUT says
// otherwise.
//
// Source:
// https://learn.emailengine.app/docs/webhooks/overview
const patience = 30 * time.Second
