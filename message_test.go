package anymail_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

func TestHeaders(t *testing.T) {
	hs := fullInbound().Message.Headers
	require.Equal(t, "1", hs.Get("received"))
	require.Equal(t, []string{"1", "2"}, hs.Values("RECEIVED"))
	require.Empty(t, hs.Get("missing"))
	require.Nil(t, hs.Values("missing"))
}

func TestAddressString(t *testing.T) {
	require.Equal(t, `"Ada L." <ada@example.com>`, anymail.Address{Name: "Ada L.", Address: "ada@example.com"}.String())
}

func TestInline(t *testing.T) {
	m := &fullInbound().Message
	for _, id := range []string{"c", "cid:c", "<c>"} {
		a, ok := m.Inline(id)
		require.True(t, ok)
		require.Empty(t, cmp.Diff(m.Attachments[0], a))
	}
	_, ok := m.Inline("")
	require.False(t, ok)
	_, ok = m.Inline("d")
	require.False(t, ok)
}
