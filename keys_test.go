package anymail_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// Keys of events whose adapter sets none: the same whenever the ESP says the
// same again, different for anything else.
func TestKeysOfTheCore(t *testing.T) {
	tracking := func(id, raw, recipient string, typ anymail.EventType) anymail.Event {
		return &anymail.TrackingEvent{Common: anymail.Common{ID: id, Type: typ, Raw: anymail.Raw(raw)}, Recipient: recipient}
	}
	inbound := func(id, raw, recipient string, change func(*anymail.InboundMessage)) anymail.Event {
		ev := &anymail.InboundEvent{Common: anymail.Common{ID: id, Type: anymail.EventInbound, Raw: anymail.Raw(raw)}}
		ev.Message = anymail.InboundMessage{
			EnvelopeRecipient: recipient, MessageID: "m", Subject: "S", Text: "T",
			Headers:     anymail.Headers{{Name: "X-One", Value: "1"}},
			Attachments: []anymail.Attachment{{Filename: "f", Content: []byte("c"), Size: 1}},
		}
		change(&ev.Message)
		return ev
	}
	same := func(*anymail.InboundMessage) {}
	groups := [][]anymail.Event{ // of each, all have the same key and no other has it
		{tracking("1", "a", "x", anymail.EventBounced), tracking("1", "b", "x", anymail.EventBounced)},
		{tracking("1", "a", "y", anymail.EventBounced)},
		{tracking("1", "a", "x", anymail.EventDeferred)},
		{tracking("2", "a", "x", anymail.EventBounced)},
		{tracking("", "a", "x", anymail.EventBounced), tracking("", "a", "x", anymail.EventBounced)},
		{tracking("", "b", "x", anymail.EventBounced)},
		{tracking("", "a", "y", anymail.EventBounced)},
		{inbound("3", "a", "x", same), inbound("3", "b", "x", same)},
		{inbound("3", "a", "y", same)},
		// The raw form of a message has boundaries and signatures of its own each time.
		{inbound("", "a", "x", same), inbound("", "b", "x", same)},
		{inbound("", "a", "y", same)},
		{inbound("", "a", "x", func(m *anymail.InboundMessage) { m.Text = "U" })},
		{inbound("", "a", "x", func(m *anymail.InboundMessage) { m.Subject, m.Text = "ST", "" })},
		{inbound("", "a", "x", func(m *anymail.InboundMessage) { m.Headers[0].Value = "2" })},
		{inbound("", "a", "x", func(m *anymail.InboundMessage) { m.Attachments[0].Content = []byte("d") })},
	}
	var all []anymail.Event
	for _, group := range groups {
		all = append(all, group...)
	}
	a := newAcme("key")
	a.endpoint.Parser = anymail.ParserFunc(func(context.Context, *anymail.Payload) ([]anymail.Event, error) { return all, nil })
	h := newHouse(t, a, anymail.WithQueue(queueFunc(func([]anymail.Event) error { return nil })))
	require.Equal(t, 200, h.do(t, newPost(delivered).sign("key", time.Now())).StatusCode)

	seen := map[string]int{}
	for i, group := range groups {
		for _, ev := range group {
			key := ev.Base().Key
			require.NotEmpty(t, key)
			require.Equal(t, "acme", ev.Base().ESP)
			if in, ok := seen[key]; ok {
				require.Equal(t, i, in, "groups %d and %d have the same key", i, in)
			}
			require.Equal(t, group[0].Base().Key, key, "group %d", i)
			seen[key] = i
		}
	}
}

func TestKeySources(t *testing.T) {
	for _, tt := range []struct {
		name   string
		source anymail.KeySource
		want   []string
	}{
		{"Keys", anymail.Keys("a", "b"), []string{"a", "b"}},
		{"KeyFunc", anymail.KeyFunc(func(context.Context) ([]string, error) { return []string{"c"}, nil }), []string{"c"}},
		{"KeyRing", anymail.NewKeyRing("d"), []string{"d"}},
		{"zero KeyRing", new(anymail.KeyRing), nil},
	} {
		keys, err := tt.source.Keys(t.Context())
		require.NoError(t, err)
		require.Equal(t, tt.want, keys, tt.name)
	}
	keys := []string{"before"}
	ring := anymail.NewKeyRing(keys...)
	keys[0] = "after"
	got, err := ring.Keys(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"before"}, got, "the ring has a copy")
}

// Adapters are registered while requests run.
func TestRegisterWhileServing(t *testing.T) {
	h := newHouse(t, newAcme("key"), anymail.WithLogger(quiet), anymail.WithoutReplayCheck())
	registered := make(chan error)
	go func() {
		defer close(registered)
		for i := range 100 {
			registered <- h.Register(fmt.Sprint("acme-", i), newAcme("key"))
		}
	}()
	p := newPost(delivered).sign("key", time.Now())
	for err := range registered {
		require.NoError(t, err)
		require.Equal(t, 200, h.do(t, p).StatusCode)
	}
	p.path = "/hooks/acme-99/tracking/"
	require.Equal(t, 200, h.do(t, p).StatusCode)
}
