// Package zeptomailsim plays ZeptoMail, for tests and demonstrations.
package zeptomailsim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/zeptomail"
	"github.com/goanymail/anymail/simulator"
)

// New returns ZeptoMail's simulator.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   zeptomail.ESP,
		Title: "ZeptoMail",
		NewCredential: func() simulator.Credential {
			key := rand.Text()
			return simulator.Credential{Config: key, Private: key}
		},
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return zeptomail.New(zeptomail.Config{SigningKeys: simulator.Keys(trusted)})
		},
		Sign: sign,
		Samples: []simulator.Sample{
			bounce("hardbounce", "invalid-mailbox", "550 5.1.1 no such user", anymail.RejectInvalid,
				anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}),
			bounce("hardbounce-unexplained", "other", "", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceHard}),
			bounce("hardbounce-policy", "policy", "550 5.7.1 not welcome here", anymail.RejectBlocked,
				anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"}),
			bounce("softbounce", "mailbox-full", "452 4.2.2 mailbox full", anymail.RejectBounced,
				anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"}),
			sample("delivered", anymail.EventDelivered, "", nil),
			sample("email_open", anymail.EventOpened, "", visit, simulator.Visited(agent, "", anymail.Unsaid), from),
			sample("email_link_click", anymail.EventClicked, "", clicked, simulator.Visited(agent, link, anymail.Unsaid), from),
			sample("feedback_loop", anymail.EventComplained, anymail.RejectSpam, nil),
			sample("unsubscribe", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, nil),
			sample("teleport", anymail.EventUnknown, "", nil),
			asJSON(sample("email_open-json", anymail.EventOpened, "", visit, simulator.Visited(agent, "", anymail.Unsaid), from)),
		},
	}
}

type object = map[string]any

const (
	link  = "https://shop.example.org/orders/1701?from=mail&n=1"
	agent = "Mozilla/5.0 (X11; Linux x86_64)"
)

var (
	visit   = object{"user_agent": agent, "ip_address": "192.0.2.77"}
	clicked = object{"user_agent": agent, "ip_address": "192.0.2.77", "clicked_link": link}
)

func from(ev *anymail.TrackingEvent) { ev.IP = netip.MustParseAddr("192.0.2.77") }

// sign signs the text of the event, which a form has behind its first "=".
func sign(r *simulator.Request, c simulator.Credential, at time.Time) error {
	text := string(r.Body)
	if r.Header.Get("Content-Type") != "application/json" {
		_, value, _ := strings.Cut(text, "=")
		var err error
		if text, err = url.QueryUnescape(value); err != nil {
			return err
		}
	}
	mac := hmac.New(sha256.New, []byte(c.Private.(string)))
	_, _ = mac.Write([]byte(text)) // a hash never fails
	r.Header.Set("Producer-Signature", fmt.Sprintf("ts=%d;s=%s;s-algorithm=HmacSHA256",
		at.UnixMilli(), url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil)))))
	return nil
}

func sample(name string, typ anymail.EventType, reason anymail.RejectReason, more object, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			bare := func(ev *anymail.TrackingEvent) {
				ev.Tags, ev.Metadata = nil, anymail.Metadata{"client_reference": "order-" + p.EventID[:6]}
			}
			return p.Event(typ, reason, append([]func(*anymail.TrackingEvent){bare}, changes...)...)
		},
		Make: func(p simulator.Params) simulator.Request {
			return simulator.URLEncoded("tracking", url.Values{"data": {string(notification(name, more, p))}})
		},
	}
}

func notification(name string, more object, p simulator.Params) []byte {
	event, _, _ := strings.Cut(name, "-")
	details := object{"time": p.Time.Format(time.RFC3339)}
	maps.Copy(details, more)
	return simulator.MustJSON(object{
		"webhook_request_id": p.EventID, "event_name": []string{event}, "mailagent_key": "k1",
		"event_message": []object{{
			"request_id": p.MessageID,
			"email_info": object{
				"email_reference": "r" + p.EventID, "client_reference": "order-" + p.EventID[:6], "is_smtp_trigger": false, "subject": p.Subject,
				"from": object{"address": p.Sender, "name": "Shop"}, "to": []object{{"email_address": object{"address": p.Recipient, "name": "Ada"}}},
				"processed_time": p.Time.Add(-time.Minute).Format(time.RFC3339),
			},
			"event_data": []object{{"object": event, "details": []object{details}}},
		}},
	})
}

// asJSON posts the notification without the form.
func asJSON(s simulator.Sample) simulator.Sample {
	s.Make = func(p simulator.Params) simulator.Request {
		return simulator.JSON("tracking", notification(s.Name, visit, p))
	}
	return s
}

func bounce(name, reason, answer string, why anymail.RejectReason, b anymail.Bounce) simulator.Sample {
	s := sample(name, anymail.EventBounced, why, nil, simulator.Described(reason), simulator.Answered(answer, b))
	s.Make = func(p simulator.Params) simulator.Request {
		more := object{"reason": reason, "bounced_recipient": p.Recipient, "diagnostic_message": answer}
		return simulator.URLEncoded("tracking", url.Values{"data": {string(notification(name, more, p))}})
	}
	return s
}
