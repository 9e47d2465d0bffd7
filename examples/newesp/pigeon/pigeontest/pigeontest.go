// Package pigeontest plays Pigeon.
package pigeontest

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
	"github.com/goanymail/anymail/anymailtest"
)

// Kit returns Pigeon's kit.
func Kit() *anymailtest.Kit {
	return &anymailtest.Kit{
		ESP:   pigeon.ESP,
		Title: "Pigeon",
		NewCredential: func() anymailtest.Credential {
			key := rand.Text()
			return anymailtest.Credential{Config: key, Private: key}
		},
		New: func(trusted ...anymailtest.Credential) (anymail.Adapter, error) {
			return pigeon.New(pigeon.Config{SigningKeys: anymailtest.Keys(trusted)})
		},
		Sign: func(r *anymailtest.Request, c anymailtest.Credential, at time.Time) error {
			mac := hmac.New(sha256.New, []byte(c.Private.(string)))
			fmt.Fprintf(mac, "%d.%s", at.Unix(), r.Body)
			r.Header.Set("X-Pigeon-Time", fmt.Sprint(at.Unix()))
			r.Header.Set("X-Pigeon-Signature", hex.EncodeToString(mac.Sum(nil)))
			return nil
		},
		Samples: []anymailtest.Sample{
			sample("took_off", anymail.EventSent, ""),
			sample("landed", anymail.EventDelivered, ""),
			sample("returned", anymail.EventBounced, anymail.RejectBounced),
			sample("lost", anymail.EventBounced, anymail.RejectTimedOut),
			sample("read", anymail.EventOpened, ""),
			sample("moulted", anymail.EventUnknown, ""),
		},
		Batch: anymailtest.JoinArrays,
		Malformed: func(p anymailtest.Params) anymailtest.Request {
			good, other := body("landed", p), body("read", p)
			return anymailtest.JSON("tracking", fmt.Appendf(nil, `[%s, {"id": [1], "event": 2}, %s]`, good, other))
		},
	}
}

func sample(name string, typ anymail.EventType, reason anymail.RejectReason) anymailtest.Sample {
	return anymailtest.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Make: func(p anymailtest.Params) anymailtest.Request {
			return anymailtest.JSON("tracking", fmt.Appendf(nil, "[%s]", body(name, p)))
		},
	}
}

func body(name string, p anymailtest.Params) []byte {
	b, _ := json.Marshal(map[string]any{ // strings and numbers always marshal
		"id": p.EventID, "event": name, "time": p.Time.Unix(), "letter": p.MessageID, "to": p.Recipient,
		"labels": []string{p.Tag}, "details": p.Metadata,
	})
	return b
}
