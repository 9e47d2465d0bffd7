package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/wire"
)

func TestNumber(t *testing.T) {
	require.Nil(t, wire.Number{}.Pointer())
	require.InDelta(t, 2.5, *wire.ParseNumber(" 2.5 ").Pointer(), 0)
	require.Equal(t, 2, wire.ParseNumber("2.9").Int())
	require.Equal(t, 0, wire.ParseNumber("1e300").Int())
}
