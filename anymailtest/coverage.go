package anymailtest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/goanymail/anymail"
)

// Coverage is what an adapter can do. All of it is found out by running the
// kit's samples through the adapter; nothing is claimed.
type Coverage struct {
	ESP           string                 `json:"esp"`
	Title         string                 `json:"title"`
	EventTypes    []anymail.EventType    `json:"event_types"`
	RejectReasons []anymail.RejectReason `json:"reject_reasons"`
	// Tracking and Inbound say which kinds of events came.
	Tracking bool `json:"tracking"`
	Inbound  bool `json:"inbound"`
	Batch    bool `json:"batch"`
	// Signed lists the endpoints whose signatures were verified.
	Signed []string `json:"signed"`
	// Rotation: a signature by the second of two keys was taken.
	Rotation bool `json:"rotation"`
	// SignedTime: signatures cover a time, so that old ones are refused.
	SignedTime bool `json:"signed_time"`
	// ReplayProtection: a signature is taken once.
	ReplayProtection bool `json:"replay_protection"`
	// Window is how far the signed time may be from now, where there is one.
	Window time.Duration `json:"-"`
}

// Cover finds out what the adapter of a kit can do.
func Cover(kit *Kit) (Coverage, error) {
	c := Coverage{ESP: kit.ESP, Title: kit.Title, Batch: kit.Batch != nil, Signed: []string{}}
	var trusted []Credential
	if kit.NewCredential != nil {
		trusted = []Credential{kit.NewCredential(), kit.NewCredential()}
	}
	adapter, err := kit.New(trusted...)
	if err != nil {
		return c, err
	}
	endpoints := map[string]anymail.Endpoint{}
	for _, ep := range adapter.Endpoints() {
		endpoints[ep.Path] = ep
	}
	types, reasons := map[anymail.EventType]bool{}, map[anymail.RejectReason]bool{}
	for _, sample := range kit.Samples {
		r := sample.Make(NewParams())
		r.URL, _ = EndpointURL("https://hooks.example.com/anymail", kit.ESP, r.Endpoint)
		if kit.Signs(r.Endpoint) {
			if err := c.coverSignature(kit, endpoints[r.Endpoint], &r, trusted[1]); err != nil {
				return c, fmt.Errorf("%s %s: %w", kit.ESP, sample.Name, err)
			}
		}
		events, err := Parse(adapter, r)
		if err != nil {
			return c, fmt.Errorf("%s %s: %w", kit.ESP, sample.Name, err)
		}
		for _, ev := range events {
			types[orUnknown(ev.Base().Type)] = true
			c.Inbound = c.Inbound || ev.Kind() == anymail.KindInbound
			if tracking, ok := ev.(*anymail.TrackingEvent); ok {
				c.Tracking = true
				reasons[tracking.RejectReason] = true
			}
		}
	}
	for _, typ := range anymail.EventTypes() {
		if types[typ] {
			c.EventTypes = append(c.EventTypes, typ)
		}
	}
	for _, reason := range anymail.RejectReasons() {
		if reasons[reason] {
			c.RejectReasons = append(c.RejectReasons, reason)
		}
	}
	return c, nil
}

func (c *Coverage) coverSignature(kit *Kit, ep anymail.Endpoint, r *Request, by Credential) error {
	if err := kit.SignNow(r, by); err != nil {
		return err
	}
	p := payload(kit.ESP, *r)
	proof, err := ep.Verifier.Verify(context.Background(), p)
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

func orUnknown(typ anymail.EventType) anymail.EventType {
	if typ == "" {
		return anymail.EventUnknown
	}
	return typ
}
