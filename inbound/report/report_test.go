package report_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/inbound/report"
)

// event is what the table says about an event. Every event has the ESP, a key and, in
// the standard form, the raw text.
type event struct {
	Type        anymail.EventType
	Recipient   string
	Reason      anymail.RejectReason
	Category    anymail.BounceCategory
	Code        int
	Enhanced    string
	Response    string
	Description string
	Time        string // if it is not the date of the report
}

// samples are the files in testdata. They are composed after what mail servers and
// providers send.
var samples = map[string]struct {
	kind     report.Kind
	form     report.Form
	original string // its id
	events   []event
}{
	"postfix-failed": {report.KindDelivery, report.FormStandard, "offer-1@news.example.com", []event{{
		Type: anymail.EventBounced, Recipient: "ada@example.net", Reason: anymail.RejectInvalid, Category: anymail.BounceHard,
		Code: 550, Enhanced: "5.1.1", Response: "550 5.1.1 <ada@example.net>: no such user here",
	}}},
	"postfix-delayed": {report.KindDelivery, report.FormStandard, "offer-2@news.example.com", []event{{
		Type: anymail.EventDeferred, Recipient: "bob@example.net", Category: anymail.BounceSoft, Enhanced: "4.4.1",
		Description: "connect to mail.example.net[192.0.2.25]:25: Connection timed out",
	}}},
	"postfix-expired": {report.KindDelivery, report.FormStandard, "offer-2@news.example.com", []event{{
		Type: anymail.EventBounced, Recipient: "bob@example.net", Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft, Enhanced: "4.4.1",
		Description: "connect to mail.example.net[192.0.2.25]:25: Connection refused",
	}}},
	"postfix-delivered": {report.KindDelivery, report.FormStandard, "env-3", []event{
		{Type: anymail.EventDelivered, Recipient: "ada@example.net", Response: "250 2.1.5 ok"},
		{Type: anymail.EventSent, Recipient: "bob@example.net", Response: "250 ok"},
		{Type: anymail.EventUnknown, Recipient: "team@example.net", Enhanced: "2.0.0"},
	}},
	"smtputf8": {report.KindDelivery, report.FormStandard, "offer-4@news.example.com", []event{
		{
			Type: anymail.EventBounced, Recipient: "jürgen@example.net", Reason: anymail.RejectBounced, Category: anymail.BounceHard,
			Code: 550, Enhanced: "5.2.1", Response: "550 5.2.1 mailbox disabled",
		},
		{
			Type: anymail.EventBounced, Recipient: "太郎@example.net", Reason: anymail.RejectInvalid, Category: anymail.BounceHard,
			Code: 550, Enhanced: "5.1.1", Response: "550 5.1.1 user unknown",
		},
	}},
	"exim-report": {report.KindDelivery, report.FormStandard, "offer-5@news.example.com", []event{{
		Type: anymail.EventBounced, Recipient: "ada@example.net", Reason: anymail.RejectBlocked, Category: anymail.BounceBlock,
		Code: 550, Enhanced: "5.7.1", Response: "550 5.7.1 Message refused, client host is on a blocklist",
	}}},
	"exim-plain": {report.KindDelivery, report.FormExim, "offer-6@news.example.com", []event{
		{
			Type: anymail.EventBounced, Recipient: "ada@example.net", Reason: anymail.RejectInvalid, Category: anymail.BounceHard, Code: 550,
			Response: "host mail.example.net [192.0.2.25] SMTP error from remote mail server after RCPT TO:<ada@example.net>: 550 no such user",
		},
		{
			Type: anymail.EventBounced, Recipient: "bob@example.net", Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined,
			Description: "all relevant MX records point to non-existent hosts",
		},
	}},
	"exim-warning": {report.KindDelivery, report.FormExim, "offer-7@news.example.com", []event{{
		Type: anymail.EventDeferred, Recipient: "ada@example.net", Category: anymail.BounceSoft, Code: 451, Enhanced: "4.7.1",
		Response: "Delay reason: SMTP error from remote mail server after RCPT TO:<ada@example.net>: 451 4.7.1 Greylisted, please try again later",
	}}},
	"sendmail": {report.KindDelivery, report.FormStandard, "offer-8@news.example.com", []event{
		{
			Type: anymail.EventBounced, Recipient: "ada@example.net", Reason: anymail.RejectInvalid, Category: anymail.BounceHard,
			Code: 550, Enhanced: "5.1.1", Response: "550 5.1.1 <ada@example.net>... User unknown", Time: "2026-02-05T09:59:58Z",
		},
		{
			Type: anymail.EventBounced, Recipient: "bob@example.net", Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft,
			Code: 421, Enhanced: "4.4.7", Response: "421 4.3.2 try later", Time: "2026-02-05T09:59:59Z",
		},
	}},
	"qmail": {report.KindDelivery, report.FormQmail, "offer-9@news.example.com", []event{
		{
			Type: anymail.EventBounced, Recipient: "ada@example.net", Reason: anymail.RejectInvalid, Category: anymail.BounceHard, Code: 550, Enhanced: "5.1.1",
			Response: "192.0.2.25 does not like recipient. Remote host said: 550 5.1.1 no mailbox of that name Giving up on 192.0.2.25.",
		},
		{
			Type: anymail.EventBounced, Recipient: "bob@example.net", Reason: anymail.RejectInvalid, Category: anymail.BounceHard, Enhanced: "5.1.2",
			Description: "I couldn't find any host named example.net. (#5.1.2)",
		},
	}},
	"yahoo": {report.KindDelivery, report.FormStandard, "offer-10@news.example.com", []event{{
		Type: anymail.EventBounced, Recipient: "ada@yahoo.example", Reason: anymail.RejectBounced, Category: anymail.BounceSoft,
		Code: 554, Enhanced: "5.0.0", Response: "554 delivery error: This mailbox is full, try another time",
	}}},
	"gmail": {report.KindDelivery, report.FormStandard, "offer-11@news.example.com", []event{{
		Type: anymail.EventBounced, Recipient: "ada@gmail.example", Reason: anymail.RejectInvalid, Category: anymail.BounceHard, Code: 550, Enhanced: "5.1.1",
		Response: "550-5.1.1 The account that you tried to reach does not exist. 550-5.1.1 Check the address for typing errors. " +
			"550 5.1.1 https://support.example/?p=NoSuchUser - gsmtp",
		Time: "2026-02-05T10:00:04Z",
	}}},
	"gmail-delay": {report.KindDelivery, report.FormStandard, "offer-12@news.example.com", []event{{
		Type: anymail.EventDeferred, Recipient: "ada@example.net", Category: anymail.BounceSoft, Enhanced: "4.4.1",
		Response: "The recipient server did not accept our requests to connect.", Time: "2026-02-06T10:00:01Z",
	}}},
	"m365-german": {report.KindDelivery, report.FormStandard, "offer-13@news.example.com", []event{{
		Type: anymail.EventBounced, Recipient: "ada@firma.example", Reason: anymail.RejectInvalid, Category: anymail.BounceHard, Code: 550, Enhanced: "5.1.10",
		Response: "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient ada@firma.example not found by SMTP address lookup",
	}}},
	"exchange-french": {report.KindDelivery, report.FormExchange, "offer-14@news.example.com", []event{{
		Type: anymail.EventBounced, Recipient: "ada@societe.example", Reason: anymail.RejectBounced, Category: anymail.BounceSoft, Code: 554, Enhanced: "5.2.2",
		Response: "mx.societe.example Remote Server returned '554 5.2.2 mailbox full; quota exceeded'",
	}}},
	"exchange-old": {report.KindDelivery, report.FormExchange, "", []event{{
		Type: anymail.EventBounced, Recipient: "ada@corp.example", Reason: anymail.RejectInvalid, Category: anymail.BounceHard, Code: 550, Enhanced: "5.1.1",
		Response: "The recipient name is not recognized The MTS-ID of the original message is: c=us;a= ;p=corp;l=MX1 " +
			"MSEXCH:IMS:Corp:SITE:MX1 3550 (000B09B6) 550 5.1.1 unknown recipient",
	}}},
	"outlook-com": {report.KindDelivery, report.FormStandard, "offer-16@news.example.com", []event{{
		Type: anymail.EventBounced, Recipient: "ada@outlook.example", Reason: anymail.RejectBounced, Category: anymail.BounceSoft, Code: 554, Enhanced: "5.2.2",
		Response: "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException",
	}}},
	"gmx-german": {report.KindDelivery, report.FormStandard, "offer-17@news.example.com", []event{{
		Type: anymail.EventBounced, Recipient: "ada@example.net", Reason: anymail.RejectBlocked, Category: anymail.BounceBlock, Code: 550, Enhanced: "5.7.1",
		Response: "550 5.7.1 Annahme der Nachricht verweigert",
	}}},
	"amazonses": {report.KindDelivery, report.FormStandard, "offer-18@news.example.com", []event{{
		Type: anymail.EventBounced, Recipient: "ada@example.net", Reason: anymail.RejectBounced, Category: anymail.BounceHard, Code: 550, Enhanced: "5.4.1",
		Response: "550 5.4.1 Recipient address rejected: Access denied. For more information see https://aka.example/EXOSmtpErrors",
	}}},
	"gateway": {report.KindDelivery, report.FormStandard, "offer-19@news.example.com", []event{{
		Type: anymail.EventBounced, Recipient: "ada@example.net", Reason: anymail.RejectBlocked, Category: anymail.BounceBlock, Code: 554, Enhanced: "5.7.0",
		Response: "554 Email rejected due to security policies",
	}}},
	"japanese": {report.KindDelivery, report.FormStandard, "offer-20@news.example.com", []event{{
		Type: anymail.EventBounced, Recipient: "taro@mobile.example.jp", Reason: anymail.RejectInvalid, Category: anymail.BounceHard, Code: 550, Enhanced: "5.0.0",
		Response: "550 Unknown user taro@mobile.example.jp",
	}}},
	"french-provider": {report.KindDelivery, report.FormStandard, "offer-21@news.example.com", []event{{
		Type: anymail.EventBounced, Recipient: "ada@fournisseur.example", Reason: anymail.RejectInvalid, Category: anymail.BounceHard, Code: 550, Enhanced: "5.1.1",
		Response: "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416",
	}}},
	"changed-type": {report.KindDelivery, report.FormStandard, "offer-22@news.example.com", []event{{
		Type: anymail.EventBounced, Recipient: "ada@example.net", Reason: anymail.RejectInvalid, Category: anymail.BounceHard, Enhanced: "5.1.2",
	}}},
	"unreadable-fields": {report.KindDelivery, report.FormStandard, "offer-23@news.example.com", []event{{Type: anymail.EventUnknown}}},
	"unknown-bounce":    {report.KindDelivery, report.FormUnknown, "offer-24@news.example.com", nil},

	"arf-yahoo": {report.KindFeedback, report.FormStandard, "offer-30@news.example.com", []event{
		{Type: anymail.EventComplained, Recipient: "ada@yahoo.example", Reason: anymail.RejectSpam, Description: "abuse"},
	}},
	"arf-several": {report.KindFeedback, report.FormStandard, "offer-31@news.example.com", []event{
		{Type: anymail.EventComplained, Recipient: "ada@isp.example", Reason: anymail.RejectSpam, Description: "abuse"},
		{Type: anymail.EventComplained, Recipient: "bob@isp.example", Reason: anymail.RejectSpam, Description: "abuse"},
	}},
	"arf-redacted": {report.KindFeedback, report.FormStandard, "offer-32@news.example.com", []event{
		{Type: anymail.EventComplained, Reason: anymail.RejectSpam, Description: "abuse"},
	}},
	"arf-no-recipient": {report.KindFeedback, report.FormStandard, "offer-33@news.example.com", []event{
		{Type: anymail.EventComplained, Recipient: "ada@isp.example", Reason: anymail.RejectSpam, Description: "fraud"},
	}},
	"arf-auth-failure": {report.KindFeedback, report.FormStandard, "offer-34@news.example.com", []event{
		{Type: anymail.EventUnknown, Recipient: "ada@isp.example", Description: "auth-failure"},
	}},
	"arf-opt-out": {report.KindFeedback, report.FormStandard, "offer-35@news.example.com", []event{
		{Type: anymail.EventUnsubscribed, Recipient: "ada@isp.example", Reason: anymail.RejectUnsubscribed, Description: "opt-out"},
	}},
	"jmrp": {report.KindFeedback, report.FormJMRP, "offer-36@news.example.com", []event{
		{Type: anymail.EventComplained, Recipient: "ada@hotmail.example", Reason: anymail.RejectSpam, Description: "abuse"},
	}},

	"autoreply-gmail": {report.KindAutoReply, "", "offer-40@news.example.com", []event{
		{Type: anymail.EventAutoresponded, Recipient: "ada@gmail.example", Description: "On holiday Re: Offer of the week"},
	}},
	"autoreply-m365-german": {report.KindAutoReply, "", "offer-41@news.example.com", []event{
		{Type: anymail.EventAutoresponded, Recipient: "ada@firma.example", Description: "Automatische Antwort: Offer of the week"},
	}},
	"autoreply-french": {report.KindAutoReply, "", "offer-42@news.example.com", []event{
		{Type: anymail.EventAutoresponded, Recipient: "ada@societe.example", Description: "Réponse automatique : Offer"},
	}},
	"autoreply-japanese": {report.KindAutoReply, "", "offer-43@news.example.com", []event{
		{Type: anymail.EventAutoresponded, Recipient: "taro@example.jp", Description: "自動返信：ご連絡ありがとうございます"},
	}},
	"autoreply-cpanel": {report.KindAutoReply, "", "offer-44@news.example.com", []event{
		{Type: anymail.EventAutoresponded, Recipient: "ada@example.net", Description: "Away"},
	}},
	"autoreply-rfc3834": {report.KindAutoReply, "", "offer-45@news.example.com", []event{
		{Type: anymail.EventAutoresponded, Recipient: "ada@example.net", Description: "Auto: Offer of the week"},
	}},

	"unsubscribe-subject": {report.KindUnsubscribe, "", "", []event{
		{Type: anymail.EventUnsubscribed, Recipient: "ada@example.net", Reason: anymail.RejectUnsubscribed},
	}},
	"unsubscribe-token": {report.KindUnsubscribe, "", "", []event{
		{Type: anymail.EventUnsubscribed, Recipient: "ada@example.net", Reason: anymail.RejectUnsubscribed},
	}},
	"unsubscribe-address": {report.KindUnsubscribe, "", "", []event{
		{Type: anymail.EventUnsubscribed, Recipient: "ada@example.net", Reason: anymail.RejectUnsubscribed},
	}},
	"unsubscribe-german": {report.KindUnsubscribe, "", "", []event{
		{Type: anymail.EventUnsubscribed, Recipient: "ada@example.net", Reason: anymail.RejectUnsubscribed},
	}},

	"disposition":          {kind: report.KindDisposition},
	"dmarc":                {kind: report.KindDMARC},
	"tls":                  {kind: report.KindTLS},
	"not-unsubscribe":      {},
	"not-autoreply":        {},
	"not-autoreply-notice": {},
	"not-bounce-forward":   {},
}

func TestSamples(t *testing.T) {
	files, err := filepath.Glob("testdata/*.eml")
	require.NoError(t, err)
	require.Len(t, files, len(samples), "every file has its row")

	keys := map[string]string{}
	for name, want := range samples {
		t.Run(name, func(t *testing.T) {
			in := receive(t, name)
			r := report.Read(&in.Message, anymail.Limits{})
			require.Equal(t, want.kind, r.Kind)
			require.Equal(t, want.form, formOf(&r))
			require.Equal(t, want.original, r.Original.ID())

			var got []event
			for _, ev := range r.Events(in) {
				require.Equal(t, "relay", ev.ESP)
				require.True(t, strings.HasPrefix(ev.Key, "relay/report:"), ev.Key)
				require.Empty(t, keys[ev.Key], "the key is that of an event of another sample")
				keys[ev.Key] = name
				require.Equal(t, want.original, ev.MessageID)
				require.Equal(t, want.form == report.FormStandard, len(ev.Raw) > 0)
				e := event{
					Type: ev.Type, Recipient: ev.Recipient, Reason: ev.RejectReason, Category: ev.Bounce.Category,
					Code: ev.Bounce.SMTPCode, Enhanced: ev.Bounce.EnhancedCode, Response: ev.MTAResponse, Description: ev.Description,
				}
				if !ev.Timestamp.Equal(in.Message.Date) {
					e.Time = ev.Timestamp.Format(time.RFC3339)
				}
				got = append(got, e)
			}
			require.Empty(t, cmp.Diff(want.events, got, cmpopts.EquateEmpty()))
		})
	}
}

// receive returns a sample as the adapter for mail servers does.
func receive(t testing.TB, name string) *anymail.InboundEvent {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".eml"))
	require.NoError(t, err)
	in := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound}, Message: rawmime.Parse(raw, anymail.Limits{})}
	anymail.Normalize(in, "relay")
	return in
}

func formOf(r *report.Report) report.Form {
	switch {
	case r.Delivery != nil:
		return r.Delivery.Form
	case r.Feedback != nil:
		return r.Feedback.Form
	}
	return ""
}
