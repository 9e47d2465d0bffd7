package mailchimp

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// outcomes are those of a type, or of a type with its reason or action.
// https://mailchimp.com/developer/marketing/guides/sync-audience-data-webhooks/
var outcomes = map[string]wire.Outcome{
	"subscribe":         {Type: anymail.EventSubscribed},
	"unsubscribe":       {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"unsubscribe abuse": {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"cleaned":           {Type: anymail.EventBounced, Reason: anymail.RejectBounced},
	"cleaned hard":      {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"cleaned abuse":     {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	// The user removed the contact, who may be mailed by other means.
	"unsubscribe delete":  {Type: anymail.EventUnknown},
	"unsubscribe archive": {Type: anymail.EventUnknown},
}

// parse reads the fields "type", "fired_at" and "data[...]".
func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	form, err := p.Form()
	if err != nil {
		return nil, err
	}
	fields := wire.Texts(form.Fields)
	data := func(name string) string { return fields.Get("data[" + name + "]") }
	typ, reason := fields.Get("type"), data("reason")
	if typ == "" {
		return nil, anymail.Malformed("a form without a type", nil)
	}
	ev := &anymail.TrackingEvent{Common: anymail.Common{Raw: p.Body}}
	outcomes[typ].Apply(ev)
	outcomes[typ+" "+data("action")].Apply(ev)
	outcomes[typ+" "+reason].Apply(ev) // a complaint counts, whatever became of the contact
	if ev.Type == anymail.EventUnknown {
		ev.RejectReason = ""
	}
	ev.Timestamp = wire.Time(fields.Get("fired_at"), time.DateTime)
	ev.Recipient = cmp.Or(data("email"), data("old_email"))
	ev.Description = reason
	if typ == "subscribe" {
		ev.IP = cmp.Or(wire.Addr(data("ip_opt")), wire.Addr(data("ip_signup")))
	}
	ev.Metadata = metadata(fields)
	return []anymail.Event{ev}, nil
}

// metadata returns the contact's merge fields, and what the model has no field for.
func metadata(fields anymail.Fields) anymail.Metadata {
	m := anymail.Metadata{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if path, ok := strings.CutPrefix(name, "data[merges]["); ok {
			set(m, strings.SplitN(strings.TrimSuffix(path, "]"), "][", maxDepth), fields.Get(name))
		}
	}
	for _, name := range []string{"list_id", "campaign_id", "new_email"} {
		if value := fields.Get("data[" + name + "]"); value != "" {
			m[name] = value
		}
	}
	if len(m) == 0 {
		return nil
	}
	return m
}

// maxDepth is more than merge fields have: GROUPINGS, number, name.
const maxDepth = 8

// set writes the value of the field "data[merges][a][b]" to m["a"]["b"].
func set(m map[string]any, path []string, value string) {
	for len(path) > 1 {
		inner, ok := m[path[0]].(map[string]any)
		if !ok {
			inner = map[string]any{}
			m[path[0]] = inner
		}
		m, path = inner, path[1:]
	}
	m[path[0]] = value
}
