// Package kumomtasim plays KumoMTA, for tests and demonstrations.
package kumomtasim

import (
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/kumomta"
	"github.com/goanymail/anymail/simulator"
)

// New returns KumoMTA's simulator. KumoMTA signs nothing.
func New() *simulator.Simulator {
	hard := anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}
	block := anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"}
	return &simulator.Simulator{
		ESP:   kumomta.ESP,
		Title: "KumoMTA",
		NewAdapter: func(...simulator.Credential) (anymail.Adapter, error) {
			return kumomta.New(kumomta.Config{})
		},
		Situations: map[string]string{
			"Bounce, ProhibitedAttachment": "Attachment refused, or taken for a virus",
			"Bounce, VirusRelated":         "Attachment refused, or taken for a virus",
		},
		Samples: []simulator.Sample{
			log("Reception", answer(250, 0, 0, 0, ""), anymail.EventQueued, ""),
			log("Delivery", answer(250, 2, 0, 0, "queued as 7F3"), anymail.EventDelivered, "", simulator.Answered("250 2.0.0 queued as 7F3", anymail.Bounce{})),
			two("Delivery to two", answer(250, 2, 0, 0, "queued as 7F3"), anymail.EventDelivered, simulator.Answered("250 2.0.0 queued as 7F3", anymail.Bounce{})),
			log("TransientFailure", answer(451, 4, 3, 0, "try again later"), anymail.EventDeferred, "",
				simulator.Answered("451 4.3.0 try again later", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.3.0"})),
			log("TransientFailure, SpamBlock", answer(421, 4, 7, 0, "listed"), anymail.EventDeferred, "",
				simulator.Answered("421 4.7.0 listed", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 421, EnhancedCode: "4.7.0"})),
			log("Delayed", answer(400, 0, 0, 0, "throttled"), anymail.EventUnknown, "", simulator.Described("throttled")),
			log("Bounce", answer(550, 0, 0, 0, "refused"), anymail.EventBounced, anymail.RejectBounced,
				simulator.Answered("550 refused", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550})),
			log("Bounce 5.1.1", answer(550, 5, 1, 1, "no such user"), anymail.EventBounced, anymail.RejectInvalid, simulator.Answered("550 5.1.1 no such user", hard)),
			log("Bounce 4xx", answer(450, 4, 2, 0, "busy"), anymail.EventBounced, anymail.RejectBounced,
				simulator.Answered("450 4.2.0 busy", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 450, EnhancedCode: "4.2.0"})),
			bounce("InvalidRecipient", anymail.RejectInvalid, anymail.BounceHard),
			bounce("BadDomain", anymail.RejectInvalid, anymail.BounceHard),
			bounce("InactiveMailbox", anymail.RejectBounced, anymail.BounceHard),
			bounce("QuotaIssues", anymail.RejectBounced, anymail.BounceSoft),
			bounce("DNSFailure", anymail.RejectBounced, anymail.BounceSoft),
			bounce("RoutingErrors", anymail.RejectBounced, anymail.BounceSoft),
			bounce("BadConfiguration", anymail.RejectBounced, anymail.BounceSoft),
			bounce("ProtocolErrors", anymail.RejectBounced, anymail.BounceSoft),
			bounce("TransientFailure", anymail.RejectBounced, anymail.BounceSoft),
			bounce("TooManyRecipients", anymail.RejectBounced, anymail.BounceSoft),
			bounce("NoAnswerFromHost", anymail.RejectTimedOut, anymail.BounceSoft),
			bounce("BadConnection", anymail.RejectTimedOut, anymail.BounceSoft),
			bounce("MessageExpired", anymail.RejectTimedOut, anymail.BounceSoft),
			bounce("SpamBlock", anymail.RejectBlocked, anymail.BounceBlock),
			bounce("SpamContent", anymail.RejectSpam, anymail.BounceBlock),
			bounce("SpamRelated", anymail.RejectSpam, anymail.BounceBlock),
			bounce("ContentRelated", anymail.RejectSpam, anymail.BounceBlock),
			bounce("ProhibitedAttachment", anymail.RejectBlocked, anymail.BounceBlock),
			bounce("VirusRelated", anymail.RejectBlocked, anymail.BounceBlock),
			bounce("RelayDenied", anymail.RejectBlocked, anymail.BounceBlock),
			bounce("RelayingIssues", anymail.RejectBlocked, anymail.BounceBlock),
			bounce("PolicyRelated", anymail.RejectBlocked, anymail.BounceBlock),
			bounce("AuthenticationFailed", anymail.RejectBlocked, anymail.BounceBlock),
			bounce("InvalidSender", anymail.RejectBlocked, anymail.BounceBlock),
			bounce("house rule 7", anymail.RejectBounced, anymail.BounceHard),
			log("Expiration", answer(551, 5, 4, 7, "in the queue for too long"), anymail.EventBounced, anymail.RejectTimedOut,
				simulator.Described("in the queue for too long"), func(ev *anymail.TrackingEvent) { ev.Bounce.Category = anymail.BounceSoft }),
			log("AdminBounce", answer(551, 5, 7, 1, "the campaign was called off"), anymail.EventFailed, anymail.RejectOther, simulator.Described("the campaign was called off")),
			log("OOB", answer(550, 5, 1, 1, "5.1.1 no such user"), anymail.EventBounced, anymail.RejectInvalid, simulator.Answered("550 5.1.1 no such user", hard), unsent),
			log("OOB, PolicyRelated", answer(554, 5, 7, 1, "not welcome"), anymail.EventBounced, anymail.RejectBlocked, simulator.Answered("554 5.7.1 not welcome", block), unsent),
			log("OOB, AutoReply", answer(550, 5, 0, 0, "on holiday"), anymail.EventAutoresponded, "", simulator.Answered("550 5.0.0 on holiday", anymail.Bounce{}), unsent),
			log("OOB, ChallengeResponse", answer(550, 5, 0, 0, "please confirm"), anymail.EventAutoresponded, "", simulator.Answered("550 5.0.0 please confirm", anymail.Bounce{}), unsent),
			log("OOB, Subscribe", answer(550, 5, 0, 0, "subscribe"), anymail.EventSubscribed, "", simulator.Answered("550 5.0.0 subscribe", anymail.Bounce{}), unsent),
			log("OOB, Unsubscribe", answer(550, 5, 0, 0, "unsubscribe"), anymail.EventUnsubscribed, anymail.RejectUnsubscribed,
				simulator.Answered("550 5.0.0 unsubscribe", anymail.Bounce{}), unsent),
			feedback("abuse", anymail.EventComplained, anymail.RejectSpam),
			feedback("fraud", anymail.EventComplained, anymail.RejectSpam),
			feedback("virus", anymail.EventComplained, anymail.RejectSpam),
			feedback("not-spam", anymail.EventUnknown, ""),
			log("Rejection", answer(550, 5, 7, 1, "relaying denied"), anymail.EventUnknown, "", simulator.Described("relaying denied")),
			log("AdminRebind", answer(250, 0, 0, 0, "moved"), anymail.EventUnknown, "", simulator.Described("moved")),
			log("DeferredInjectionRebind", answer(250, 0, 0, 0, "OK"), anymail.EventUnknown, "", simulator.Described("OK")),
			log("Teleport", answer(250, 0, 0, 0, ""), anymail.EventUnknown, ""),
		},
		Batch: simulator.JoinArrays,
		Malformed: func(p simulator.Params) simulator.Request {
			return simulator.JSON("tracking", simulator.MustJSON([]any{
				record("Delivery", answer(250, 2, 0, 0, "")(p), p), []int{1}, record("Bounce", answer(550, 5, 0, 0, "")(p), p),
			}))
		},
	}
}

type fields map[string]any

// answer is the response of a record. Class 0 is for none.
func answer(code, class, subject, detail int, content string) func(simulator.Params) fields {
	return func(simulator.Params) fields {
		r := fields{"code": code, "enhanced_code": nil, "content": content, "command": "."}
		if class > 0 {
			r["enhanced_code"] = fields{"class": class, "subject": subject, "detail": detail}
		}
		return fields{"response": r}
	}
}

// log is a record whose name is its type, and after a comma its classification, if it
// has one.
func log(name string, more func(simulator.Params) fields, typ anymail.EventType, reason anymail.RejectReason, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	if _, classification, ok := strings.Cut(name, ", "); ok {
		changes = append(changes, simulator.Described(classification))
	}
	changes = append(changes, func(ev *anymail.TrackingEvent) { ev.ID = "" }) // KumoMTA's records have none
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event { return p.Event(typ, reason, changes...) },
		Make: func(p simulator.Params) simulator.Request {
			return simulator.JSON("tracking", simulator.MustJSON(record(name, more(p), p)))
		},
	}
}

// unsent clears what an event lacks if its record is about a report.
func unsent(ev *anymail.TrackingEvent) { ev.MessageID, ev.Tags, ev.Metadata = "", nil, nil }

func two(name string, more func(simulator.Params) fields, typ anymail.EventType, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	sample := log(name, more, typ, "", changes...)
	sample.Types = []anymail.EventType{typ, typ}
	one := sample.Events
	sample.Events = func(p simulator.Params) []anymail.Event {
		first := one(p)
		p.Recipient = "grace@example.com"
		return append(first, one(p)...)
	}
	sample.Make = func(p simulator.Params) simulator.Request {
		r := record(name, more(p), p)
		r["recipient"] = []string{p.Recipient, "grace@example.com"}
		return simulator.JSON("tracking", simulator.MustJSON(r))
	}
	return sample
}

func bounce(classification string, reason anymail.RejectReason, category anymail.BounceCategory) simulator.Sample {
	return log("Bounce, "+classification, answer(550, 0, 0, 0, "refused"), anymail.EventBounced, reason,
		simulator.Answered("550 refused", anymail.Bounce{Category: category, SMTPCode: 550}))
}

// feedback is a record of a feedback report. The envelope is that of the report.
func feedback(kind string, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	return log("Feedback "+kind, func(p simulator.Params) fields {
		more := answer(250, 0, 0, 0, "")(p)
		more["sender"], more["recipient"] = "fbl@example.net", "fbl@example.org"
		trace := fields{"recipient": p.Recipient}
		for name, value := range p.Metadata {
			trace[name] = value
		}
		more["feedback_report"] = fields{
			"feedback_type": kind, "user_agent": "Loop/1.0", "version": "1", "original_mail_from": p.Sender, "original_rcpto_to": []string{p.Recipient},
			"reported_domain": []string{"example.org"}, "extensions": fields{}, "supplemental_trace": trace,
		}
		return more
	}, typ, reason, func(ev *anymail.TrackingEvent) {
		ev.MessageID, ev.Tags = "", nil
		ev.Metadata["recipient"] = ev.Recipient
		ev.Description = kind
	})
}

func record(name string, more fields, p simulator.Params) fields {
	kind, classification, ok := strings.Cut(name, ", ")
	if !ok {
		classification = "Uncategorized"
	}
	kind, _, _ = strings.Cut(kind, " ")
	id := p.MessageID
	if kind == "OOB" || kind == "Feedback" {
		id = p.EventID // of the message with the report
	}
	r := fields{
		"type": kind, "id": id, "sender": p.Sender, "recipient": p.Recipient, "queue": p.Tag + ":shop@example.com", "site": "pool0->mx.example.com",
		"size": 1047, "peer_address": fields{"name": "mx.example.com.", "addr": "192.0.2.1"}, "timestamp": p.Time.Unix(), "event_time": p.Time.Format(time.RFC3339Nano),
		"created": p.Time.Unix(), "created_time": p.Time.Format(time.RFC3339Nano), "num_attempts": 0, "bounce_classification": classification,
		"egress_pool": "pool0", "egress_source": "ip1", "source_address": nil, "feedback_report": nil, "meta": p.Metadata, "headers": fields{},
		"delivery_protocol": "ESMTP", "reception_protocol": "HTTP", "nodeid": "0c0ffee0-0000-4000-8000-000000000001",
	}
	for member, value := range more {
		r[member] = value
	}
	return r
}
