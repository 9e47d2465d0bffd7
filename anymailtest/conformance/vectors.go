package conformance

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/trace"
	"github.com/goanymail/anymail/simulator"
)

// testVectors: the signatures that the simulator did not make verify, and not with
// another body.
func testVectors(t *testing.T, sim *simulator.Simulator) {
	if len(sim.Vectors) == 0 {
		t.Skip("there are none: adapter and simulator may share a mistake")
	}
	for _, v := range sim.Vectors {
		adapter, err := sim.NewAdapter(simulator.Credential{Config: v.Credential})
		if err != nil {
			t.Fatalf("%s: %v", v.Source, err)
		}
		verifier := endpoint(t, adapter, v.Request.Endpoint).Verifier
		p := v.Request.Payload(sim.ESP)
		p.SecretProved = true
		proof, err := verifier.Verify(context.Background(), p)
		if err != nil {
			t.Errorf("%s: %v\n%s", v.Source, err, compared(verifier, p))
		} else if !proof.SignedAt.Equal(v.At) {
			t.Errorf("%s: signed at %v, want %v", v.Source, proof.SignedAt, v.At)
		}
		if sim.BodyUnsigned || len(p.Body) == 0 {
			continue
		}
		p.Body = bytes.Clone(p.Body)
		p.Body[len(p.Body)/2] ^= 1
		if _, err := verifier.Verify(context.Background(), p); err == nil {
			t.Errorf("%s: verifies with another body", v.Source)
		}
	}
}

// compared describes what a verifier compares in a request that it refuses. The keys
// are made up, so the valid signature may be shown.
func compared(verifier anymail.Verifier, p *anymail.Payload) string {
	if verifier == nil {
		return ""
	}
	var b strings.Builder
	p.SecretProved = true
	ctx := trace.With(context.Background(), func(step trace.Step) {
		if step.Err == nil {
			return
		}
		fmt.Fprintf(&b, "\nheader    %s\n", step.Header)
		for _, offered := range step.Offered {
			fmt.Fprintf(&b, "offered   %x\n", offered)
		}
		for _, attempt := range step.Attempts {
			fmt.Fprintf(&b, "expected  %x by key %d %s\n", attempt.Expected, attempt.Key+1, attempt.Kind)
		}
		fmt.Fprintf(&b, "content   %.300q", bytes.Join(step.Content, nil))
	})
	_, _ = verifier.Verify(ctx, p)
	return b.String()
}
