package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// checkSinks checks all sinks concurrently, and returns an error for each that
// cannot work.
func checkSinks(ctx context.Context, outputs []*output) []error {
	errs := make([]error, len(outputs))
	var checked sync.WaitGroup
	for i, o := range outputs {
		checked.Go(func() {
			if err := o.Check(ctx); err != nil {
				errs[i] = fmt.Errorf("the sink %s cannot work: %w", o.Name, err)
			}
		})
	}
	checked.Wait()
	return errs
}

// Connect connects to the sinks of a configuration and checks whether they can
// work, up to the timeout of each. It delivers nothing. Its error has a line for
// each sink that cannot.
func Connect(ctx context.Context, config *Config) error {
	outputs, err := openSinks(config.Sinks, io.Discard)
	for _, o := range outputs {
		defer func() { _ = o.Close() }()
	}
	if err != nil {
		return err
	}
	longest := time.Duration(0)
	for _, s := range config.Sinks {
		longest = max(longest, s.Timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	return errors.Join(checkSinks(ctx, outputs)...)
}

// checks keeps the results of checking the sinks, so that frequent probes do not
// burden brokers.
type checks struct {
	outputs []*output

	mu     sync.Mutex
	at     time.Time
	reason string
}

// How long a result is kept, and how long a check may take.
const (
	checkLifetime = 5 * time.Second
	checkTimeout  = 2 * time.Second
)

// failed returns why a sink cannot work, or "".
func (c *checks) failed(ctx context.Context) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() && time.Since(c.at) < checkLifetime {
		return c.reason
	}
	// Not until ctx is done: a probe that gives up tells nothing about the sinks.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	c.reason = ""
	for _, err := range checkSinks(ctx, c.outputs) {
		if err != nil {
			c.reason = err.Error()
			break
		}
	}
	c.at = time.Now()
	return c.reason
}
