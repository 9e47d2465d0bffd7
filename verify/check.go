package verify

import (
	"context"
	"fmt"
	"strings"

	"github.com/goanymail/anymail"
)

// CheckKeys is for constructors of adapters, which should not wait for the
// first request to find a key that can never work. It returns an error that is
// [anymail.ErrConfig] where a key that source has now is empty or check refuses
// it; what check returns must not hold the key. Without a check the key is used
// as it is, and so must not have white space around it, which will be the line
// end of a file. A source that is nil, fails or has no keys passes, since they
// may come later.
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
			if strings.TrimSpace(key) != key {
				return fmt.Errorf("anymail: %w: %s %d has white space around it", anymail.ErrConfig, what, i+1)
			}
			continue
		}
		if err := check(key); err != nil {
			return fmt.Errorf("anymail: %w: %s %d: %w", anymail.ErrConfig, what, i+1, err)
		}
	}
	return nil
}
