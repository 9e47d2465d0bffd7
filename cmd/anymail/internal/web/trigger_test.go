package web_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/cmd/anymail/internal/web"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/esp/relay"
)

// Every event of every ESP can be made from the page, without keys and with them.
func TestTriggerEverySample(t *testing.T) {
	for name, change := range map[string]func(*web.Options){
		"trusting": func(o *web.Options) { o.Settings = nil },
		"secret":   func(o *web.Options) { o.Secrets = []string{"anymail:correct-horse-battery"} },
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, change, func(o *web.Options) { o.Keep = 2000 })
			for _, sim := range allsim.List() {
				for _, sample := range sim.Samples {
					if sample.Fetched || sample.Name == "SubscriptionConfirmation" {
						continue // the adapter asks the ESP, which knows nothing of it
					}
					var answer struct {
						ID     int64
						Status int
					}
					require.Equal(t, 200, b.send(t, "POST", "/api/trigger", map[string]any{"esp": sim.ESP, "sample": sample.Name}, &answer))
					if sim.ESP == "mailtrap" && sample.Endpoint == "inbound" {
						require.Equal(t, 503, answer.Status, "received mail needs a key")
						continue
					}
					require.Equal(t, 200, answer.Status, "%s %s", sim.ESP, sample.Name)
					var d struct {
						Summary struct {
							Source string
							Events []struct{ Type string }
						}
					}
					b.getJSON(t, fmt.Sprintf("/api/requests/%d", answer.ID), &d)
					require.Equal(t, "triggered", d.Summary.Source)
					more := 0 // what a received message reports
					if sim.ESP == relay.ESP && slices.Contains([]string{"dsn", "arf", "autoreply", "unsubscribe"}, sample.Name) {
						more = 1
					}
					require.Len(t, d.Summary.Events, len(sample.Types)+more, "%s %s", sim.ESP, sample.Name)
				}
			}
		})
	}
}

func TestTrigger(t *testing.T) {
	b := start(t)
	require.Equal(t, 200, b.send(t, "POST", "/api/trigger", map[string]any{
		"esp": "mailgun", "type": "delivered", "recipient": "grace@example.net", "tag": "spring", "message_id": "<m1@example.com>", "metadata": map[string]string{"order": "2026"},
	}, nil))
	require.Equal(t, 200, b.send(t, "POST", "/api/trigger", map[string]any{
		"esp": "postmark", "type": "inbound", "eml": "From: Grace <grace@example.net>\nTo: help@example.org\nSubject: My own\n\nHello\n",
	}, nil))
	var events struct {
		Requests []struct {
			Events []struct {
				Type, Recipient, Subject string
				MessageID                string `json:"message_id"`
				Tags                     []string
			}
		}
	}
	b.getJSON(t, "/api/requests", &events)
	require.Equal(t, "My own", events.Requests[0].Events[0].Subject)
	tracking := events.Requests[1].Events[0]
	require.Equal(t, "grace@example.net", tracking.Recipient)
	require.Contains(t, tracking.MessageID, "m1@example.com")
	require.Equal(t, []string{"spring"}, tracking.Tags)
	for _, wrong := range []map[string]any{
		{"esp": "nobody", "type": "sent"}, {"esp": "mailgun", "type": "exploded"}, {"esp": "mailgun"}, {"esp": "mailgun", "type": "delivered", "eml": "x"}, {"ESP!": 1},
	} {
		require.Equal(t, 400, b.send(t, "POST", "/api/trigger", wrong, nil), wrong)
	}
}
