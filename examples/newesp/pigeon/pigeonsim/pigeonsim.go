// Package pigeonsim has the simulator of Pigeon.
package pigeonsim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
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
			sample("took_off", anymail.EventSent, ""),
			sample("landed", anymail.EventDelivered, ""),
			sample("returned", anymail.EventBounced, anymail.RejectBounced),
			sample("lost", anymail.EventBounced, anymail.RejectTimedOut),
			sample("read", anymail.EventOpened, ""),
			sample("moulted", anymail.EventUnknown, ""),
		},
		Batch: simulator.JoinArrays,
		Malformed: func(p simulator.Params) simulator.Request {
			good, other := body("landed", p), body("read", p)
			return simulator.JSON("tracking", fmt.Appendf(nil, `[%s, {"id": [1], "event": 2}, %s]`, good, other))
		},
	}
}

func sample(name string, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Make: func(p simulator.Params) simulator.Request {
			return simulator.JSON("tracking", fmt.Appendf(nil, "[%s]", body(name, p)))
		},
	}
}

func body(name string, p simulator.Params) []byte {
	b, _ := json.Marshal(map[string]any{ // strings and numbers always marshal
		"id": p.EventID, "event": name, "time": p.Time.Unix(), "letter": p.MessageID, "to": p.Recipient,
		"labels": []string{p.Tag}, "details": p.Metadata,
	})
	return b
}
