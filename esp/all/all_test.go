package all_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/all"
)

func TestNew(t *testing.T) {
	for _, e := range all.List() {
		adapter, err := e.New(nil)
		require.NoError(t, err, e.Name)
		require.Equal(t, e.Name, adapter.ESP())
		for _, s := range e.Settings {
			require.NotEmpty(t, s.Help)
		}
	}
	find := func(name string) all.ESP {
		e, ok := all.Find(name)
		require.True(t, ok, name)
		return e
	}
	require.Equal(t, "amazonses", find("amazon_ses").Name)
	_, ok := all.Find("nobody")
	require.False(t, ok)

	_, err := find("mailgun").New(map[string][]string{"signing_keys": {"older", "newer"}})
	require.NoError(t, err)
	_, err = find("mailgun").New(map[string][]string{"signing_key": {"a-secret"}})
	require.ErrorIs(t, err, anymail.ErrConfig)
	require.ErrorContains(t, err, `no setting "signing_key"; it has signing_keys`)
	require.NotContains(t, err.Error(), "a-secret")
	_, err = find("sparkpost").New(map[string][]string{"relay_header_name": {"X-Hook"}})
	require.ErrorIs(t, err, anymail.ErrConfig, "it needs values")
	_, err = find("sparkpost").New(map[string][]string{"events_header_name": {"X-Hook"}, "events_header_values": {"older", "newer"}, "initial_opens": {"true"}})
	require.NoError(t, err)
	_, err = find("postal").New(map[string][]string{"require_sha256": {"perhaps"}})
	require.ErrorIs(t, err, anymail.ErrConfig)
	_, err = find("postmark").New(map[string][]string{"header_name": {"A", "B"}, "header_values": {"x"}})
	require.ErrorIs(t, err, anymail.ErrConfig)
}
