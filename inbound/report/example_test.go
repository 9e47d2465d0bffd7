package report_test

import (
	"fmt"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/inbound/report"
)

func ExampleRead() {
	m := rawmime.Parse([]byte(`From: MAILER-DAEMON@mx.example.org
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary=next

--next
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; ada@example.net
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 user unknown
--next
Content-Type: text/rfc822-headers

Message-ID: <welcome-1@example.com>
--next--
`), anymail.Limits{})
	in := &anymail.InboundEvent{Common: anymail.Common{ESP: "relay"}, Message: m}

	r := report.Read(&in.Message, anymail.Limits{})
	fmt.Println(r.Kind, "from", r.Delivery.ReportingMTA)
	for _, ev := range r.Events(in) {
		fmt.Println(ev.Type, ev.RejectReason, ev.Recipient, ev.MessageID)
	}
	// Output:
	// delivery from mx.example.org
	// bounced invalid ada@example.net welcome-1@example.com
}
