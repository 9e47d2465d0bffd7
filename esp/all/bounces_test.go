package all_test

import (
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/espdoc"
)

// What docs/esps/README.md says of bounces is what becomes of them.
func TestBouncesPage(t *testing.T) {
	for _, tt := range []struct{ words, code, answer string }{
		{"5.1.1", "5.1.1", ""}, {"5.1.2", "5.1.2", ""}, {"5.1.3", "5.1.3", ""}, {"5.1.6", "5.1.6", ""}, {"5.1.10", "5.1.10", ""},
		{"user unknown", "", "550 User unknown"},
		{"account disabled", "5.7.1", "550 5.7.1 Account disabled"},
		{"mailbox full", "", "550 Mailbox full"},
		{"message too large", "", "550 Message too large"},
		{"message expired", "", "550 Message expired"},
		{"blocked using", "", "550 Client host [192.0.2.7] blocked using a list"},
		{"4.2.2", "4.2.2", ""}, {"5.2.2", "5.2.2", "552 user unknown"},
		{"5.2.3", "5.2.3", ""}, {"5.3.4", "5.3.4", ""},
		{"4.4.7", "4.4.7", ""}, {"5.4.7", "5.4.7", "554 user unknown"},
		{`5.7.\*`, "5.7.26", "550 rejected"},
	} {
		words := tt.words
		ev := &anymail.TrackingEvent{
			Common: anymail.Common{Type: anymail.EventBounced}, RejectReason: anymail.RejectBounced,
			MTAResponse: tt.answer, Bounce: anymail.Bounce{EnhancedCode: tt.code},
		}
		anymail.Normalize(ev, "example")
		espdoc.Row(t, "README", words, ev)
	}
}
