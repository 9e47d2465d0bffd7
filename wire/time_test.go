package wire_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/wire"
)

func TestUnixTimeIsExact(t *testing.T) {
	require.Equal(t, int64(123456789), int64(wire.UnixTime("1790000000.123456789").Nanosecond()))
	require.Equal(t, int64(100000000), int64(wire.UnixTime("1790000000.1").Nanosecond()))
	for _, s := range []string{"", "0", "x", "1790000000.x", "-1", "1e99", "1790000000.-1"} {
		require.True(t, wire.UnixTime(s).IsZero(), s)
	}
}

func TestTime(t *testing.T) {
	want := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	require.Equal(t, want, wire.Time("2026-09-21 14:13:20", time.RFC3339, "2006-01-02 15:04:05"))
	require.Equal(t, want, wire.Time("2026-09-21T10:13:20-04:00", time.RFC3339))
	require.True(t, wire.Time("yesterday", time.RFC3339).IsZero())
}
