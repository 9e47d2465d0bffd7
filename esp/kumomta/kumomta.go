// Package kumomta is the adapter for KumoMTA, a mail server that its operator runs.
//
// KumoMTA posts the records of its log by a hook, a Lua script of the operator
// (https://docs.kumomta.com/userguide/operation/webhooks/). It signs nothing; a shared
// secret in the URL protects the webhook.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/kumomta.md
package kumomta

import "github.com/goanymail/anymail"

// ESP is the canonical name of the adapter.
const ESP = "kumomta"

// Config has no settings.
type Config struct{}

// Adapter is the adapter for KumoMTA.
type Adapter struct{}

// New returns an adapter. It never fails.
func New(Config) (*Adapter, error) { return &Adapter{}, nil }

// ESP returns "kumomta".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking. The hook is the operator's, so any content type will do.
func (*Adapter) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{{Path: "tracking", Parser: anymail.ParserFunc(parse)}}
}
