package verify

import (
	"context"
	"fmt"

	"github.com/goanymail/anymail"
)

// CheckKeys is for constructors of adapters, which should not wait for the
// first request to find a key that can never work. It returns an error that is
// [anymail.ErrConfig] where a key that source has now is empty or check refuses
// it; check may be nil, and what it returns must not hold the key. A source
// that is nil, fails or has no keys passes, since they may come later.
func CheckKeys(source anymail.KeySource, what string, check func(key string) error) error {
	if source == nil {
		return nil
	}
	keys, err := source.Keys(context.Background())
	if err != nil {
		return nil //nolint:nilerr // it may work by the time it is needed
	}
	for i, key := range keys {
		if key == "" {
			return fmt.Errorf("anymail: %w: %s %d is empty", anymail.ErrConfig, what, i+1)
		}
		if check == nil {
			continue
		}
		if err := check(key); err != nil {
			return fmt.Errorf("anymail: %w: %s %d: %w", anymail.ErrConfig, what, i+1, err)
		}
	}
	return nil
}
