// Package esp has what the packages of the ESPs, one folder each, describe
// themselves with: a [Spec] for tools, the gateway and the docs.
package esp

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/goanymail/anymail"
)

// Spec describes one ESP, so that no program needs a list of its own of what
// ESPs are called, which settings they have and how to construct them.
type Spec struct {
	// Name is the canonical name: lower case letters and digits, for example
	// "amazonses".
	Name string
	// Title is what people call the ESP, for example "Amazon SES".
	Title string
	// Settings are those that New reads.
	Settings []Setting
	// New makes the adapter.
	New func(Values) (anymail.Adapter, error)
	// Patience is how long the ESP waits for an answer before it gives up on the
	// attempt; 0 if it does not document that.
	Patience time.Duration
	// Retries says in a sentence what makes the ESP retry, how often, and what
	// makes it stop. It is for people.
	Retries string
}

// Setting is one value, or list of values, that an adapter is configured with.
type Setting struct {
	// Name is in snake case, for example "signing_keys".
	Name string
	// Help says in a few words what it is.
	Help string
	// Secret reports whether the value must not be shown.
	Secret bool
}

// Values are the settings of one adapter, by name, and what an adapter shares
// with the program around it.
type Values struct {
	Settings map[string][]string
	// Client fetches what an adapter gets from its ESP. Nil means the adapter's
	// own, which has a timeout.
	Client *http.Client
	// Logger is for adapters that log. Nil means [slog.Default].
	Logger *slog.Logger
}
