// Package sparkpostsim plays SparkPost, for tests and demonstrations.
package sparkpostsim

import (
	"encoding/base64"
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/sparkpost"
	"github.com/goanymail/anymail/simulator"
)

// New returns SparkPost's simulator. SparkPost signs nothing.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   sparkpost.ESP,
		Title: "SparkPost",
		NewAdapter: func(...simulator.Credential) (anymail.Adapter, error) {
			return sparkpost.New(sparkpost.Config{})
		},
		Situations: map[string]string{
			"bounce-53":            "Attachment refused, or taken for a virus",
			"bounce-25":            "Not sent: by the ESP's own policy, or for a virus",
			"generation_rejection": "Not sent: by the ESP's own policy, or for a virus",
			"generation_failure":   "Template error",
		},
		Samples: []simulator.Sample{
			sample("injection", sent("message_event", "injection", object{"recv_method": "rest", "msg_size": "1337"}), anymail.EventQueued, ""),
			sample("delivery", delivery, anymail.EventDelivered, ""),
			failed("delay", "70", "451", "451 4.7.1 try again later", anymail.EventDeferred, "", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.7.1"}),
			bounced("1", "554", "554 no", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceUndetermined, SMTPCode: 554}),
			bounced("10", "550", "550 5.1.1 no such user", anymail.RejectInvalid, anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}),
			bounced("22", "552", "552 5.2.2 mailbox full", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 552, EnhancedCode: "5.2.2"}),
			bounced("23", "552", "552 5.3.4 message too big", anymail.RejectOther, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 552, EnhancedCode: "5.3.4"}),
			bounced("24", "421", "421 4.4.1 timed out", anymail.RejectTimedOut, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 421, EnhancedCode: "4.4.1"}),
			named("bounce-25", refused("bounce", "550", "550 5.1.2 [internal] no mail to this domain")),
			bounced("50", "550", "550 5.7.1 listed", anymail.RejectBlocked, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"}),
			bounced("51", "554", "554 5.7.1 from a source of spam", anymail.RejectSpam, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"}),
			bounced("52", "554", "554 5.6.0 looks like spam", anymail.RejectSpam, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.6.0"}),
			bounced("53", "552", "552 5.7.0 attachment refused", anymail.RejectBlocked, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 552, EnhancedCode: "5.7.0"}),
			named("bounce-60", failed("bounce", "60", "550", "550 out of office", anymail.EventAutoresponded, "", anymail.Bounce{})),
			named("bounce-80", failed("bounce", "80", "550", "550 subscribe", anymail.EventSubscribed, "", anymail.Bounce{})),
			named("bounce-90", failed("bounce", "90", "550", "550 unsubscribe", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, anymail.Bounce{})),
			failed("out_of_band", "30", "550", "gone", anymail.EventBounced, anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550}),
			refused("policy_rejection", "550", "550 5.7.1 [internal] recipient address suppressed"),
			sample("spam_complaint", sent("message_event", "spam_complaint", object{"fbtype": "abuse", "report_by": "fbl.example.net", "report_to": "abuse.example.org"}), anymail.EventComplained, anymail.RejectSpam),
			unsent("message_event", "sms_status", object{"sms_dst": "15550100", "stat_state": "Delivered"}, func(ev *anymail.TrackingEvent) { ev.ID = "" }),
			sample("generation_failure", sent("gen_event", "generation_failure", object{
				"error_code": "554", "reason": "error while rendering part html", "raw_reason": "error while rendering part html", "rcpt_subs": object{"country": "DE"},
			}), anymail.EventFailed, anymail.RejectOther, simulator.Described("error while rendering part html")),
			sample("generation_rejection", sent("gen_event", "generation_rejection", object{
				"bounce_class": "25", "error_code": "554", "reason": "554 5.7.1 [internal] suppressed", "raw_reason": "554 5.7.1 [internal] suppressed",
			}), anymail.EventRejected, anymail.RejectBlocked, simulator.Described("554 5.7.1 [internal] suppressed")),
			sample("open", visit("track_event", "open"), anymail.EventOpened, "", visited("", anymail.No)),
			sample("open-prefetched", visit("track_event", "open", object{"user_agent_parsed": object{"agent_family": "Gmail Image Proxy", "is_proxy": true, "is_prefetched": true}}), anymail.EventOpened, "", visited("", anymail.Yes)),
			sample("initial_open", visit("track_event", "initial_open"), anymail.EventUnknown, "", visited("", anymail.No)),
			sample("click", visit("track_event", "click"), anymail.EventClicked, "", visited(link, anymail.No)),
			sample("amp_open", visit("track_event", "amp_open"), anymail.EventOpened, "", visited("", anymail.No)),
			sample("amp_initial_open", visit("track_event", "amp_initial_open"), anymail.EventUnknown, "", visited("", anymail.No)),
			sample("amp_click", visit("track_event", "amp_click"), anymail.EventClicked, "", visited(link, anymail.No)),
			sample("list_unsubscribe", sent("unsubscribe_event", "list_unsubscribe", object{"mailfrom": "ada@example.com"}), anymail.EventUnsubscribed, anymail.RejectUnsubscribed),
			sample("link_unsubscribe", visit("unsubscribe_event", "link_unsubscribe"), anymail.EventUnsubscribed, anymail.RejectUnsubscribed, visited(link, anymail.No)),
			unsent("relay_event", "relay_injection", nil),
			unsent("relay_event", "relay_rejection", object{"bounce_class": "25", "error_code": "554", "reason": "refused"}, simulator.Described("refused")),
			unsent("relay_event", "relay_delivery", object{"delv_method": "http"}),
			unsent("relay_event", "relay_tempfail", object{"error_code": "500", "reason": "HTTP 500"}, simulator.Described("HTTP 500")),
			unsent("relay_event", "relay_permfail", object{"error_code": "500", "reason": "HTTP 500"}, simulator.Described("HTTP 500")),
			unsent("ab_test_event", "ab_test_completed", object{"ab_test": object{"id": "subjects", "version": 1, "winning_template_id": "t2"}}),
			unsent("ab_test_event", "ab_test_cancelled", object{"ab_test": object{"id": "subjects", "version": 1}}),
			named("ingest-success", unsent("ingest_event", "success", object{"number_succeeded": 500, "number_duplicates": 3})),
			named("ingest-error", unsent("ingest_event", "error", object{"error_type": "validation", "number_failed": 2, "retryable": false})),
			sample("teleport", sent("message_event", "teleport", nil), anymail.EventUnknown, ""),
			{
				Name: "batch", Endpoint: "tracking",
				Types: []anymail.EventType{anymail.EventDelivered, anymail.EventOpened},
				Events: func(p simulator.Params) []anymail.Event {
					return append(expected(p, anymail.EventDelivered, ""), expected(p, anymail.EventOpened, "", visited("", anymail.No))...)
				},
				Make: func(p simulator.Params) simulator.Request {
					return post("tracking", delivery(p), empty, visit("track_event", "open")(p))
				},
			},
			{Name: "test", Endpoint: "tracking", Events: func(simulator.Params) []anymail.Event { return nil }, Make: func(simulator.Params) simulator.Request { return post("tracking", empty) }},
			relay("relay_message", false),
			relay("relay_message-base64", true),
		},
		Batch: simulator.JoinArrays,
		Malformed: func(p simulator.Params) simulator.Request {
			return post("tracking", delivery(p), object{"msys": nil}, visit("track_event", "open")(p))
		},
	}
}

type object = map[string]any

// empty is what SparkPost posts to test a URL.
var empty = object{"msys": object{}}

func post(endpoint string, elements ...object) simulator.Request {
	return simulator.JSON(endpoint, simulator.MustJSON(elements))
}

func sample(name string, event func(simulator.Params) object, typ anymail.EventType, reason anymail.RejectReason, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event { return expected(p, typ, reason, changes...) },
		Make:   func(p simulator.Params) simulator.Request { return post("tracking", event(p)) },
	}
}

// expected is an event about a sent message. The campaign and the recipient's tags are
// tags.
func expected(p simulator.Params, typ anymail.EventType, reason anymail.RejectReason, changes ...func(*anymail.TrackingEvent)) []anymail.Event {
	return p.Event(typ, reason, append([]func(*anymail.TrackingEvent){func(ev *anymail.TrackingEvent) { ev.Tags = append(ev.Tags, recipientTag) }}, changes...)...)
}

func named(name string, s simulator.Sample) simulator.Sample {
	s.Name = name
	return s
}

// unsent is an event that is not about a sent message.
func unsent(class, typ string, more object, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return sample(typ, other(class, typ, more), anymail.EventUnknown, "", append(changes, simulator.Unlabelled, func(ev *anymail.TrackingEvent) { ev.MessageID, ev.Recipient = "", "" })...)
}

// failed is an event with the answer of the receiving server, of which SparkPost has a
// short and a full text.
func failed(typ, class, code, answer string, is anymail.EventType, reason anymail.RejectReason, bounce anymail.Bounce) simulator.Sample {
	return sample(typ, failure(typ, class, code, answer), is, reason, simulator.Described(answer), simulator.Answered(answer+session, bounce))
}

func bounced(class, code, answer string, reason anymail.RejectReason, bounce anymail.Bounce) simulator.Sample {
	return named("bounce-"+class, failed("bounce", class, code, answer, anymail.EventBounced, reason, bounce))
}

// refused is what SparkPost did not send. The answer is its own.
func refused(typ, code, answer string) simulator.Sample {
	return sample(typ, failure(typ, "25", code, answer), anymail.EventRejected, anymail.RejectBlocked, simulator.Described(answer))
}

func visited(url string, automated anymail.Tri) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) {
		simulator.Visited(agent, url, automated)(ev)
		ev.IP, ev.Geo = netip.MustParseAddr("192.0.2.77"), anymail.Geo{Country: "DE", Region: "BE", City: "Berlin"}
	}
}

const (
	agent        = "Mozilla/5.0 (X11; Linux x86_64)"
	link         = "https://shop.example.org/orders/1701?from=mail"
	desk         = "help@inbound.example.org"
	recipientTag = "vip"
	session      = " (session x1)"
)

// other is an event that is not about a sent message.
func other(class, typ string, more object) func(simulator.Params) object {
	return func(p simulator.Params) object {
		event := object{"type": typ, "event_id": p.EventID, "timestamp": strconv.FormatInt(p.Time.Unix(), 10), "customer_id": "1"}
		if typ == "sms_status" { // it has another id
			delete(event, "event_id")
			event["sms_remoteids"] = []string{p.EventID}
		}
		maps.Copy(event, more)
		return object{"msys": object{class: event}}
	}
}

// sent is an event about a sent message.
func sent(class, typ string, more object) func(simulator.Params) object {
	return func(p simulator.Params) object {
		event := object{
			"message_id": "0000" + p.EventID, "transmission_id": p.MessageID, "subaccount_id": "101", "template_id": "receipt", "template_version": "3",
			"rcpt_to": strings.ToLower(p.Recipient), "raw_rcpt_to": p.Recipient, "friendly_from": p.Sender, "subject": p.Subject,
			"campaign_id": p.Tag, "rcpt_meta": p.Metadata, "rcpt_tags": []string{recipientTag}, "ip_pool": "shared", "open_tracking": true,
		}
		maps.Copy(event, more)
		return other(class, typ, event)(p)
	}
}

var delivery = sent("message_event", "delivery", object{
	"delv_method": "esmtp", "ip_address": "192.0.2.25", "sending_ip": "198.51.100.7", "num_retries": "0", "queue_time": "1200", "outbound_tls": "1",
})

func failure(typ, class, code, reason string) func(simulator.Params) object {
	return sent("message_event", typ, object{
		"bounce_class": class, "error_code": code, "reason": reason, "raw_reason": reason + session, "ip_address": "192.0.2.25", "num_retries": "1",
	})
}

// visit is an event that a recipient's mail program or browser caused.
func visit(class, typ string, others ...object) func(simulator.Params) object {
	more := object{
		"ip_address": "192.0.2.77", "user_agent": agent,
		"user_agent_parsed": object{"agent_family": "Firefox", "os_family": "Linux", "is_mobile": false, "is_proxy": false, "is_prefetched": false},
		"geo_ip":            object{"country": "DE", "region": "BE", "city": "Berlin", "zip": 10115, "latitude": 52.5, "longitude": 13.4},
	}
	if !strings.HasSuffix(typ, "open") {
		more["target_link_url"], more["target_link_name"] = link, "order"
	}
	for _, other := range others {
		maps.Copy(more, other)
	}
	return sent(class, typ, more)
}

// relay is a received message. A message that is not UTF-8 is always in base64.
func relay(name string, encoded bool) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, Untimed: true, TakesMIME: true,
		Events: func(p simulator.Params) []anymail.Event {
			p.EventID, p.Time = "", time.Time{}
			return p.Received(simulator.Envelope("bounces@example.com", desk))
		},
		Make: func(p simulator.Params) simulator.Request {
			encoded := encoded || !utf8.Valid(p.MIME)
			mime := string(p.MIME)
			if encoded {
				mime = base64.StdEncoding.EncodeToString(p.MIME)
			}
			return post("inbound", object{"msys": object{"relay_message": object{
				"content": object{
					"email_rfc822": mime, "email_rfc822_is_base64": encoded, "subject": "Rückfrage", "to": []string{desk},
					"headers": []object{{"From": "Ada Lovelace <ada@example.com>"}, {"Subject": "Rückfrage"}}, "text": "Grüße, see the picture.",
				},
				"customer_id": "1", "friendly_from": "ada@example.com", "msg_from": "bounces@example.com", "rcpt_to": desk,
				"protocol": "smtp", "webhook_id": "4000000000000001",
			}}})
		},
	}
}
