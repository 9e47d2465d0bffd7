package simulator_test

import (
	"fmt"
	"net/http"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/mailgun/mailgunsim"
	"github.com/goanymail/anymail/esp/postmark/postmarksim"
	"github.com/goanymail/anymail/simulator"
)

// Samples have names. They need no server.
func ExampleSimulator_Sample() {
	sim := postmarksim.New()
	sample, ok := sim.Sample("HardBounce")
	fmt.Println(ok, sample.Types, sample.Reason)

	request := sample.Make(simulator.NewParams())
	fmt.Println(request.Endpoint, request.Header.Get("Content-Type"))
	// Output:
	// true [bounced] invalid
	// tracking application/json
}

// The same samples by the type of their events, which is the same at every ESP.
func ExampleSimulator_SampleOf() {
	invalid := func(s simulator.Sample) bool { return s.Reason == anymail.RejectInvalid }
	for _, sim := range []*simulator.Simulator{mailgunsim.New(), postmarksim.New()} {
		sample, _ := sim.SampleOf(anymail.EventBounced, invalid)
		fmt.Println(sim.Title, sample.Name)
	}
	// Output:
	// Mailgun failed-bounce
	// Postmark HardBounce
}

// A request for a program that is running, such as a server under test, with the
// program's URL, shared secret and signing key.
func ExampleWebhook() {
	sim := mailgunsim.New()
	credential, err := sim.Credential("key-that-the-server-has")
	if err != nil {
		panic(err)
	}
	webhook := simulator.Webhook{
		Simulator: sim, URL: "https://hooks.example.com/anymail", Secret: "user:password", Credential: credential,
	}
	sample, _ := sim.SampleOf(anymail.EventDelivered)
	request, err := webhook.Sign(sample.Make(simulator.NewParams()))
	if err != nil {
		panic(err)
	}
	r, err := request.HTTP()
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Method == http.MethodPost, r.URL)
	// Output: true https://hooks.example.com/anymail/mailgun/tracking/
}
