package esp

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/setting"
)

// SettingKind is what the values of a [Setting] are, and so how they are checked.
type SettingKind int

// The kinds of settings.
const (
	KindText SettingKind = iota // one text
	KindBool                    // true or false
	KindList                    // any number of texts
	KindKeys                    // any number of keys, tokens or secrets, for a KeySource
)

// Values are the settings of one adapter, by name, and what an adapter shares
// with the program around it. [Spec.Adapter] checks them; the methods read them.
type Values struct {
	// Settings are lists of texts. A list without elements means the same as no
	// list.
	Settings map[string][]string
	// Client fetches what an adapter gets from its ESP. Nil means the adapter's
	// own, which has a timeout.
	Client *http.Client
	// Logger is for adapters that log. Nil means [slog.Default].
	Logger *slog.Logger
}

// Text returns the value of a [KindText] setting, or "".
func (v Values) Text(name string) string {
	if list := v.Settings[name]; len(list) > 0 {
		return list[0]
	}
	return ""
}

// Bool reports whether a [KindBool] setting is true.
func (v Values) Bool(name string) bool {
	b, err := parseBool(v.Text(name))
	return b && err == nil
}

// List returns the values of a [KindList] setting.
func (v Values) List(name string) []string { return v.Settings[name] }

// Keys returns the values of a [KindKeys] setting, or nil if there are none.
func (v Values) Keys(name string) anymail.KeySource {
	if list := v.Settings[name]; len(list) > 0 {
		return anymail.Keys(list...)
	}
	return nil
}

// check is the one place that decides which settings an adapter is given.
func (s Spec) check(settings map[string][]string) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		one, ok := s.Find(name)
		full := s.Name + "." + name
		if !ok {
			errs = append(errs, anymail.Misconfigured(full, "is not a setting of %s, which has %s", s.Title, s.known()))
			continue
		}
		values := settings[name]
		if (one.Kind == KindText || one.Kind == KindBool) && len(values) > 1 {
			errs = append(errs, anymail.Misconfigured(full, "must have one value"))
			continue
		}
		for i, value := range values {
			if one.Kind == KindList || one.Kind == KindKeys {
				full = fmt.Sprintf("%s.%s[%d]", s.Name, name, i)
			}
			if err := one.check(value); err != nil {
				errs = append(errs, anymail.Misconfigured(full, "%w", err))
			}
		}
	}
	return errors.Join(errs...)
}

// check checks one value.
func (s Setting) check(value string) error {
	switch {
	case s.Kind == KindBool:
		_, err := parseBool(value)
		return err
	case s.Kind == KindKeys || s.Secret:
		return setting.CheckSecret(value)
	}
	return setting.CheckText(value)
}

var errNotBool = errors.New("must be true or false")

func parseBool(text string) (bool, error) {
	b, err := strconv.ParseBool(text)
	if err != nil {
		return false, errNotBool // err quotes the text
	}
	return b, nil
}
