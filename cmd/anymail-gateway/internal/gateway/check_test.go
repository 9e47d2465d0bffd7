package gateway

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

type checkedSink struct {
	calls atomic.Int32
	err   error
}

func (s *checkedSink) Check(ctx context.Context) error {
	s.calls.Add(1)
	return errors.Join(s.err, ctx.Err())
}
func (*checkedSink) deliver(context.Context, anymail.Event) error { return nil }
func (*checkedSink) Close() error                                 { return nil }

// Probes do not burden a broker, and one that gives up does not make it look broken.
func TestChecksAreKept(t *testing.T) {
	good, bad := &checkedSink{}, &checkedSink{err: errors.New("no stream")}
	c := &checks{outputs: []*output{{Sink: Sink{Name: "good"}, sink: good}}}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 5 {
		require.Empty(t, c.failed(gone))
	}
	require.EqualValues(t, 1, good.calls.Load())
	c.outputs = append(c.outputs, &output{Sink: Sink{Name: "bad"}, sink: bad})
	require.Empty(t, c.failed(t.Context()))
	c.at = c.at.Add(-checkLifetime - time.Second)
	require.Equal(t, "the sink bad cannot work: no stream", c.failed(t.Context()))
	require.EqualValues(t, 2, good.calls.Load())
}
