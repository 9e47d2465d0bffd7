// Package esp holds what the packages of the ESPs, one folder each, share: the
// [Spec] by which an ESP describes itself to tools, the gateway and the docs,
// the settings that it reads, and its answers and address lists.
package esp

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"
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
	// Signature is how the ESP proves that a request is its own, in a few words:
	// "HMAC-SHA256". It is empty if only a shared secret protects the webhooks.
	Signature string
	// Confirmed reports that the format is known from live traffic. Otherwise it is
	// known from documentation or source code alone, and the page says so.
	Confirmed bool
	// Settings are those that New reads. None is required.
	Settings []Setting
	// InboundNeeds is the setting without which the adapter has no inbound
	// endpoint, because it could not fetch received messages. It is empty if
	// inbound needs no setting, or if the ESP receives no mail.
	InboundNeeds string
	// New makes the adapter of values that were checked. Programs call
	// [Spec.Adapter], which checks them.
	New func(Values) (anymail.Adapter, error)
	// Patience is how long the ESP waits for an answer before it gives up on the
	// attempt; 0 if it does not document that.
	Patience time.Duration
	// Retries says in a sentence or two what makes the ESP retry, how often, and
	// what makes it stop. It is for people.
	Retries string
}

// Find returns the Spec with that canonical name, and whether there is one. A name may
// be spelled with underscores: "amazon_ses".
func Find(specs []Spec, name string) (Spec, bool) {
	name = strings.ReplaceAll(name, "_", "")
	i := slices.IndexFunc(specs, func(s Spec) bool { return s.Name == name })
	if i < 0 {
		return Spec{}, false
	}
	return specs[i], true
}

// Setting is one value, or list of values, that an adapter is configured with.
type Setting struct {
	// Name is in snake case, for example "signing_keys".
	Name string
	// Help says in a few words what it is.
	Help string
	// Kind is what its values are. The zero value is [KindText].
	Kind SettingKind
	// Secret reports whether the value must not be shown.
	Secret bool
}

// Adapter makes the adapter. It returns [anymail.ErrConfig] if the ESP does not
// have one of the settings, if a value is empty, has white space around it or is
// not of its setting's kind, and if the adapter refuses a value. Each
// [anymail.ConfigError] names the setting and the number of the value, for example
// "mailgun.signing_keys[0]", and holds no value.
func (s Spec) Adapter(v Values) (anymail.Adapter, error) {
	if err := s.check(v.Settings); err != nil {
		return nil, err
	}
	adapter, err := s.New(v)
	if err != nil {
		return nil, s.named(err)
	}
	return adapter, nil
}

// named returns the error of a constructor with the names of settings in place
// of those of the fields of its Config.
func (s Spec) named(err error) error {
	switch e := err.(type) { //nolint:errorlint // this walks the tree itself
	case *anymail.ConfigError:
		field, ok := strings.CutPrefix(e.Setting, s.Name+".Config")
		if !ok {
			return err
		}
		field, index, indexed := strings.Cut(field, "[")
		if indexed {
			index = "[" + index
		}
		if name := s.settingOf(field); name != "" {
			return &anymail.ConfigError{Setting: s.Name + "." + name + index, Err: e.Err}
		}
		text := fieldName.ReplaceAllStringFunc(e.Err.Error(), func(word string) string {
			return cmp.Or(s.settingOf(field+word), word)
		})
		return anymail.Misconfigured(s.Name, "%s", text)
	case interface{ Unwrap() []error }:
		var errs []error
		for _, err := range e.Unwrap() {
			errs = append(errs, s.named(err))
		}
		return errors.Join(errs...)
	}
	return err
}

// fieldName matches what may be the name of a field in an error text.
var fieldName = regexp.MustCompile(`\b[A-Z]\w*`)

// settingOf returns the setting that a field is filled from, or "": ".APIKeys" is
// api_keys, ".Events.Tokens" is tracking_tokens.
func (s Spec) settingOf(field string) string {
	field = strings.ToLower(strings.ReplaceAll(field, ".", ""))
	for _, setting := range s.Settings {
		if strings.ReplaceAll(setting.Name, "_", "") == field {
			return setting.Name
		}
	}
	return ""
}

// Find returns the setting of that name, and whether the ESP has it.
func (s Spec) Find(name string) (Setting, bool) {
	i := slices.IndexFunc(s.Settings, func(setting Setting) bool { return setting.Name == name })
	if i < 0 {
		return Setting{}, false
	}
	return s.Settings[i], true
}

// known returns the names of the settings, for error texts.
func (s Spec) known() string {
	if len(s.Settings) == 0 {
		return "no settings"
	}
	names := make([]string, len(s.Settings))
	for i, setting := range s.Settings {
		names[i] = setting.Name
	}
	return strings.Join(names, ", ")
}
