// Package allsim lists the simulators of all ESPs, and the situations that ESPs
// report in common.
package allsim

import (
	"github.com/goanymail/anymail/esp/amazonses/amazonsessim"
	"github.com/goanymail/anymail/esp/brevo/brevosim"
	"github.com/goanymail/anymail/esp/mailersend/mailersendsim"
	"github.com/goanymail/anymail/esp/mailgun/mailgunsim"
	"github.com/goanymail/anymail/esp/mailjet/mailjetsim"
	"github.com/goanymail/anymail/esp/mailtrap/mailtrapsim"
	"github.com/goanymail/anymail/esp/mandrill/mandrillsim"
	"github.com/goanymail/anymail/esp/postal/postalsim"
	"github.com/goanymail/anymail/esp/postmark/postmarksim"
	"github.com/goanymail/anymail/esp/resend/resendsim"
	"github.com/goanymail/anymail/esp/sendgrid/sendgridsim"
	"github.com/goanymail/anymail/esp/sparkpost/sparkpostsim"
	"github.com/goanymail/anymail/esp/unisendergo/unisendergosim"
	"github.com/goanymail/anymail/simulator"
)

// List returns a new simulator of every ESP, in alphabetical order.
func List() []*simulator.Simulator {
	return []*simulator.Simulator{
		amazonsessim.New(), brevosim.New(), mailersendsim.New(), mailgunsim.New(), mailjetsim.New(),
		mailtrapsim.New(), mandrillsim.New(), postalsim.New(), postmarksim.New(), resendsim.New(),
		sendgridsim.New(), sparkpostsim.New(), unisendergosim.New(),
	}
}

// Find returns a new simulator of the ESP with that canonical name. It returns
// nil if there is none.
func Find(esp string) *simulator.Simulator {
	for _, sim := range List() {
		if sim.ESP == esp {
			return sim
		}
	}
	return nil
}
