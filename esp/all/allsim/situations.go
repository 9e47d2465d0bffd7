package allsim

import (
	"fmt"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/simulator"
)

// Situation is something that happens to messages at every ESP, whatever the
// ESP calls it.
type Situation struct {
	Name string
	// Meaning is that of its events. It leaves Automated out if only some
	// ESPs report it.
	Meaning Meaning
	// Samples are the simulators' samples of it: the ESP's canonical name, a
	// slash and the sample's name.
	Samples []string
	// Except gives the reason if a sample has another meaning.
	Except map[string]string
}

// Meaning holds the fields of an event that do not depend on the message.
type Meaning struct {
	Type      anymail.EventType
	Reason    anymail.RejectReason
	Category  anymail.BounceCategory
	Automated anymail.Tri
}

// String returns the fields that are set.
func (m Meaning) String() string {
	words := []string{string(m.Type)}
	for _, word := range []string{string(m.Reason), string(m.Category)} {
		if word != "" {
			words = append(words, word)
		}
	}
	switch m.Automated {
	case anymail.Yes:
		words = append(words, "automated")
	case anymail.No:
		words = append(words, "not automated")
	}
	return strings.Join(words, ", ")
}

// Like reports whether m equals other. It ignores Automated if other leaves it
// out.
func (m Meaning) Like(other Meaning) bool {
	if other.Automated == anymail.Unsaid {
		m.Automated = anymail.Unsaid
	}
	return m == other
}

// Meanings passes a simulator's samples to its adapter. It returns the meaning of
// each sample's first event, by the sample's name.
func Meanings(sim *simulator.Simulator) (map[string]Meaning, error) {
	adapter, _, err := sim.NewAccount()
	if err != nil {
		return nil, err
	}
	meanings := map[string]Meaning{}
	for _, sample := range sim.Samples {
		if len(sample.Types) == 0 {
			continue // a ping, which does not get to the parser
		}
		events, err := simulator.Parse(adapter, sample.Make(simulator.NewParams()))
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", sim.ESP, sample.Name, err)
		}
		m := Meaning{Type: events[0].Base().Type}
		if ev, ok := events[0].(*anymail.TrackingEvent); ok {
			m.Reason, m.Category, m.Automated = ev.RejectReason, ev.Bounce.Category, ev.Automated
		}
		meanings[sample.Name] = m
	}
	return meanings, nil
}

// Situations returns the situations that ESPs report, from a message's first step
// to its last.
func Situations() []Situation {
	is := func(typ anymail.EventType, reason anymail.RejectReason, category anymail.BounceCategory) Meaning {
		return Meaning{Type: typ, Reason: reason, Category: category}
	}
	return []Situation{
		{
			Name:    "The ESP took the message",
			Meaning: is(anymail.EventQueued, "", ""),
			Samples: []string{
				"brevo/request", "mailgun/accepted", "postal/MessageHeld", "resend/email.scheduled", "sendgrid/processed", "sparkpost/injection",
				"unisendergo/accepted",
			},
		}, {
			Name:    "The ESP sent it on",
			Meaning: is(anymail.EventSent, "", ""),
			Samples: []string{
				"amazonses/Send", "brevo/sent", "mailersend/activity.sent", "mandrill/send", "resend/email.sent", "unisendergo/sent-ok_sent",
			},
		}, {
			Name:    "The receiving server took it",
			Meaning: is(anymail.EventDelivered, "", ""),
			Samples: []string{
				"amazonses/Delivery", "brevo/delivered", "mailersend/activity.delivered", "mailgun/delivered", "mailjet/sent", "mailtrap/delivery",
				"mandrill/delivered", "postal/MessageSent", "postmark/Delivery", "resend/email.delivered", "sendgrid/delivered", "sparkpost/delivery",
				"unisendergo/delivered-ok_delivered",
			},
		}, {
			Name:    "Delayed: the ESP goes on trying",
			Meaning: is(anymail.EventDeferred, "", anymail.BounceSoft),
			Samples: []string{
				"amazonses/DeliveryDelay", "brevo/deferred", "mailersend/activity.deferred", "mailgun/failed-greylisted", "mailjet/bounce-greylisted",
				"mailtrap/soft bounce-greylisting", "mandrill/deferral", "postal/MessageDelayed", "postmark/Transient",
				"resend/email.delivery_delayed", "sendgrid/deferred", "sparkpost/delay", "unisendergo/soft_bounced-err_will_retry",
			},
		}, {
			Name:    "Delayed, since taken for spam",
			Meaning: is(anymail.EventDeferred, "", anymail.BounceBlock),
			Samples: []string{"amazonses/DeliveryDelay SpamDetected"},
		}, {
			Name:    "The receiving server says that there is no such mailbox",
			Meaning: is(anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard),
			Samples: []string{
				"amazonses/Bounce Permanent NoEmail", "brevo/hard_bounce-invalid", "mailersend/activity.hard_bounced-invalid", "mailgun/failed-bounce",
				"mailjet/bounce-user-unknown", "mailtrap/bounce-badrecipient", "mandrill/hard_bounce-bad_mailbox",
				"postal/MessageDeliveryFailed-unknown", "postmark/HardBounce", "resend/email.bounced-invalid", "sendgrid/bounce-bounce-invalid",
				"sparkpost/bounce-10", "unisendergo/hard_bounced-err_user_unknown",
			},
		}, {
			Name:    "Refused for good, for no known reason",
			Meaning: is(anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard),
			Samples: []string{
				"brevo/hard_bounce", "mailersend/activity.hard_bounced", "mailjet/bounce-mailbox-inactive", "mandrill/hard_bounce-general",
				"postal/MessageDeliveryFailed", "resend/email.bounced-hard", "sendgrid/bounce-late", "sparkpost/out_of_band", "unisendergo/hard_bounced",
			},
		}, {
			Name:    "Refused, for good or not: the ESP cannot tell",
			Meaning: is(anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined),
			Samples: []string{
				"amazonses/Bounce Undetermined Undetermined", "mailgun/failed-generic", "mailtrap/bounce-other", "postal/MessageBounced",
				"resend/email.bounced-undetermined", "sparkpost/bounce-1", "unisendergo/hard_bounced-err_delivery_failed",
			},
		}, {
			Name:    "Mailbox full",
			Meaning: is(anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft),
			Samples: []string{
				"amazonses/Bounce Transient MailboxFull", "mailersend/activity.soft_bounced", "mailgun/failed-bounce-full", "mailjet/bounce-quota-exceeded",
				"mailtrap/bounce-overquota", "mandrill/soft_bounce-mailbox_full", "postal/MessageDeliveryFailed-full", "postmark/SoftBounce",
				"resend/email.bounced-full", "sendgrid/bounce-bounce-bounced", "sparkpost/bounce-22", "unisendergo/hard_bounced-err_mailbox_full",
			},
		}, {
			Name:    "Message too large",
			Meaning: is(anymail.EventBounced, anymail.RejectOther, anymail.BounceSoft),
			Samples: []string{
				"amazonses/Bounce Transient MessageTooLarge", "mandrill/soft_bounce-too_large", "resend/email.bounced-large", "sparkpost/bounce-23",
				"unisendergo/hard_bounced-err_too_large",
			},
		}, {
			Name:    "Given up after retries",
			Meaning: is(anymail.EventBounced, anymail.RejectTimedOut, anymail.BounceSoft),
			Samples: []string{
				"amazonses/Bounce Transient CustomTimeoutExceeded", "mailgun/failed-old", "mailtrap/bounce-timeout", "mandrill/soft_bounce-timeout",
				"postal/MessageDeliveryFailed-attempts", "sendgrid/bounce-expired-timed_out", "sparkpost/bounce-24", "unisendergo/hard_bounced-err_giveup",
			},
		}, {
			Name:    "Refused by reputation or policy",
			Meaning: is(anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock),
			Samples: []string{
				"amazonses/Bounce Permanent General", "mailersend/activity.hard_bounced-policy", "mailgun/failed-espblock", "mailjet/bounce-sender-blocked",
				"mailtrap/bounce-serverpolicy", "mandrill/soft_bounce-mail_block", "postal/MessageDeliveryFailed-policy", "postmark/Blocked",
				"resend/email.bounced-policy", "sendgrid/bounce-blocked-blocked", "sparkpost/bounce-50", "unisendergo/hard_bounced-err_blacklisted",
			},
		}, {
			Name:    "Attachment refused, or taken for a virus",
			Meaning: is(anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock),
			Samples: []string{
				"amazonses/Bounce Transient AttachmentRejected", "postmark/VirusNotification", "resend/email.bounced-attachment", "sparkpost/bounce-53",
			},
		}, {
			Name:    "The receiving server takes the content for spam",
			Meaning: is(anymail.EventBounced, anymail.RejectSpam, anymail.BounceBlock),
			Samples: []string{
				"amazonses/Bounce Transient ContentRejected", "mailtrap/bounce-spam", "mandrill/soft_bounce-spam_detected", "postmark/SpamNotification",
				"resend/email.bounced-spam", "sendgrid/bounce-bounce-spam", "sparkpost/bounce-52", "unisendergo/hard_bounced-err_spam_rejected",
			},
		}, {
			Name:    "Not sent: the address bounced before",
			Meaning: is(anymail.EventRejected, anymail.RejectBounced, ""),
			Samples: []string{
				"amazonses/Bounce Permanent Suppressed", "mailersend/activity.suppressed-bounced", "mailgun/failed-suppress-bounce",
				"mailjet/blocked-preblocked", "mailtrap/reject-hard bounce", "mandrill/reject-hard-bounce", "postal/MessageHeld-bounced", "resend/email.bounced-suppressed",
				"sendgrid/dropped-bounced", "unisendergo/hard_bounced-err_unreachable",
			},
		}, {
			Name:    "Not sent: the recipient complained before",
			Meaning: is(anymail.EventRejected, anymail.RejectSpam, ""),
			Samples: []string{
				"amazonses/Complaint OnAccountSuppressionList", "brevo/blocked-spam", "mailersend/activity.suppressed-spam", "mailgun/failed-suppress-complaint",
				"mailjet/blocked-spam-reporter", "mailtrap/reject-spam complaint", "mandrill/reject-spam", "sendgrid/dropped-spam",
			},
		}, {
			Name:    "Not sent: the recipient unsubscribed before",
			Meaning: is(anymail.EventRejected, anymail.RejectUnsubscribed, ""),
			Samples: []string{
				"amazonses/Bounce Permanent UnsubscribedRecipient", "brevo/blocked-unsubscribed", "mailersend/activity.suppressed-unsubscribed",
				"mailgun/failed-suppress-unsubscribe", "mailtrap/reject-unsubscription", "mandrill/reject-unsub", "sendgrid/dropped-unsubscribed",
				"unisendergo/hard_bounced-err_unsubscribed",
			},
		}, {
			Name:    "Not sent: the address is on a list, and the ESP does not say why",
			Meaning: is(anymail.EventRejected, anymail.RejectBlocked, ""),
			Samples: []string{
				"amazonses/Bounce Permanent OnAccountSuppressionList", "brevo/blocked", "mailersend/activity.suppressed", "mailtrap/reject-manual import", "mandrill/reject-custom", "postal/MessageHeld-suppressed", "postmark/ManuallyDeactivated",
				"resend/email.suppressed", "sparkpost/policy_rejection",
			},
		}, {
			Name:    "Not sent: the address cannot be one",
			Meaning: is(anymail.EventRejected, anymail.RejectInvalid, ""),
			Samples: []string{
				"amazonses/Bounce Permanent EmailValidationSuppressed", "brevo/invalid_email", "mailjet/blocked-invalid-domain", "mandrill/reject-invalid",
				"postal/MessageDeliveryFailed-recipient", "postmark/BadEmailAddress", "resend/email.failed-recipient", "sendgrid/dropped-invalid",
			},
			Except: map[string]string{"brevo/invalid_email": "Brevo does not say which of the two found the address invalid."},
		}, {
			Name:    "Not sent: the ESP takes the content for spam",
			Meaning: is(anymail.EventRejected, anymail.RejectBlocked, ""),
			Samples: []string{"postal/MessageDeliveryFailed-spam", "sendgrid/dropped-spam-content", "unisendergo/hard_bounced-err_spam_skipped"},
		}, {
			Name:    "Not sent: by the ESP's own policy, or for a virus",
			Meaning: is(anymail.EventRejected, anymail.RejectBlocked, ""),
			Samples: []string{"amazonses/Reject", "sparkpost/bounce-25", "sparkpost/generation_rejection"},
		}, {
			Name:    "Not sent for another reason, or one that is not told",
			Meaning: is(anymail.EventRejected, anymail.RejectOther, ""),
			Samples: []string{"mailgun/rejected", "mailjet/blocked-duplicate-in-campaign", "mandrill/reject", "sendgrid/dropped-other"},
		}, {
			Name:    "Template error",
			Meaning: is(anymail.EventFailed, anymail.RejectOther, ""),
			Samples: []string{
				"amazonses/Rendering Failure", "brevo/error", "mailjet/blocked-error-in-template-language", "postmark/TemplateRenderingFailed",
				"sparkpost/generation_failure",
			},
		}, {
			Name:    "The ESP could not send for another reason",
			Meaning: is(anymail.EventFailed, anymail.RejectOther, ""),
			Samples: []string{"postal/MessageDeliveryFailed-domain", "resend/email.failed", "unisendergo/hard_bounced-err_lost"},
		}, {
			Name:    "Opened",
			Meaning: is(anymail.EventOpened, "", ""),
			Samples: []string{
				"amazonses/Open", "brevo/opened", "mailersend/activity.opened", "mailgun/opened", "mailjet/open", "mailtrap/open", "mandrill/open",
				"postal/MessageLoaded", "postmark/Open", "resend/email.opened", "sendgrid/open", "sparkpost/open", "unisendergo/opened-ok_read",
			},
		}, {
			Name:    "Opened by a bot, proxy or prefetch",
			Meaning: Meaning{Type: anymail.EventOpened, Automated: anymail.Yes},
			Samples: []string{"amazonses/Open isBotEvent", "brevo/proxy_open", "mailgun/opened-by-bot", "sendgrid/open-machine", "sparkpost/open-prefetched"},
		}, {
			Name:    "A link was followed",
			Meaning: is(anymail.EventClicked, "", ""),
			Samples: []string{
				"amazonses/Click", "brevo/click", "mailersend/activity.clicked", "mailgun/clicked", "mailjet/click", "mailtrap/click", "mandrill/click",
				"postal/MessageLinkClicked", "postmark/Click", "resend/email.clicked", "sendgrid/click", "sparkpost/click",
				"unisendergo/clicked-ok_link_visited",
			},
		}, {
			Name:    "Reported as spam by the recipient",
			Meaning: is(anymail.EventComplained, anymail.RejectSpam, ""),
			Samples: []string{
				"amazonses/Complaint", "brevo/spam", "mailersend/activity.spam_complaint", "mailgun/complained", "mailjet/spam", "mailtrap/spam",
				"mandrill/spam", "postmark/SpamComplaint", "resend/email.complained", "sendgrid/spamreport", "sparkpost/spam_complaint",
				"unisendergo/spam-ok_fbl",
			},
		}, {
			Name:    "Unsubscribed, by a link, List-Unsubscribe or the ESP's page",
			Meaning: is(anymail.EventUnsubscribed, anymail.RejectUnsubscribed, ""),
			Samples: []string{
				"amazonses/Subscription unsubscribeAll", "brevo/unsubscribed", "mailersend/activity.unsubscribed", "mailgun/unsubscribed", "mailjet/unsub",
				"mailtrap/unsubscribe", "mandrill/unsub", "postmark/SubscriptionChange-suppress", "sendgrid/unsubscribe", "sendgrid/group_unsubscribe",
				"sparkpost/list_unsubscribe", "sparkpost/link_unsubscribe", "unisendergo/unsubscribed-ok_unsubscribed",
			},
		}, {
			Name:    "Subscribed, or subscribed again",
			Meaning: is(anymail.EventSubscribed, "", ""),
			Samples: []string{
				"amazonses/Subscription OptIn", "brevo/marketing-list_addition", "postmark/SubscriptionChange-reactivate", "sendgrid/group_resubscribe",
				"sparkpost/bounce-80", "unisendergo/subscribed-ok_resubscribed",
			},
		}, {
			Name:    "Vacation reply",
			Meaning: is(anymail.EventAutoresponded, "", ""),
			Samples: []string{"mandrill/soft_bounce-auto_reply", "postmark/AutoResponder", "sparkpost/bounce-60"},
		}, {
			Name:    "A message was received",
			Meaning: is(anymail.EventInbound, "", ""),
			Samples: []string{
				"amazonses/Received SNS UTF-8", "brevo/inboundEmailProcessed", "mailersend/inbound.message", "mailgun/route-forward", "mailjet/parse",
				"mailtrap/inbound.message_received", "mandrill/inbound", "postal/inbound-raw-json", "postmark/Inbound", "resend/email.received",
				"sendgrid/inbound-parsed", "sparkpost/relay_message",
			},
		}, {
			Name:    "A message was received, but cannot be had",
			Meaning: is(anymail.EventInboundFailed, "", ""),
			Samples: []string{
				"amazonses/Received S3, deleted", "mailersend/inbound_message.rejected", "mailtrap/inbound.message_received-deleted",
				"postmark/InboundError", "resend/email.received-gone",
			},
		},
	}
}
