// Package sparkpostsim plays SparkPost, for tests and demonstrations.
package sparkpostsim

import (
	"encoding/base64"
	"maps"
	"strconv"
	"strings"
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
			sample("delay", failure("delay", "70", "451", "451 4.7.1 try again later"), anymail.EventDeferred, ""),
			sample("bounce-1", failure("bounce", "1", "554", "554 no"), anymail.EventBounced, anymail.RejectBounced),
			sample("bounce-10", failure("bounce", "10", "550", "550 5.1.1 no such user"), anymail.EventBounced, anymail.RejectInvalid),
			sample("bounce-22", failure("bounce", "22", "552", "552 5.2.2 mailbox full"), anymail.EventBounced, anymail.RejectBounced),
			sample("bounce-23", failure("bounce", "23", "552", "552 5.3.4 message too big"), anymail.EventBounced, anymail.RejectOther),
			sample("bounce-24", failure("bounce", "24", "421", "421 4.4.1 timed out"), anymail.EventBounced, anymail.RejectTimedOut),
			sample("bounce-25", failure("bounce", "25", "550", "550 5.1.2 [internal] no mail to this domain"), anymail.EventRejected, anymail.RejectBlocked),
			sample("bounce-50", failure("bounce", "50", "550", "550 5.7.1 listed"), anymail.EventBounced, anymail.RejectBlocked),
			sample("bounce-51", failure("bounce", "51", "554", "554 5.7.1 from a source of spam"), anymail.EventBounced, anymail.RejectSpam),
			sample("bounce-52", failure("bounce", "52", "554", "554 5.6.0 looks like spam"), anymail.EventBounced, anymail.RejectSpam),
			sample("bounce-53", failure("bounce", "53", "552", "552 5.7.0 attachment refused"), anymail.EventBounced, anymail.RejectBlocked),
			sample("bounce-60", failure("bounce", "60", "550", "550 out of office"), anymail.EventAutoresponded, ""),
			sample("bounce-80", failure("bounce", "80", "550", "550 subscribe"), anymail.EventSubscribed, ""),
			sample("bounce-90", failure("bounce", "90", "550", "550 unsubscribe"), anymail.EventUnsubscribed, anymail.RejectUnsubscribed),
			sample("out_of_band", failure("out_of_band", "30", "550", "550 5.0.0 gone"), anymail.EventBounced, anymail.RejectBounced),
			sample("policy_rejection", failure("policy_rejection", "25", "550", "550 5.7.1 [internal] recipient address suppressed"), anymail.EventRejected, anymail.RejectBlocked),
			sample("spam_complaint", sent("message_event", "spam_complaint", object{"fbtype": "abuse", "report_by": "fbl.example.net", "report_to": "abuse.example.org"}), anymail.EventComplained, anymail.RejectSpam),
			sample("sms_status", other("message_event", "sms_status", object{"sms_dst": "15550100", "stat_state": "Delivered"}), anymail.EventUnknown, ""),
			sample("generation_failure", sent("gen_event", "generation_failure", object{
				"error_code": "554", "reason": "error while rendering part html", "raw_reason": "error while rendering part html", "rcpt_subs": object{"country": "DE"},
			}), anymail.EventFailed, anymail.RejectOther),
			sample("generation_rejection", sent("gen_event", "generation_rejection", object{
				"bounce_class": "25", "error_code": "554", "reason": "554 5.7.1 [internal] suppressed", "raw_reason": "554 5.7.1 [internal] suppressed",
			}), anymail.EventRejected, anymail.RejectBlocked),
			sample("open", visit("track_event", "open"), anymail.EventOpened, ""),
			sample("open-prefetched", visit("track_event", "open", object{"user_agent_parsed": object{"agent_family": "Gmail Image Proxy", "is_proxy": true, "is_prefetched": true}}), anymail.EventOpened, ""),
			sample("initial_open", visit("track_event", "initial_open"), anymail.EventUnknown, ""),
			sample("click", visit("track_event", "click"), anymail.EventClicked, ""),
			sample("amp_open", visit("track_event", "amp_open"), anymail.EventOpened, ""),
			sample("amp_initial_open", visit("track_event", "amp_initial_open"), anymail.EventUnknown, ""),
			sample("amp_click", visit("track_event", "amp_click"), anymail.EventClicked, ""),
			sample("list_unsubscribe", sent("unsubscribe_event", "list_unsubscribe", object{"mailfrom": "ada@example.com"}), anymail.EventUnsubscribed, anymail.RejectUnsubscribed),
			sample("link_unsubscribe", visit("unsubscribe_event", "link_unsubscribe"), anymail.EventUnsubscribed, anymail.RejectUnsubscribed),
			sample("relay_injection", other("relay_event", "relay_injection", nil), anymail.EventUnknown, ""),
			sample("relay_rejection", other("relay_event", "relay_rejection", object{"bounce_class": "25", "error_code": "554", "reason": "refused"}), anymail.EventUnknown, ""),
			sample("relay_delivery", other("relay_event", "relay_delivery", object{"delv_method": "http"}), anymail.EventUnknown, ""),
			sample("relay_tempfail", other("relay_event", "relay_tempfail", object{"error_code": "500", "reason": "HTTP 500"}), anymail.EventUnknown, ""),
			sample("relay_permfail", other("relay_event", "relay_permfail", object{"error_code": "500", "reason": "HTTP 500"}), anymail.EventUnknown, ""),
			sample("ab_test_completed", other("ab_test_event", "ab_test_completed", object{"ab_test": object{"id": "subjects", "version": 1, "winning_template_id": "t2"}}), anymail.EventUnknown, ""),
			sample("ab_test_cancelled", other("ab_test_event", "ab_test_cancelled", object{"ab_test": object{"id": "subjects", "version": 1}}), anymail.EventUnknown, ""),
			sample("ingest-success", other("ingest_event", "success", object{"number_succeeded": 500, "number_duplicates": 3}), anymail.EventUnknown, ""),
			sample("ingest-error", other("ingest_event", "error", object{"error_type": "validation", "number_failed": 2, "retryable": false}), anymail.EventUnknown, ""),
			sample("teleport", sent("message_event", "teleport", nil), anymail.EventUnknown, ""),
			{
				Name: "batch", Endpoint: "tracking",
				Types: []anymail.EventType{anymail.EventDelivered, anymail.EventOpened},
				Make: func(p simulator.Params) simulator.Request {
					return post("tracking", delivery(p), empty, visit("track_event", "open")(p))
				},
			},
			{Name: "test", Endpoint: "tracking", Make: func(simulator.Params) simulator.Request { return post("tracking", empty) }},
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

func sample(name string, event func(simulator.Params) object, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Make: func(p simulator.Params) simulator.Request { return post("tracking", event(p)) },
	}
}

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
			"campaign_id": p.Tag, "rcpt_meta": p.Metadata, "rcpt_tags": []string{}, "ip_pool": "shared", "open_tracking": true,
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
		"bounce_class": class, "error_code": code, "reason": reason, "raw_reason": reason, "ip_address": "192.0.2.25", "num_retries": "1",
	})
}

// visit is an event that a recipient's mail program or browser caused.
func visit(class, typ string, others ...object) func(simulator.Params) object {
	more := object{
		"ip_address": "192.0.2.77", "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
		"user_agent_parsed": object{"agent_family": "Firefox", "os_family": "Linux", "is_mobile": false, "is_proxy": false, "is_prefetched": false},
		"geo_ip":            object{"country": "DE", "region": "BE", "city": "Berlin", "zip": 10115, "latitude": 52.5, "longitude": 13.4},
	}
	if !strings.HasSuffix(typ, "open") {
		more["target_link_url"], more["target_link_name"] = "https://shop.example.org/orders/1701?from=mail", "order"
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
		Make: func(p simulator.Params) simulator.Request {
			encoded := encoded || !utf8.Valid(p.MIME)
			mime := string(p.MIME)
			if encoded {
				mime = base64.StdEncoding.EncodeToString(p.MIME)
			}
			return post("inbound", object{"msys": object{"relay_message": object{
				"content": object{
					"email_rfc822": mime, "email_rfc822_is_base64": encoded, "subject": "Rückfrage", "to": []string{"help@inbound.example.org"},
					"headers": []object{{"From": "Ada Lovelace <ada@example.com>"}, {"Subject": "Rückfrage"}}, "text": "Grüße, see the picture.",
				},
				"customer_id": "1", "friendly_from": "ada@example.com", "msg_from": "ada@example.com", "rcpt_to": "help@inbound.example.org",
				"protocol": "smtp", "webhook_id": "4000000000000001",
			}}})
		},
	}
}
