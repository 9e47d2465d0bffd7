// Package all lists the ESPs, for programs that are configured and not written.
// A program that is written imports the ESP packages that it needs.
package all

import (
	"slices"
	"strings"

	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/esp/amazonses"
	"github.com/goanymail/anymail/esp/brevo"
	"github.com/goanymail/anymail/esp/mailersend"
	"github.com/goanymail/anymail/esp/mailgun"
	"github.com/goanymail/anymail/esp/mailjet"
	"github.com/goanymail/anymail/esp/mailtrap"
	"github.com/goanymail/anymail/esp/mandrill"
	"github.com/goanymail/anymail/esp/postal"
	"github.com/goanymail/anymail/esp/postmark"
	"github.com/goanymail/anymail/esp/resend"
	"github.com/goanymail/anymail/esp/sendgrid"
	"github.com/goanymail/anymail/esp/sparkpost"
	"github.com/goanymail/anymail/esp/unisendergo"
)

// Specs returns the Specs of all ESPs, in alphabetical order of their names.
func Specs() []esp.Spec {
	return []esp.Spec{
		amazonses.Spec(),
		brevo.Spec(),
		mailersend.Spec(),
		mailgun.Spec(),
		mailjet.Spec(),
		mailtrap.Spec(),
		mandrill.Spec(),
		postal.Spec(),
		postmark.Spec(),
		resend.Spec(),
		sendgrid.Spec(),
		sparkpost.Spec(),
		unisendergo.Spec(),
	}
}

// Find returns the Spec of the ESP with that canonical name, and whether there
// is one. A name may be spelled with underscores: "amazon_ses".
func Find(name string) (esp.Spec, bool) {
	name = strings.ReplaceAll(name, "_", "")
	specs := Specs()
	i := slices.IndexFunc(specs, func(s esp.Spec) bool { return s.Name == name })
	if i < 0 {
		return esp.Spec{}, false
	}
	return specs[i], true
}
