package pigeon_test

import (
	"testing"

	"example.com/newesp/pigeon/pigeontest"

	"github.com/goanymail/anymail/anymailtest"
)

// All that a new adapter has to show.
func TestConformance(t *testing.T) { anymailtest.Conformance(t, pigeontest.Kit()) }

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, pigeontest.Kit(), "tracking") }
