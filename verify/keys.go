package verify

import (
	"context"
	"fmt"
	"strings"

	"github.com/goanymail/anymail"
)

// CheckKeys is for constructors of adapters, so that a key that can never work
// fails at once and not with the first request. It returns
// [anymail.ErrConfig] if a key that source has now is empty or check refuses it.
// Setting names the source, for example "mailgun.Config.SigningKeys". The errors
// of check must not hold the key. If check is nil, the key is used as it is, and
// must not have white space around it, such as the line end of a file. A source
// that is nil, fails or has no keys passes, since the keys may come later.
func CheckKeys(source anymail.KeySource, setting string, check func(key string) error) error {
	if source == nil {
		return nil
	}
	keys, err := source.Keys(context.Background())
	if err != nil {
		return nil //nolint:nilerr // it may work by the time it is needed
	}
	for i, key := range keys {
		setting := fmt.Sprintf("%s[%d]", setting, i)
		switch {
		case key == "":
			return anymail.Misconfigured(setting, "must not be empty")
		case check != nil:
			if err := check(key); err != nil {
				return anymail.Misconfigured(setting, "%w", err)
			}
		case strings.TrimSpace(key) != key:
			return anymail.Misconfigured(setting, "must not have white space around it")
		}
	}
	return nil
}

// CheckHeaderName returns [anymail.ErrConfig] if no request can have a header of that
// name, such as one with a colon or a space. The empty name passes.
func CheckHeaderName(name, setting string) error {
	for _, c := range []byte(name) {
		letterOrDigit := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !letterOrDigit && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) { // RFC 9110, section 5.6.2
			return anymail.Misconfigured(setting, "must be the name of a header, without a colon or a space")
		}
	}
	return nil
}

// keysOf returns the keys of a source, at least one.
func keysOf(ctx context.Context, source anymail.KeySource) ([]string, error) {
	if source == nil {
		return nil, errNoKeys
	}
	keys, err := source.Keys(ctx)
	if err != nil {
		return nil, anymail.Because(anymail.ErrUnavailable, "signature keys", err)
	}
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	return keys, nil
}
