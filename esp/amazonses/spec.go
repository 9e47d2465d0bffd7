package amazonses

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Amazon SES: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Amazon SES",
		Signature: "SNS certificate",
		Confirmed: true,
		Settings: []esp.Setting{
			{Name: "topic_arns", Kind: esp.KindList, Help: "SNS topics to accept messages from"},
			{Name: "require_sha256", Kind: esp.KindBool, Help: "refuse signature version 1"},
			{Name: "accept_unsigned", Kind: esp.KindBool, Help: "accept raw message delivery, which has the shared secret only"},
			{Name: "insecure_test_certificates", Kind: esp.KindList, Help: "certificates in PEM that sign messages for tests; never in production"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{
				TopicARNs: v.List("topic_arns"), RequireSHA256: v.Bool("require_sha256"), AcceptUnsigned: v.Bool("accept_unsigned"),
				InsecureTestCertificates: v.List("insecure_test_certificates"), Client: v.Client, Logger: v.Logger,
			})
		},
		Patience: patience,
		// https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
		Retries: "SNS retries after a 5xx or no answer: by default three times within a minute, with a delivery policy for up to an hour. " +
			"Any 4xx is final.",
	}
}

// patience is how long the ESP waits for an answer.
//
// Source:
// SNS: https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.prepare.html
const patience = 15 * time.Second
