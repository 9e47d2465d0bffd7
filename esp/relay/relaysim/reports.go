package relaysim

import (
	"net/http"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/relay"
	"github.com/goanymail/anymail/simulator"
)

// report is mail that reports something about the message of the parameters: it comes
// to the sender of that message, without an envelope sender of its own.
func report(name string, message func(simulator.Params) string) simulator.Sample {
	made := func(p simulator.Params) simulator.Params {
		p.EventID = ""
		p.SetMIME([]byte("Received: from mx.example.net by mx.example.org; " + p.Time.Format(time.RFC1123Z) + "\nDate: " + p.Time.Format(time.RFC1123Z) + "\n" + message(p)))
		return p
	}
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound},
		Events: func(p simulator.Params) []anymail.Event {
			return made(p).Received(simulator.Envelope("", p.Sender))
		},
		Make: func(p simulator.Params) simulator.Request {
			return simulator.Request{Endpoint: "inbound", Body: made(p).MIME, Header: http.Header{
				"Content-Type": {"message/rfc822"}, relay.HeaderFrom: {"<>"}, relay.HeaderTo: {"<" + p.Sender + ">"},
			}}
		},
	}
}

// fill puts the values of the parameters into a message.
func fill(p simulator.Params, message string) string {
	return strings.NewReplacer("{recipient}", p.Recipient, "{sender}", p.Sender, "{subject}", p.Subject,
		"{id}", p.MessageID, "{report}", p.EventID).Replace(message)
}

// dsn is what Postfix sends (RFC 3464).
func dsn(p simulator.Params) string {
	return fill(p, `From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {sender}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="next/mx.example.net"
Message-Id: <{report}@mx.example.net>

--next/mx.example.net
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

<{recipient}>: host mail.example.com[192.0.2.25] said: 550 5.1.1 no such user

--next/mx.example.net
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; {recipient}
Original-Recipient: rfc822;{recipient}
Action: failed
Status: 5.1.1
Remote-MTA: dns; mail.example.com
Diagnostic-Code: smtp; 550 5.1.1 no such user

--next/mx.example.net
Content-Type: text/rfc822-headers

Return-Path: <{sender}>
From: {sender}
To: {recipient}
Subject: {subject}
Message-ID: <{id}>

--next/mx.example.net--
`)
}

// arf is what feedback loops send (RFC 5965).
func arf(p simulator.Params) string {
	return fill(p, `From: <feedback@provider.example>
Subject: Complaint
To: {sender}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=next
Message-ID: <{report}@provider.example>

--next
Content-Type: text/plain; charset=us-ascii

This is an abuse report for a message that was received on our network.

--next
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: provider.example/1.0
Version: 1
Original-Mail-From: <{sender}>
Original-Rcpt-To: <{recipient}>

--next
Content-Type: message/rfc822

Return-Path: <{sender}>
From: {sender}
To: {recipient}
Subject: {subject}
Message-ID: <{id}>

Hello

--next--
`)
}

// autoreply is a vacation notice (RFC 3834).
func autoreply(p simulator.Params) string {
	return fill(p, `From: {recipient}
To: {sender}
Subject: Auto: {subject}
Auto-Submitted: auto-replied
In-Reply-To: <{id}>
References: <{id}>
Message-ID: <{report}@mx.example.net>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

I am away until Monday.
`)
}

// unsubscribe is what a mail program sends to the address of List-Unsubscribe (RFC 2369).
func unsubscribe(p simulator.Params) string {
	return fill(p, `From: {recipient}
To: {sender}
Subject: unsubscribe
Message-ID: <{report}@mx.example.net>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

`)
}
