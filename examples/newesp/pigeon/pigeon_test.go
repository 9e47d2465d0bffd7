package pigeon_test

import (
	"testing"

	"example.com/newesp/pigeon/pigeonsim"

	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
)

// The suite that every adapter passes.
func TestConformance(t *testing.T) { conformance.Run(t, pigeonsim.New()) }

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, pigeonsim.New(), "tracking") }
