// Package amazonsessim plays Amazon SES, SNS and S3, for tests and
// demonstrations.
package amazonsessim

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/amazonses"
	"github.com/goanymail/anymail/simulator"
	"github.com/goanymail/anymail/verify/sns"
)

const (
	bucket  = "example-mail"
	account = "123456789012"

	address = "192.0.2.77"
	agent   = "Mozilla/5.0 (X11; Linux x86_64)"
	link    = "https://shop.example.org/orders/1701?from=mail"
)

// topic is the one that the simulator's own adapters accept.
var topic = simulator.NewParams().Topic

// New returns the simulator of Amazon SES with SNS. A credential is a signing
// certificate. The adapter fetches it from the simulator and takes it for SNS's own.
// Other adapters accept it if InsecureTestCertificates of [amazonses.Config] has it.
func New() *simulator.Simulator { return new(AWS).Simulator() }

// NewUnsigned returns the simulator of what AWS does not sign: raw message
// delivery of SNS, and API destinations of EventBridge.
func NewUnsigned() *simulator.Simulator { return new(AWS).UnsignedSimulator() }

// Simulator does what [New] does, with its adapters connected to a.
func (a *AWS) Simulator() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:           amazonses.ESP,
		Title:         "Amazon SES",
		NewCredential: a.newCredential,
		Client:        &http.Client{Transport: a},
		Sign:          sign,
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			config, err := a.Config(trusted...)
			if err != nil {
				return nil, err
			}
			return amazonses.New(config)
		},
		Situations: map[string]string{
			"Bounce Transient AttachmentRejected": "Attachment refused, or taken for a virus",
			"Reject":                              "Not sent: by the ESP's own policy, or for a virus",
			"Rendering Failure":                   "Template error",
		},
		Samples: append(a.samples(notification), a.confirmation("SubscriptionConfirmation"), a.confirmation("UnsubscribeConfirmation")),
	}
}

// UnsignedSimulator does what [NewUnsigned] does, with its adapters connected to
// a.
func (a *AWS) UnsignedSimulator() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   amazonses.ESP,
		Title: "Amazon SES, unsigned",
		NewAdapter: func(...simulator.Credential) (anymail.Adapter, error) {
			config, err := a.Config()
			if err != nil {
				return nil, err
			}
			config.AcceptUnsigned = true
			return amazonses.New(config)
		},
		Samples: append(a.samples(raw), simulator.Sample{
			Name: "EventBridge API destination", Endpoint: "tracking", Types: types(anymail.EventDelivered),
			Events: tracked(anymail.EventDelivered, "", accepted),
			Make: func(p simulator.Params) simulator.Request {
				return simulator.JSON("tracking", simulator.MustJSON(envelope("Email Delivered", delivery)(p)))
			},
		}),
	}
}

// object is what SES calls a JSON object.
type object map[string]any

// post makes the request that carries the Message of a notification.
type post func(p simulator.Params, endpoint, message string) simulator.Request

// notification is how SNS posts by default.
func notification(p simulator.Params, endpoint, message string) simulator.Request {
	return snsRequest(p, endpoint, map[string]string{
		"Type":           "Notification",
		"Subject":        "Amazon SES Email Event Notification",
		"Message":        message,
		"UnsubscribeURL": api(p) + "?Action=Unsubscribe&SubscriptionArn=" + p.Topic + ":aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
	})
}

func snsRequest(p simulator.Params, endpoint string, m map[string]string) simulator.Request {
	m["MessageId"] = uuid(p)
	m["TopicArn"] = p.Topic
	m["Timestamp"] = stamp(p)
	r := simulator.JSON(endpoint, simulator.MustJSON(m))
	r.Header = http.Header{
		"Content-Type":           {"text/plain; charset=UTF-8"}, // though it is JSON
		"User-Agent":             {"Amazon Simple Notification Service Agent"},
		"X-Amz-Sns-Message-Type": {m["Type"]},
		"X-Amz-Sns-Message-Id":   {m["MessageId"]},
		"X-Amz-Sns-Topic-Arn":    {p.Topic},
	}
	return r
}

// api is the URL of SNS in the region of the topic.
func api(p simulator.Params) string {
	service, _ := sns.AWS(p.Topic) // sign refuses any other topic
	return "https://" + service.APIHost + "/"
}

// raw is how SNS posts with raw message delivery.
func raw(p simulator.Params, endpoint, message string) simulator.Request {
	r := snsRequest(p, endpoint, map[string]string{"Type": "Notification"})
	r.Header.Set("X-Amz-Sns-Rawdelivery", "true")
	r.Body = []byte(message)
	return r
}

func (a *AWS) samples(post post) []simulator.Sample {
	tracking := func(
		name string, record func(simulator.Params) object, typ anymail.EventType, reason anymail.RejectReason, changes ...func(*anymail.TrackingEvent),
	) simulator.Sample {
		return simulator.Sample{
			Name: name, Endpoint: "tracking", Types: types(typ), Reason: reason, Events: tracked(typ, reason, changes...),
			Make: func(p simulator.Params) simulator.Request {
				return post(p, "tracking", string(simulator.MustJSON(record(p))))
			},
		}
	}
	ping := func(name, message string) simulator.Sample {
		return simulator.Sample{Name: name, Endpoint: "tracking", Events: nothing, Make: func(p simulator.Params) simulator.Request {
			return post(p, "tracking", message)
		}}
	}
	bounced := func(typ, sub, status, diagnostic string, reason anymail.RejectReason, meaning anymail.Bounce) simulator.Sample {
		answer := simulator.Answered(strings.TrimPrefix(diagnostic, "smtp; "), meaning)
		return tracking("Bounce "+typ+" "+sub, bounce(typ, sub, status, diagnostic), anymail.EventBounced, reason, simulator.Described(typ+": "+sub), answer)
	}
	suppressed := func(sub, why string, reason anymail.RejectReason) simulator.Sample {
		return tracking("Bounce Permanent "+sub, bounce("Permanent", sub, "5.1.1", why), anymail.EventRejected, reason, simulator.Described(why))
	}
	noEmail, general := simulator.Described("Permanent: NoEmail"), simulator.Described("Permanent: General")
	unknown := simulator.Answered("550 5.1.1 user unknown", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"})
	two := tracking("Bounce of two recipients", twoBounces, anymail.EventBounced, anymail.RejectInvalid)
	two.Types = types(anymail.EventBounced, anymail.EventBounced)
	two.Events = func(p simulator.Params) []anymail.Event {
		return append(tracked(anymail.EventBounced, anymail.RejectInvalid, general, unknown)(p),
			tracked(anymail.EventBounced, anymail.RejectBounced, general, func(ev *anymail.TrackingEvent) {
				ev.Recipient, ev.Bounce.Category = "second."+p.Recipient, anymail.BounceHard
			})(p)...)
	}
	samples := []simulator.Sample{
		tracking("Send", event("Send", "send", object{}), anymail.EventSent, ""),
		tracking("Delivery", delivery, anymail.EventDelivered, "", accepted),
		tracking("DeliveryDelay", delay("TransientCommunicationFailure", "4.4.1", "421 4.4.1 Unable to connect to remote host"), anymail.EventDeferred, "",
			simulator.Described("TransientCommunicationFailure"),
			simulator.Answered("421 4.4.1 Unable to connect to remote host", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 421, EnhancedCode: "4.4.1"})),
		tracking("DeliveryDelay SpamDetected", delay("SpamDetected", "4.7.0", "421 4.7.0 Too much unwanted mail from you"), anymail.EventDeferred, "",
			simulator.Described("SpamDetected"),
			simulator.Answered("421 4.7.0 Too much unwanted mail from you", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 421, EnhancedCode: "4.7.0"})),
		bounced("Undetermined", "Undetermined", "", "", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceUndetermined}),
		bounced("Permanent", "General", "5.7.1", "smtp; 550 5.7.1 not wanted here", anymail.RejectBlocked,
			anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"}),
		bounced("Permanent", "NoEmail", "5.1.1", "smtp; 550 5.1.1 user unknown", anymail.RejectInvalid,
			anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}),
		suppressed("Suppressed", "Amazon SES has suppressed sending to this address", anymail.RejectBounced),
		suppressed("OnAccountSuppressionList", "Amazon SES did not send the message to this address", anymail.RejectBlocked),
		suppressed("OnTenantSuppressionList", "Amazon SES did not send the message to this address", anymail.RejectBlocked),
		suppressed("EmailValidationSuppressed", "Amazon SES did not send the message to this address", anymail.RejectInvalid),
		suppressed("UnsubscribedRecipient", "Amazon SES did not send the message to this address", anymail.RejectUnsubscribed),
		bounced("Transient", "General", "4.0.0", "", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceSoft, EnhancedCode: "4.0.0"}),
		bounced("Transient", "MailboxFull", "4.2.2", "smtp; 452 4.2.2 over quota", anymail.RejectBounced,
			anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"}),
		bounced("Transient", "MessageTooLarge", "5.3.4", "smtp; 552 5.3.4 too large", anymail.RejectOther,
			anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 552, EnhancedCode: "5.3.4"}),
		bounced("Transient", "CustomTimeoutExceeded", "4.4.7", "smtp; 450 4.4.7 message expired", anymail.RejectTimedOut,
			anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 450, EnhancedCode: "4.4.7"}),
		bounced("Transient", "ContentRejected", "5.6.0", "smtp; 554 5.6.0 looks like spam", anymail.RejectSpam,
			anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.6.0"}),
		bounced("Transient", "AttachmentRejected", "5.6.0", "smtp; 554 5.6.0 attachment not allowed", anymail.RejectBlocked,
			anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.6.0"}),
		two,
		tracking("Complaint", complaint("abuse", nil), anymail.EventComplained, anymail.RejectSpam, simulator.Described("abuse")),
		tracking("Complaint OnAccountSuppressionList", complaint("", "OnAccountSuppressionList"), anymail.EventRejected, anymail.RejectSpam,
			simulator.Described("OnAccountSuppressionList")),
		tracking("Complaint not-spam", complaint("not-spam", nil), anymail.EventUnknown, "", simulator.Described("not-spam")),
		tracking("Reject", event("Reject", "reject", object{"reason": "Bad content"}), anymail.EventRejected, anymail.RejectBlocked, simulator.Described("Bad content")),
		tracking("Rendering Failure", event("Rendering Failure", "failure", object{
			"templateName": "welcome", "errorMessage": "Attribute 'name' is not present in the rendering data.",
		}), anymail.EventFailed, anymail.RejectOther, simulator.Described("Attribute 'name' is not present in the rendering data.")),
		tracking("Open", opened(""), anymail.EventOpened, "", visited, simulator.Visited(agent, "", anymail.Unsaid)),
		tracking("Open isBotEvent", opened("Likely"), anymail.EventOpened, "", visited, simulator.Visited(agent, "", anymail.Yes)),
		tracking("Click", click, anymail.EventClicked, "", visited, simulator.Visited(agent, link, anymail.No)),
		tracking("Subscription unsubscribeAll", subscription(true, "OptIn", "OptOut"), anymail.EventUnsubscribed, anymail.RejectUnsubscribed, simulator.Described("News")),
		tracking("Subscription OptIn", subscription(false, "OptOut", "OptIn"), anymail.EventSubscribed, "", simulator.Described("News")),
		tracking("Teleported", event("Teleported", "teleported", object{}), anymail.EventUnknown, "", simulator.Described("Teleported")),
		tracking("notification Bounce", older(bounce("Permanent", "NoEmail", "5.1.1", "smtp; 550 5.1.1 user unknown")), anymail.EventBounced, anymail.RejectInvalid,
			untagged, noEmail, unknown),
		tracking("notification Complaint", older(complaint("abuse", nil)), anymail.EventComplained, anymail.RejectSpam, untagged, simulator.Described("abuse")),
		tracking("notification Delivery", older(delivery), anymail.EventDelivered, "", untagged, accepted),
		tracking("EventBridge Email Delivered", envelope("Email Delivered", delivery), anymail.EventDelivered, "", accepted),
		tracking("EventBridge Advisor Recommendation Status Open", envelope("Advisor Recommendation Status Open", func(simulator.Params) object {
			return object{"version": "1.0.0", "data": object{"type": "SPF"}}
		}), anymail.EventUnknown, "", simulator.Described("Advisor Recommendation Status Open"), func(ev *anymail.TrackingEvent) {
			ev.MessageID, ev.Recipient, ev.Tags, ev.Metadata = "", "", nil, nil
		}),
		ping("topic validated", "Successfully validated SNS topic for Amazon SES event publishing."),
		ping("AmazonSnsSubscriptionSucceeded", `{"notificationType":"AmazonSnsSubscriptionSucceeded","message":"You have subscribed a topic."}`),
	}
	return append(samples, a.inbound(post)...)
}

// tracked returns the Events of a sample that is about a sent message.
func tracked(typ anymail.EventType, reason anymail.RejectReason, changes ...func(*anymail.TrackingEvent)) func(simulator.Params) []anymail.Event {
	return func(p simulator.Params) []anymail.Event {
		p.EventID = uuid(p)
		tagged := func(ev *anymail.TrackingEvent) { ev.Metadata["campaign"] = "autumn" }
		return p.Event(typ, reason, append([]func(*anymail.TrackingEvent){tagged}, changes...)...)
	}
}

// nothing returns the Events of what SNS posts on its own account.
func nothing(simulator.Params) []anymail.Event { return nil }

func accepted(ev *anymail.TrackingEvent) { ev.MTAResponse = "250 2.6.0 Message received" }

func visited(ev *anymail.TrackingEvent) { ev.IP = netip.MustParseAddr(address) }

func untagged(ev *anymail.TrackingEvent) { delete(ev.Metadata, "campaign") }

func types(list ...anymail.EventType) []anymail.EventType { return list }

// confirmation is never raw. Its signature has the default version of topics.
func (a *AWS) confirmation(typ string) simulator.Sample {
	return simulator.Sample{Name: typ, Endpoint: "tracking", Fetched: typ == sns.SubscriptionConfirmation, Events: nothing, Make: func(p simulator.Params) simulator.Request {
		token := fmt.Sprintf("%x", sha256.Sum256([]byte(p.EventID)))
		link := api(p) + "?Action=ConfirmSubscription&TopicArn=" + p.Topic + "&Token=" + token
		a.api.Put(link, "text/xml", []byte("<ConfirmSubscriptionResponse/>"))
		return snsRequest(p, "tracking", map[string]string{
			"Type": typ, "SignatureVersion": "1", "Token": token, "SubscribeURL": link,
			"Message": "You have chosen to change the subscription to the topic " + p.Topic + ".",
		})
	}}
}

// mail is the object in every record.
func mail(p simulator.Params, sent time.Time) object {
	return object{
		"timestamp": sent.Format(milliseconds), "messageId": p.MessageID, "source": "Shop <" + p.Sender + ">",
		"sourceArn":        "arn:aws:ses:eu-west-1:" + account + ":identity/" + p.Sender,
		"sendingAccountId": account, "destination": []string{p.Recipient}, "headersTruncated": false,
		"headers": []object{
			{"name": "From", "value": "Shop <" + p.Sender + ">"},
			{"name": "To", "value": p.Recipient},
			{"name": "Subject", "value": p.Subject},
			{"name": "X-Tag", "value": p.Tag},
			{"name": "X-Metadata", "value": string(simulator.MustJSON(p.Metadata))},
		},
		"commonHeaders": object{
			"from": []string{"Shop <" + p.Sender + ">"}, "to": []string{p.Recipient}, "messageId": p.MessageID, "subject": p.Subject,
		},
		"tags": object{
			"ses:configuration-set": []string{"shop"}, "ses:source-ip": []string{"192.0.2.7"}, "campaign": []string{"autumn"},
		},
	}
}

// event makes records whose object has constant fields.
func event(typ, name string, fields object) func(simulator.Params) object {
	return func(p simulator.Params) object {
		sent := p.Time
		if _, own := fields["timestamp"]; own {
			sent = sent.Add(-time.Minute) // not the time of the event
		}
		return object{"eventType": typ, "mail": mail(p, sent), name: fields}
	}
}

func delivery(p simulator.Params) object {
	return event("Delivery", "delivery", object{
		"timestamp": stamp(p), "processingTimeMillis": 2377, "recipients": []string{p.Recipient},
		"smtpResponse": "250 2.6.0 Message received", "reportingMTA": "a1.eu-west-1.amazonses.com", "remoteMtaIp": "192.0.2.25",
	})(p)
}

func delay(typ, status, diagnostic string) func(simulator.Params) object {
	return func(p simulator.Params) object {
		return event("DeliveryDelay", "deliveryDelay", object{
			"timestamp": stamp(p), "delayType": typ, "expirationTime": stamp(p), "reportingMTA": "a1.eu-west-1.amazonses.com",
			"delayedRecipients": []object{{"emailAddress": p.Recipient, "status": status, "diagnosticCode": "smtp; " + diagnostic}},
		})(p)
	}
}

func bounce(typ, sub, status, diagnostic string) func(simulator.Params) object {
	return func(p simulator.Params) object {
		recipient := object{"emailAddress": p.Recipient}
		if status != "" {
			recipient["action"], recipient["status"] = "failed", status
		}
		if diagnostic != "" {
			recipient["diagnosticCode"] = diagnostic
		}
		return event("Bounce", "bounce", object{
			"timestamp": stamp(p), "feedbackId": p.EventID + "-000000", "bounceType": typ, "bounceSubType": sub,
			"bouncedRecipients": []object{recipient}, "reportingMTA": "dns; a1.eu-west-1.amazonses.com",
		})(p)
	}
}

func twoBounces(p simulator.Params) object {
	record := bounce("Permanent", "General", "5.1.1", "smtp; 550 5.1.1 user unknown")(p)
	b := record["bounce"].(object)
	b["bouncedRecipients"] = append(b["bouncedRecipients"].([]object), object{"emailAddress": "second." + p.Recipient})
	return record
}

func complaint(feedback string, sub any) func(simulator.Params) object {
	return func(p simulator.Params) object {
		c := object{
			"timestamp": stamp(p), "feedbackId": p.EventID + "-000000", "complaintSubType": sub,
			"complainedRecipients": []object{{"emailAddress": p.Recipient}},
		}
		if feedback != "" {
			c["userAgent"], c["complaintFeedbackType"], c["arrivalDate"] = "ExampleFBL/1.0", feedback, stamp(p)
		}
		return event("Complaint", "complaint", c)(p)
	}
}

func opened(bot string) func(simulator.Params) object {
	return func(p simulator.Params) object {
		o := object{"timestamp": stamp(p), "userAgent": agent, "ipAddress": address}
		if bot != "" {
			o["isBotEvent"] = bot
		}
		return event("Open", "open", o)(p)
	}
}

func click(p simulator.Params) object {
	return event("Click", "click", object{
		"timestamp": stamp(p), "userAgent": agent, "ipAddress": address,
		"link": link, "linkTags": object{"position": []string{"top"}}, "isBotEvent": "Unlikely",
	})(p)
}

func subscription(all bool, before, now string) func(simulator.Params) object {
	preferences := func(all bool, status string) object {
		return object{"unsubscribeAll": all, "topicSubscriptionStatus": []object{{"topicName": "weekly", "subscriptionStatus": status}}}
	}
	return func(p simulator.Params) object {
		return event("Subscription", "subscription", object{
			"timestamp": stamp(p), "contactList": "News", "source": "UnsubscribeHeader",
			"newTopicPreferences": preferences(all, now), "oldTopicPreferences": preferences(false, before),
		})(p)
	}
}

// older turns an event into the notification of an identity, which has no tags,
// and has headers only if they are enabled.
func older(record func(simulator.Params) object) func(simulator.Params) object {
	return func(p simulator.Params) object {
		r := record(p)
		r["notificationType"] = r["eventType"]
		delete(r, "eventType")
		m := r["mail"].(object)
		delete(m, "tags")
		m["sourceIp"], m["callerIdentity"] = "192.0.2.7", "mailer"
		return r
	}
}

func envelope(detailType string, record func(simulator.Params) object) func(simulator.Params) object {
	return func(p simulator.Params) object {
		return object{
			"version": "0", "id": uuid(p), "detail-type": detailType, "source": "aws.ses", "account": account,
			"time": p.Time.Format("2006-01-02T15:04:05Z"), "region": "eu-west-1",
			"resources": []string{"arn:aws:ses:eu-west-1:" + account + ":configuration-set/shop"}, "detail": record(p),
		}
	}
}

// inbound has a sample for each kind of action of a receipt rule.
func (a *AWS) inbound(post post) []simulator.Sample {
	sample := func(name string, typ anymail.EventType, finish func(p simulator.Params, action, record object)) simulator.Sample {
		return simulator.Sample{Name: name, Endpoint: "inbound", Types: types(typ), Events: receivedEvents(typ, false), Make: func(p simulator.Params) simulator.Request {
			action := object{"topicArn": p.Topic}
			record := received(p)
			record["receipt"].(object)["action"] = action
			finish(p, action, record)
			return post(p, "inbound", string(simulator.MustJSON(record)))
		}}
	}
	content := func(name, encoding string, encode func([]byte) string) simulator.Sample {
		s := sample(name, anymail.EventInbound, func(p simulator.Params, action, record object) {
			action["type"], action["encoding"] = "SNS", encoding
			record["content"] = encode(p.MIME)
		})
		s.TakesMIME, s.Events = true, receivedEvents(anymail.EventInbound, true)
		return s
	}
	stored := func(name string, typ anymail.EventType, put bool) simulator.Sample {
		s := sample(name, typ, func(p simulator.Params, action, _ object) {
			key := "in/" + p.EventID
			action["type"], action["bucketName"], action["objectKeyPrefix"], action["objectKey"] = "S3", bucket, "in/", key
			if put {
				a.api.Put(objectURL(bucket, key), "message/rfc822", p.MIME)
			}
		})
		s.TakesMIME, s.Fetched, s.Events = put, true, receivedEvents(typ, put)
		return s
	}
	return []simulator.Sample{
		content("Received SNS base64", "BASE64", base64.StdEncoding.EncodeToString),
		content("Received SNS UTF-8", "UTF8", func(mime []byte) string { return string(mime) }),
		sample("Received Mail Manager headers", anymail.EventInbound, func(_ simulator.Params, action, _ object) {
			action["type"], action["encoding"], action["payloadType"] = "SNS", "UTF-8", "HEADERS"
		}),
		stored("Received S3", anymail.EventInbound, true),
		stored("Received S3, deleted", anymail.EventInboundFailed, false),
		sample("Received Lambda", anymail.EventInbound, func(_ simulator.Params, action, _ object) {
			action["type"], action["invocationType"] = "Lambda", "Event"
			action["functionArn"] = "arn:aws:lambda:eu-west-1:" + account + ":function:mail"
		}),
	}
}

const (
	help = "help@inbound.example.org"
	desk = "desk@inbound.example.org"
)

// receivedEvents returns the Events of a sample of a received message. Without the
// whole message there are only header fields.
func receivedEvents(typ anymail.EventType, whole bool) func(simulator.Params) []anymail.Event {
	return func(p simulator.Params) []anymail.Event {
		return p.Received(func(ev *anymail.InboundEvent) {
			ev.Type = typ
			m := &ev.Message
			if !whole {
				*m = anymail.InboundMessage{
					From: []anymail.Address{{Name: "Ada Lovelace", Address: p.Sender}}, To: []anymail.Address{{Name: "Help Desk", Address: help}},
					Subject: p.Subject, MessageID: p.EventID + "@example.com",
					Headers: anymail.Headers{
						{Name: "From", Value: "Ada Lovelace <" + p.Sender + ">"}, {Name: "To", Value: "Help Desk <" + help + ">"},
						{Name: "Subject", Value: p.Subject}, {Name: "Message-ID", Value: "<" + p.EventID + "@example.com>"},
					},
				}
			}
			m.EnvelopeSender, m.EnvelopeRecipient, m.EnvelopeRecipients = p.Sender, help, []string{help, desk}
			m.Authentication, m.SpamDetected = anymail.Authentication{SPF: "pass", DKIM: "none", DMARC: "fail"}, anymail.No
		})
	}
}

func received(p simulator.Params) object {
	status := func(s string) object { return object{"status": s} }
	return object{
		"notificationType": "Received",
		"mail": object{
			"timestamp": stamp(p), "source": p.Sender, "messageId": p.EventID, "destination": []string{help, desk}, "headersTruncated": false,
			"headers": []object{
				{"name": "From", "value": "Ada Lovelace <" + p.Sender + ">"},
				{"name": "To", "value": "Help Desk <" + help + ">"},
				{"name": "Subject", "value": p.Subject},
				{"name": "Message-ID", "value": "<" + p.EventID + "@example.com>"},
			},
			"commonHeaders": object{"from": []string{"Ada Lovelace <" + p.Sender + ">"}, "to": []string{"Help Desk <" + help + ">"}, "subject": p.Subject},
		},
		"receipt": object{
			"timestamp": p.Time.Add(time.Second).Format(milliseconds), "processingTimeMillis": 317, "recipients": []string{help, desk},
			"spamVerdict": status("PASS"), "virusVerdict": status("PASS"), "spfVerdict": status("PASS"),
			"dkimVerdict": status("GRAY"), "dmarcVerdict": status("FAIL"), "dmarcPolicy": "none",
		},
	}
}

const milliseconds = "2006-01-02T15:04:05.000Z"

func stamp(p simulator.Params) string { return p.Time.Format(milliseconds) }

func uuid(p simulator.Params) string {
	h := sha256.Sum256([]byte(p.EventID))
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
