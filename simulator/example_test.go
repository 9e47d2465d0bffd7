package simulator_test

import (
	"fmt"
	"net/http"

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

// A request for a program that is running, such as a server under test, with the
// program's URL, shared secret and signing key.
func ExampleSimulator_Credential() {
	sim := mailgunsim.New()
	credential, err := sim.Credential("key-that-the-server-has")
	if err != nil {
		panic(err)
	}
	sample, _ := sim.Sample("delivered")
	request := sample.Make(simulator.NewParams())
	if request.URL, err = simulator.EndpointURL("https://hooks.example.com/anymail", "mailgun", request.Endpoint); err != nil {
		panic(err)
	}
	simulator.SetSecret(&request, "user:password")
	if err := sim.SignNow(&request, credential); err != nil {
		panic(err)
	}
	r, err := request.HTTP()
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Method == http.MethodPost, r.URL)
	// Output: true https://hooks.example.com/anymail/mailgun/tracking/
}
