package report_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/report"
)

func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"postfix-failed", "arf-yahoo", "autoreply-gmail", "qmail", "not-unsubscribe"} {
		in := receive(b, name)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := report.Read(&in.Message, anymail.Limits{})
				r.Events(in)
			}
		})
	}
	b.Run("1000 recipients", func(b *testing.B) {
		var status strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&status, "Final-Recipient: rfc822; a%d@example.net\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 user unknown\n\n", i)
		}
		in := receive(b, "postfix-failed")
		in.Message.Attachments = []anymail.Attachment{{ContentType: "message/delivery-status", Content: []byte(status.String())}}
		b.ReportAllocs()
		for b.Loop() {
			r := report.Read(&in.Message, anymail.Limits{})
			r.Events(in)
		}
	})
}
