package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/wire"
)

func TestSMTP(t *testing.T) {
	tests := []struct {
		response string
		code     int
		enhanced string
	}{
		{"550 5.1.1 no such user", 550, "5.1.1"},
		{"550-5.1.1 no such user", 550, "5.1.1"},
		{"smtp;550 5.1.1 no such user", 550, "5.1.1"},
		{"SMTP; 452 4.2.2 full", 452, "4.2.2"},
		{"550: blocked", 550, ""},
		{"421", 421, ""},
		{"5.7.1 refused", 0, "5.7.1"},
		{"550 [192.0.2.1] is listed", 550, ""},
		{"(550 5.7.606) banned", 550, "5.7.606"},
		{"host said: 550 5.1.1", 0, ""},
		{"Delivered after 250 seconds", 0, ""},
		{"999 9.9.9", 0, ""},
		{"", 0, ""},
	}
	for _, tt := range tests {
		code, enhanced := wire.SMTP(tt.response)
		require.Equal(t, tt.code, code, tt.response)
		require.Equal(t, tt.enhanced, enhanced, tt.response)
	}
}

func TestEnhancedCode(t *testing.T) {
	for _, s := range []string{"5.1.1", "4.7.28", "2.0.0", "5.7.606"} {
		require.Equal(t, s, wire.EnhancedCode(s))
	}
	for _, s := range []string{"", "5", "5.1", "3.1.1", "5.1.1.1", "5.1111.1", "5..1", "55.1.1", "5.1.x", "550"} {
		require.Empty(t, wire.EnhancedCode(s), s)
	}
}

func FuzzSMTP(f *testing.F) {
	f.Add("550 5.1.1 x")
	f.Fuzz(func(t *testing.T, s string) {
		code, enhanced := wire.SMTP(s)
		if code != 0 && (code < 200 || code > 599) {
			t.Error(code)
		}
		if enhanced != "" && wire.EnhancedCode(enhanced) == "" {
			t.Error(enhanced)
		}
	})
}
