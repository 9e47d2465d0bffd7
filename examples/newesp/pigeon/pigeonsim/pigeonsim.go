// Package pigeonsim has the simulator of Pigeon.
package pigeonsim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"time"

	"example.com/newesp/pigeon"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/simulator"
)

// New returns Pigeon's simulator.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   pigeon.ESP,
		Title: "Pigeon",
		NewCredential: func() simulator.Credential {
			key := rand.Text()
			return simulator.Credential{Config: key, Private: key}
		},
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return pigeon.New(pigeon.Config{SigningKeys: simulator.Keys(trusted)})
		},
		Sign: func(r *simulator.Request, c simulator.Credential, at time.Time) error {
			mac := hmac.New(sha256.New, []byte(c.Private.(string)))
			fmt.Fprintf(mac, "%d.%s", at.Unix(), r.Body)
			r.Header.Set("X-Pigeon-Time", fmt.Sprint(at.Unix()))
			r.Header.Set("X-Pigeon-Signature", hex.EncodeToString(mac.Sum(nil)))
			return nil
		},
		Samples: []simulator.Sample{
			sample("took_off", anymail.EventSent, "", nil),
			sample("landed", anymail.EventDelivered, "", nil),
			sample("returned", anymail.EventBounced, anymail.RejectInvalid, object{"reason": "unknown", "answer": "550 5.1.1 nobody lives here"},
				simulator.Described("unknown"),
				simulator.Answered("550 5.1.1 nobody lives here", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"})),
			sample("lost", anymail.EventBounced, anymail.RejectTimedOut, nil,
				func(ev *anymail.TrackingEvent) { ev.Bounce.Category = anymail.BounceSoft }),
			sample("read", anymail.EventOpened, "", nil),
			sample("moulted", anymail.EventUnknown, "", nil),
		},
		// printf '1790000000.[{"id":"1","event":"landed"}]' | openssl dgst -sha256 -hmac pigeon-key
		Vectors: []simulator.Vector{{
			Source: "openssl", Credential: "pigeon-key", At: time.Unix(1790000000, 0),
			Request: simulator.Request{
				Endpoint: "tracking",
				Header: http.Header{
					"X-Pigeon-Time":      {"1790000000"},
					"X-Pigeon-Signature": {"d45d06d6eb5532361ba93bf9bf2fb50cd6ab9531ca404608aeb35868b6e8168c"},
				},
				Body: []byte(`[{"id":"1","event":"landed"}]`),
			},
		}},
		Batch: simulator.JoinArrays,
		Malformed: func(p simulator.Params) simulator.Request {
			good, other := simulator.MustJSON(event("landed", p)), simulator.MustJSON(event("read", p))
			return simulator.JSON("tracking", fmt.Appendf(nil, `[%s, {"id": [1], "event": 2}, %s]`, good, other))
		},
	}
}

type object = map[string]any

// sample is an event with more members, and with the changes that they make.
func sample(name string, typ anymail.EventType, reason anymail.RejectReason, more object, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event { return p.Event(typ, reason, changes...) },
		Make: func(p simulator.Params) simulator.Request {
			body := event(name, p)
			maps.Copy(body, more)
			return simulator.JSON("tracking", simulator.MustJSON([]object{body}))
		},
	}
}

func event(name string, p simulator.Params) object {
	return object{
		"id": p.EventID, "event": name, "time": p.Time.Unix(), "letter": p.MessageID, "to": p.Recipient,
		"labels": []string{p.Tag}, "details": p.Metadata,
	}
}
