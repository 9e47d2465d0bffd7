// Command durable is examples/quickstart with one line changed: Postmark gets its
// answer as soon as the events are in the file events.db. The callbacks run
// afterwards, and are retried until they succeed. Run it in this directory:
//
//	WEBHOOK_SECRET=anymail:some-long-password go run .
//	anymail trigger postmark bounced --to http://127.0.0.1:8080/anymail --secret anymail:some-long-password
//
// With durable.Postgres(ctx, url) instead, it runs on any number of machines.
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
	"github.com/goanymail/anymail/durable"
	"github.com/goanymail/anymail/esp/postmark"
	"github.com/goanymail/anymail/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	// "user:password", as in the webhook URL at Postmark.
	secret := anymail.WithSharedSecret(os.Getenv("WEBHOOK_SECRET"))
	d, err := anymail.New(secret, durable.SQLite(ctx, "events.db"))
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
