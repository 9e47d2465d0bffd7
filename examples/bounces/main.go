// Command bounces sends a message and prints what bounces of it come back by mail. The
// mail server pipes mail for bounce+...@in.test to "anymail relay" (docs/esps/relay.md):
//
//	KEY=some-key-of-16-bytes go run ./examples/bounces 127.0.0.1:25 nobody.here@local.test
package main

import (
	"context"
	"fmt"
	"log"
	"net/smtp"
	"os"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/relay"
	"github.com/goanymail/anymail/inbound/report"
	"github.com/goanymail/anymail/mailtoken"
	"github.com/goanymail/anymail/server"
)

func main() {
	key, mailServer, to := anymail.Keys(os.Getenv("KEY")), os.Args[1], os.Args[2]
	tokens, err := mailtoken.New(mailtoken.Config{Keys: key})
	check(err)
	reader, err := report.NewReader(report.Options{Tokens: tokens})
	check(err)
	d, err := anymail.New(anymail.WithReports(reader))
	check(err)
	adapter, err := relay.New(relay.Config{SigningKeys: key})
	check(err)
	check(d.Register("relay", adapter))
	check(d.Tracking.Connect("print", func(_ context.Context, ev *anymail.TrackingEvent) error {
		fmt.Println(ev.Type, ev.RejectReason, ev.Recipient, ev.MessageID, ev.Verified)
		return nil
	}))

	sent := mailtoken.Message{ID: "welcome-4711", Recipient: to}
	sender, err := tokens.ReturnPath(context.Background(), sent, "bounce+@in.test")
	check(err)
	message := "From: shop@in.test\r\nTo: " + to + "\r\nSubject: Welcome\r\n\r\nHello\r\n"
	check(smtp.SendMail(mailServer, nil, sender, []string{to}, []byte(message))) //nolint:gosec // its own arguments

	s := server.New(d)
	s.Addr = os.Getenv("ADDRESS") // relay posts to http://ADDRESS/relay/inbound/
	check(s.ListenAndServe())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
