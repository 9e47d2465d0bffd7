package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

func TestAnyOf(t *testing.T) {
	require.Equal(t, anymail.Unsaid, wire.AnyOf())
	require.Equal(t, anymail.Unsaid, wire.AnyOf("", "perhaps"))
	require.Equal(t, anymail.No, wire.AnyOf("", "false"))
	require.Equal(t, anymail.No, wire.AnyOf("false", ""))
	require.Equal(t, anymail.Yes, wire.AnyOf("false", "true"))
	require.Equal(t, anymail.Yes, wire.AnyOf("true", "false"))
}
