package inspect

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDuration(t *testing.T) {
	for d, want := range map[string]string{
		"0s": "0s", "999ms": "0s", "59s": "59s", "1m": "1m", "5m30s": "5m30s", "10m0s": "10m", "20m5s": "20m5s",
		"1h": "1h", "1h10m": "1h10m", "1h0m30s": "1h", "10h0m": "10h", "30h20m": "30h20m", "47h59m59s": "47h59m", "48h": "2 days", "240h": "10 days",
	} {
		parsed, err := time.ParseDuration(d)
		require.NoError(t, err)
		require.Equal(t, want, duration(parsed), d)
	}
}
