package anymail_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// A receiver, a queue or a store can return one of this package's errors, for
// example from a client of its own. That is still a failure of the server: the
// ESP has to retry, and the failure does not count against its address.
func TestStatusOfErrorsFromUserCode(t *testing.T) {
	returned := []error{
		anymail.ErrUnauthenticated, anymail.ErrReplayed, anymail.ErrForbidden, anymail.ErrRateLimited, anymail.ErrTooLarge,
		anymail.ErrUnsupportedMedia, anymail.ErrMethodNotAllowed, anymail.ErrMalformed, anymail.ErrUnavailable,
		anymail.Unauthenticated("signature mismatch"), fmt.Errorf("upstream: %w", anymail.Malformed("JSON", nil)),
		errors.Join(errors.New("first"), anymail.ErrMalformed),
		&anymail.RequestError{Err: anymail.ErrUnauthenticated},
	}
	for _, err := range returned {
		places := []struct {
			name   string
			option func(fail func() error) anymail.Option
			status int
			kind   error
		}{
			{"receiver", nil, 500, anymail.ErrReceiver},
			{"queue", func(fail func() error) anymail.Option {
				return anymail.WithQueue(queueFunc(func([]anymail.Event) error { return fail() }))
			}, 503, anymail.ErrUnavailable},
			{"store", func(fail func() error) anymail.Option {
				return anymail.WithIdempotencyStore(&faultyStore{IdempotencyStore: anymail.NewMemoryStore(0), claim: fail})
			}, 503, anymail.ErrUnavailable},
			{"shared secrets", func(fail func() error) anymail.Option {
				return anymail.WithSharedSecretSource(anymail.KeyFunc(func(context.Context) ([]string, error) { return nil, fail() }))
			}, 503, anymail.ErrUnavailable},
		}
		for _, place := range places {
			t.Run(place.name+"/"+err.Error(), func(t *testing.T) {
				options := []anymail.Option{anymail.WithRateLimit(anymail.RateLimit{Failures: anymail.Rate{PerSecond: 0.001, Burst: 1}})}
				if place.option != nil {
					options = append(options, place.option(func() error { return err }))
				}
				srv := newTestServer(t, newAcme("key"), options...)
				if place.option == nil {
					require.NoError(t, srv.Tracking.Connect("fails", func(context.Context, *anymail.TrackingEvent) error { return err }))
				}
				for i := range 3 { // not counted as failures of the address
					p := newPost(delivered).sign("key", time.Now().Add(time.Duration(i)*time.Second))
					require.Equal(t, place.status, srv.do(t, p).StatusCode)
				}
				require.ErrorIs(t, srv.rejections[0].Err, place.kind)
				require.ErrorIs(t, srv.rejections[0].Err, err)
				var requestErr *anymail.RequestError
				require.ErrorAs(t, srv.rejections[0].Err, &requestErr)
				require.NotEqual(t, "signature mismatch", requestErr.Reason)
			})
		}
	}
}

func TestReasonOf(t *testing.T) {
	for want, err := range map[anymail.Reason]error{
		"signature mismatch": &anymail.RequestError{Err: anymail.Unauthenticated("signature mismatch")},
		"receiver failed":    &anymail.ReceiverError{Err: anymail.Because(anymail.ErrTooLarge, "of a receiver's own client", nil)},
		"method not allowed": anymail.ErrMethodNotAllowed,
		"internal error":     errors.New("of an adapter"),
	} {
		require.Equal(t, want, anymail.ReasonOf(err))
	}
}
