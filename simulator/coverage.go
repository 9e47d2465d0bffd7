package simulator

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/goanymail/anymail"
)

// Coverage is what an adapter can do. [Cover] measures all of it by passing the
// simulator's samples through the adapter.
type Coverage struct {
	ESP           string                 `json:"esp"`
	Title         string                 `json:"title"`
	EventTypes    []anymail.EventType    `json:"event_types"`
	RejectReasons []anymail.RejectReason `json:"reject_reasons"`
	// Tracking and Inbound report which kinds of events there are.
	Tracking bool `json:"tracking"`
	Inbound  bool `json:"inbound"`
	Batch    bool `json:"batch"`
	// Signed lists the endpoints whose signatures were verified.
	Signed []string `json:"signed"`
	// Rotation reports that a signature by the second of two keys was accepted.
	Rotation bool `json:"rotation"`
	// SignedTime reports that signatures cover a time, so that old requests are
	// refused.
	SignedTime bool `json:"signed_time"`
	// ReplayProtection reports that a signature is accepted once.
	ReplayProtection bool `json:"replay_protection"`
	// Window is how far the signed time may be from now, if there is one.
	Window time.Duration `json:"-"`
}

// Cover measures what the adapter of a simulator can do.
func Cover(s *Simulator) (Coverage, error) {
	c := Coverage{ESP: s.ESP, Title: s.Title, Batch: s.Batch != nil, Signed: []string{}}
	var trusted []Credential
	if s.NewCredential != nil {
		trusted = []Credential{s.NewCredential(), s.NewCredential()}
	}
	adapter, err := s.NewAdapter(trusted...)
	if err != nil {
		return c, err
	}
	endpoints := map[string]anymail.Endpoint{}
	for _, ep := range adapter.Endpoints() {
		endpoints[ep.Path] = ep
	}
	types, reasons := map[anymail.EventType]bool{}, map[anymail.RejectReason]bool{}
	for _, sample := range s.Samples {
		r := sample.Make(NewParams())
		r.URL, _ = EndpointURL("https://hooks.example.com/anymail", s.ESP, r.Endpoint)
		if s.Signs(r.Endpoint) {
			if err := c.coverSignature(s, endpoints[r.Endpoint], &r, trusted[1]); err != nil {
				return c, fmt.Errorf("%s %s: %w", s.ESP, sample.Name, err)
			}
		}
		if len(sample.Types) == 0 {
			continue // a ping, which does not get to the parser
		}
		events, err := Parse(adapter, r)
		if err != nil {
			return c, fmt.Errorf("%s %s: %w", s.ESP, sample.Name, err)
		}
		for _, ev := range events {
			types[ev.Base().Type] = true
			c.Inbound = c.Inbound || ev.Kind() == anymail.KindInbound
			if tracking, ok := ev.(*anymail.TrackingEvent); ok {
				c.Tracking = true
				reasons[tracking.RejectReason] = true
			}
		}
	}
	c.EventTypes = those(anymail.EventTypes(), types)
	c.RejectReasons = those(anymail.RejectReasons(), reasons)
	return c, nil
}

func those[T comparable](all []T, seen map[T]bool) []T {
	return slices.DeleteFunc(slices.Clone(all), func(v T) bool { return !seen[v] })
}

func (c *Coverage) coverSignature(s *Simulator, ep anymail.Endpoint, r *Request, by Credential) error {
	if err := s.SignNow(r, by); err != nil {
		return err
	}
	proof, err := ep.Verifier.Verify(context.Background(), r.Payload(s.ESP))
	if err != nil {
		return err
	}
	if !slices.Contains(c.Signed, r.Endpoint) {
		c.Signed = append(c.Signed, r.Endpoint)
	}
	c.Rotation = true
	c.ReplayProtection = c.ReplayProtection || proof.Fingerprint != nil
	if !proof.SignedAt.IsZero() {
		c.SignedTime, c.Window = true, anymail.DefaultTimestampWindow
		if ep.Window > 0 {
			c.Window = ep.Window
		}
	}
	return nil
}
