// Command quickstart receives Postmark's webhooks and runs two receivers. To try it:
//
//	WEBHOOK_SECRET=anymail:some-long-password go run ./examples/quickstart
//	anymail trigger postmark bounced --to http://127.0.0.1:8080/anymail --secret anymail:some-long-password
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/postmark"
	"github.com/goanymail/anymail/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	// "user:password", as in the webhook URL at Postmark.
	secret := anymail.WithSharedSecret(os.Getenv("WEBHOOK_SECRET"))
	d, err := anymail.New(secret)
	check(err)
	adapter, err := postmark.New(postmark.Config{})
	check(err)
	check(d.Register("postmark", adapter))

	check(d.Tracking.Connect("suppress", func(_ context.Context, ev *anymail.TrackingEvent) error {
		log.Printf("no more mail to %s: %s", ev.Recipient, ev.Description)
		return nil // an error would make Postmark retry
	}, anymail.ToSuppress))
	check(d.Inbound.Connect("helpdesk", func(_ context.Context, ev *anymail.InboundEvent) error {
		log.Printf("%v wrote: %s", ev.Message.From, ev.Message.Subject)
		return nil
	}))

	r := chi.NewRouter()
	r.Mount("/anymail", d) // POST /anymail/postmark/tracking/ and .../inbound/
	s := server.New(r)
	s.Addr = "127.0.0.1:8080"
	go func() {
		if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			log.Fatal(err)
		}
	}()

	<-ctx.Done() // then wait for running requests and receivers
	stopping, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	check(errors.Join(d.Shutdown(stopping), s.Shutdown(stopping)))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
