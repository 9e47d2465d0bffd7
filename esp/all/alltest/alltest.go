// Package alltest lists the kits of all adapters, for tools and tests that
// want every ESP.
package alltest

import (
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/amazonses/amazonsestest"
	"github.com/goanymail/anymail/esp/brevo/brevotest"
	"github.com/goanymail/anymail/esp/mailersend/mailersendtest"
	"github.com/goanymail/anymail/esp/mailgun/mailguntest"
	"github.com/goanymail/anymail/esp/mailjet/mailjettest"
	"github.com/goanymail/anymail/esp/mailtrap/mailtraptest"
	"github.com/goanymail/anymail/esp/mandrill/mandrilltest"
	"github.com/goanymail/anymail/esp/postal/postaltest"
	"github.com/goanymail/anymail/esp/postmark/postmarktest"
	"github.com/goanymail/anymail/esp/resend/resendtest"
	"github.com/goanymail/anymail/esp/sendgrid/sendgridtest"
	"github.com/goanymail/anymail/esp/sparkpost/sparkposttest"
	"github.com/goanymail/anymail/esp/unisendergo/unisendergotest"
)

// Kits returns a new kit of every ESP, in alphabetical order.
func Kits() []*anymailtest.Kit {
	return []*anymailtest.Kit{
		amazonsestest.Kit(), brevotest.Kit(), mailersendtest.Kit(), mailguntest.Kit(), mailjettest.Kit(),
		mailtraptest.Kit(), mandrilltest.Kit(), postaltest.Kit(), postmarktest.Kit(), resendtest.Kit(),
		sendgridtest.Kit(), sparkposttest.Kit(), unisendergotest.Kit(),
	}
}

// Kit returns a new kit of the ESP with that canonical name, or nil.
func Kit(esp string) *anymailtest.Kit {
	for _, kit := range Kits() {
		if kit.ESP == esp {
			return kit
		}
	}
	return nil
}
