package durable_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

// logLines keeps what is logged.
type logLines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// Each failed attempt is one line, and River's own lines are at level debug.
func TestLog(t *testing.T) {
	t.Parallel()
	for level, wantRiver := range map[slog.Level]bool{slog.LevelInfo: false, slog.LevelDebug: true} {
		var log logLines
		var signals anymail.Signals
		connect(t, &signals, "crm", func(_ context.Context, ev *anymail.TrackingEvent) error {
			if ev.Key == "permanent0" {
				return durable.Permanent(errors.New("never"))
			}
			return errors.New("not now")
		})
		q := database{kind: "sqlite", dsn: ":memory:"}.open(t, &signals, durable.WithMaxAttempts(2), durable.WithBackoff(soon),
			durable.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level}))))
		start(t, q)
		require.NoError(t, q.Enqueue(t.Context(), append(events("e", 1), events("permanent", 1)...)))
		settle(t, q)
		require.NoError(t, q.Close())
		text := log.text.String()
		require.Equal(t, 3, strings.Count(text, "level=WARN"), text)
		require.Equal(t, 3, strings.Count(text, `msg="durable: receiver failed" receiver=crm`), text)
		require.Equal(t, wantRiver, strings.Contains(text, "level=DEBUG"), text)
		require.NotContains(t, text, "level=INFO")
	}
}
