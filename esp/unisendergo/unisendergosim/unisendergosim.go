// Package unisendergosim plays Unisender Go, for tests and demonstrations.
package unisendergosim

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/unisendergo"
	"github.com/goanymail/anymail/simulator"
)

// New returns Unisender Go's simulator.
func New() *simulator.Simulator {
	samples := []simulator.Sample{
		status("accepted", "", anymail.EventQueued, ""),
		status("sent", "ok_sent", anymail.EventSent, ""),
		answered("delivered", "ok_delivered", "250 2.0.0 OK", anymail.EventDelivered, "", anymail.Bounce{}),
		status("opened", "ok_read", anymail.EventOpened, "", visitor),
		status("clicked", "ok_link_visited", anymail.EventClicked, "", visitor, func(ev *anymail.TrackingEvent) { ev.ClickURL = link }),
		status("unsubscribed", "ok_unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed),
		status("subscribed", "ok_resubscribed", anymail.EventSubscribed, ""),
		status("spam", "ok_fbl", anymail.EventComplained, anymail.RejectSpam, simulator.Described("ok_fbl; "+comment)),
		answered("soft_bounced", "err_will_retry", "451 4.7.1 try later", anymail.EventDeferred, "", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.7.1"}),
		answered("soft_bounced", "err_mailbox_full", "452 4.2.2 mailbox full", anymail.EventDeferred, "", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"}),
		answered("hard_bounced", "err_user_unknown", "550 5.1.1 no such user", anymail.EventBounced, anymail.RejectInvalid, anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}),
		answered("hard_bounced", "err_domain_inactive", "", anymail.EventBounced, anymail.RejectInvalid, anymail.Bounce{Category: anymail.BounceHard}),
		answered("hard_bounced", "err_mailbox_full", "552 5.2.2 mailbox full", anymail.EventBounced, anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 552, EnhancedCode: "5.2.2"}),
		answered("hard_bounced", "err_too_large", "552 5.3.4 message too big", anymail.EventBounced, anymail.RejectOther, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 552, EnhancedCode: "5.3.4"}),
		answered("hard_bounced", "err_delivery_failed", "550 5.3.0 not now", anymail.EventBounced, anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceUndetermined, SMTPCode: 550, EnhancedCode: "5.3.0"}),
		answered("hard_bounced", "err_spam_rejected", "554 5.7.1 spam", anymail.EventBounced, anymail.RejectSpam, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"}),
		answered("hard_bounced", "err_blacklisted", "554 5.7.1 listed", anymail.EventBounced, anymail.RejectBlocked, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"}),
		answered("hard_bounced", "err_giveup", "451 4.4.1 no answer", anymail.EventBounced, anymail.RejectTimedOut, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.4.1"}),
		answered("hard_bounced", "", "", anymail.EventBounced, anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceHard}),
		status("hard_bounced", "err_unsubscribed", anymail.EventRejected, anymail.RejectUnsubscribed),
		status("hard_bounced", "err_unreachable", anymail.EventRejected, anymail.RejectBounced),
		status("hard_bounced", "err_skip_letter", anymail.EventRejected, anymail.RejectBounced),
		status("hard_bounced", "err_spam_skipped", anymail.EventRejected, anymail.RejectBlocked),
		status("hard_bounced", "err_lost", anymail.EventFailed, anymail.RejectOther),
		status("teleported", "", anymail.EventUnknown, ""),
		sample("spam_block-blocked", anymail.EventUnknown, "", func(p simulator.Params) any { return block(p, "blocked") }, ofDomain("blocked")),
		sample("spam_block-unblocked", anymail.EventUnknown, "", func(p simulator.Params) any { return block(p, "unblocked") }, ofDomain("unblocked")),
		sample("transactional_new_kind", anymail.EventUnknown, "", func(p simulator.Params) any {
			return event("transactional_new_kind", map[string]any{"event_time": stamp(p), "email": p.Recipient, "note": p.EventID})
		}, func(ev *anymail.TrackingEvent) { ev.MessageID, ev.Metadata = "", nil }),
		variant("single_event", "250 2.0.0 OK", single),
		variant("auth-last", "250 2.0.0 Ok", authLast),
	}
	return &simulator.Simulator{
		ESP:           unisendergo.ESP,
		Title:         "Unisender Go",
		NewCredential: newCredential,
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return unisendergo.New(unisendergo.Config{APIKeys: simulator.Keys(trusted)})
		},
		Sign: sign,
		Situations: map[string]string{
			"hard_bounced-err_spam_skipped": "Not sent: the ESP takes the content for spam",
		},
		Samples: samples,
		Batch:   batch,
		Malformed: func(p simulator.Params) simulator.Request {
			return post([]json.RawMessage{
				simulator.MustJSON(email(p, "delivered", "ok_delivered", "250 2.0.0 OK")),
				json.RawMessage(`{"event_name": 17, "event_data": "none"}`),
				simulator.MustJSON(email(p, "opened", "ok_read", "")),
			})
		},
	}
}

func newCredential() simulator.Credential {
	return simulator.Credential{Config: "6" + rand.Text()}
}

// placeholder is the member "auth", signed or not.
var placeholder = regexp.MustCompile(`"auth" ?: ?"([0-9a-f]*)"`)

// sign sets auth to the MD5 of the body in which auth is the API key.
// https://docs.unione.io/en/web-api-ref#callback-format
func sign(r *simulator.Request, c simulator.Credential, _ time.Time) error {
	at := placeholder.FindSubmatchIndex(r.Body)
	if at == nil {
		return errors.New("unisendergosim: the body has no auth")
	}
	with := func(auth string) []byte {
		return bytes.Join([][]byte{r.Body[:at[2]], []byte(auth), r.Body[at[3]:]}, nil)
	}
	sum := md5.Sum(with(c.Config))
	r.Body = with(hex.EncodeToString(sum[:]))
	return nil
}

// status is an event about a message. Its description is the delivery status.
func status(name, delivery string, typ anymail.EventType, reason anymail.RejectReason, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	title := name
	if delivery != "" {
		title += "-" + delivery
	}
	changes = append([]func(*anymail.TrackingEvent){simulator.Described(delivery)}, changes...)
	return sample(title, typ, reason, func(p simulator.Params) any { return email(p, name, delivery, "") }, changes...)
}

// answered is an event with the answer of the receiving server, if there is one.
func answered(name, delivery, response string, typ anymail.EventType, reason anymail.RejectReason, bounce anymail.Bounce) simulator.Sample {
	s := status(name, delivery, typ, reason, said(response, bounce))
	s.Make = func(p simulator.Params) simulator.Request {
		return post([]json.RawMessage{simulator.MustJSON(email(p, name, delivery, response))})
	}
	return s
}

func said(response string, bounce anymail.Bounce) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) {
		if ev.Bounce = bounce; response != "" {
			ev.MTAResponse = response + " (" + ev.ID + ")"
		}
	}
}

// sample is one event. It has its EventID until the changes are made: Unisender Go has
// no event ids, but texts that have one here. It has no tags either.
func sample(name string, typ anymail.EventType, reason anymail.RejectReason, make func(simulator.Params) any, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			return p.Event(typ, reason, append(changes, func(ev *anymail.TrackingEvent) { ev.ID, ev.Tags = "", nil })...)
		},
		Make: func(p simulator.Params) simulator.Request {
			return post([]json.RawMessage{simulator.MustJSON(make(p))})
		},
	}
}

// variant is a delivery in another form of callback.
func variant(name, response string, make func(simulator.Params) simulator.Request) simulator.Sample {
	s := answered("delivered", "ok_delivered", response, anymail.EventDelivered, "", anymail.Bounce{})
	s.Name, s.Make = name, make
	return s
}

const (
	agent   = "Mozilla/5.0 (X11; Linux x86_64)"
	link    = "https://shop.example.org/orders/1701?from=mail"
	comment = "reported by the provider"
)

func visitor(ev *anymail.TrackingEvent) {
	ev.UserAgent, ev.IP = agent+" visit/"+ev.ID, netip.MustParseAddr("192.0.2.77")
	ev.Geo = anymail.Geo{Country: "DE", City: "Bremen"}
}

// ofDomain is an event that is not about a message.
func ofDomain(state string) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) {
		ev.Description = ev.ID + ".example.com " + state + " one_smtp"
		ev.MessageID, ev.Recipient, ev.Metadata = "", "", nil
	}
}

func stamp(p simulator.Params) string { return p.Time.UTC().Format("2006-01-02 15:04:05") }

func event(name string, data any) any {
	return map[string]any{"event_name": name, "event_data": data}
}

// email is an event about a message. Unisender Go's events have no id. The text of
// the answer, or the visitor, makes one unique.
func email(p simulator.Params, status, delivery, response string) any {
	data := map[string]any{"job_id": p.MessageID, "email": p.Recipient, "status": status, "event_time": stamp(p)}
	if data["metadata"] = p.Metadata; len(p.Metadata) == 0 {
		data["metadata"] = []string{} // as PHP writes an empty array
	}
	info := map[string]any{"delivery_status": delivery}
	switch status {
	case "opened", "clicked":
		maps.Copy(info, map[string]any{
			"user_agent": agent + " visit/" + p.EventID, "ip": "192.0.2.77",
			"country_code": "DE", "country": "Germany", "city": "Bremen",
		})
		data["url"] = link
	case "spam":
		data["comment"] = comment
	default:
		if response != "" {
			info["destination_response"] = response + " (" + p.EventID + ")"
			info["sender_ip"] = "192.0.2.1"
		}
	}
	if delivery != "" {
		data["delivery_info"] = info
	}
	return event("transactional_email_status", data)
}

func block(p simulator.Params, state string) any {
	return event("transactional_spam_block", map[string]any{
		"block_time": stamp(p), "block_type": "one_smtp", "domain": p.EventID + ".example.com",
		"SMTP_blocks_count": 8, "domain_status": state,
	})
}

// authLast has other spaces and another order, and no optional members.
func authLast(p simulator.Params) simulator.Request {
	body := fmt.Sprintf("{ \"events_by_user\" : [ {\"events\": [\n%s\n], \"user_id\":\"456\",\"project_id\":6000000000000001} ], \"auth\" : \"\" }\n",
		simulator.MustJSON(email(p, "delivered", "ok_delivered", "250 2.0.0 Ok")))
	return simulator.JSON("tracking", []byte(body))
}

// single has the members of its only event at the top.
func single(p simulator.Params) simulator.Request {
	event := email(p, "delivered", "ok_delivered", "250 2.0.0 OK").(map[string]any)
	body := event["event_data"].(map[string]any)
	maps.Copy(body, map[string]any{
		"auth": "", "event_name": event["event_name"], "retry_count": 0, "user_id": userID, "project_id": projectID,
	})
	return simulator.JSON("tracking", simulator.MustJSON(body))
}

const (
	userID    = 456
	projectID = "6000000000000001"
)

// post makes a callback. The order of its members is that of the documentation.
func post(events []json.RawMessage) simulator.Request {
	type user struct {
		UserID      int               `json:"user_id"`
		ProjectID   string            `json:"project_id"`
		ProjectName string            `json:"project_name"`
		Events      []json.RawMessage `json:"events"`
	}
	return simulator.JSON("tracking", simulator.MustJSON(struct {
		Auth         string `json:"auth"`
		EventsByUser []user `json:"events_by_user"`
	}{"", []user{{userID, projectID, "Demo", events}}}))
}

// batch posts the events of several callbacks in one.
func batch(requests []simulator.Request) (simulator.Request, error) {
	var events []json.RawMessage
	for _, r := range requests {
		var body struct {
			EventsByUser []struct {
				Events []json.RawMessage `json:"events"`
			} `json:"events_by_user"`
		}
		if err := json.Unmarshal(r.Body, &body); err != nil {
			return simulator.Request{}, fmt.Errorf("unisendergosim: %w", err)
		}
		for _, user := range body.EventsByUser {
			events = append(events, user.Events...)
		}
		if body.EventsByUser == nil {
			event, err := withoutCallback(r.Body)
			if err != nil {
				return simulator.Request{}, fmt.Errorf("unisendergosim: %w", err)
			}
			events = append(events, event)
		}
	}
	return post(events), nil
}

// withoutCallback returns the event of a callback that has its members at the top.
func withoutCallback(body []byte) (json.RawMessage, error) {
	var event map[string]json.RawMessage
	if err := json.Unmarshal(body, &event); err != nil {
		return nil, err
	}
	for _, name := range []string{"auth", "retry_count", "user_id", "project_id"} {
		delete(event, name)
	}
	return json.Marshal(event)
}
