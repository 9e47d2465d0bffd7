package anymailtest

import (
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/simulator"
)

// Parse does what [simulator.Parse] does. It fails the test if the parser
// returns an error.
func Parse(t testing.TB, adapter anymail.Adapter, r simulator.Request) []anymail.Event {
	t.Helper()
	events, err := simulator.Parse(adapter, r)
	if err != nil {
		t.Fatalf("anymailtest: %s: %v", adapter.ESP(), err)
	}
	return events
}
