package all_test

import (
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/espdoc"
)

// What docs/esps/README.md says of bounces is what becomes of them.
func TestBouncesPage(t *testing.T) {
	for words, code := range map[string]string{
		"5.1.1": "5.1.1", "5.1.2": "5.1.2", "5.1.3": "5.1.3", "5.1.6": "5.1.6", "5.1.10": "5.1.10", "user unknown": "",
		"4.2.2": "4.2.2", "5.2.2": "5.2.2", "5.2.3": "5.2.3", "5.3.4": "5.3.4", "4.4.7": "4.4.7", "5.4.7": "5.4.7", `5.7.\*`: "5.7.26",
	} {
		ev := &anymail.TrackingEvent{
			Common: anymail.Common{Type: anymail.EventBounced}, RejectReason: anymail.RejectBounced,
			MTAResponse: "550 User unknown", Bounce: anymail.Bounce{EnhancedCode: code},
		}
		anymail.Normalize(ev, "example")
		espdoc.Row(t, "README", words, ev)
	}
}
