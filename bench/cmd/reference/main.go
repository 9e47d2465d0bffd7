// Reference compares a server with the Dispatcher and a server with django-anymail, the
// library that this one is modelled on. It prints the figures of each round like "go
// test -bench", for ../table. See ../../reference.sh, which has the Python side.
//
//	reference [-rounds N] [-requests N] [-batches N] COMMAND...
//
// COMMAND starts gunicorn. The program adds the address to its arguments by
// GUNICORN_CMD_ARGS.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/bench/internal/load"
	"github.com/goanymail/anymail/esp/mailgun/mailgunsim"
	"github.com/goanymail/anymail/esp/postmark/postmarksim"
	"github.com/goanymail/anymail/esp/sendgrid/sendgridsim"
	"github.com/goanymail/anymail/esp/sparkpost/sparkpostsim"
	"github.com/goanymail/anymail/server"
	"github.com/goanymail/anymail/simulator"
)

// What both servers are configured with, and what signs the requests.
const (
	secret     = "anymail:0123456789abcdefghij"
	signingKey = "key-0123456789abcdefghij" // Mailgun's
)

// kinds are the requests that are measured. Every event is new.
var kinds = []kind{
	{"Postmark", postmarksim.New(), 1, []string{"Click"}},
	{"Mailgun", mailgunsim.New(), 1, []string{"clicked"}},
	{"SendGrid", sendgridsim.New(), 1, []string{"click"}},
	{"SendGrid100", sendgridsim.New(), 100, []string{"processed", "delivered", "open", "click"}},
	{"SendGrid1000", sendgridsim.New(), 1000, []string{"processed", "delivered", "open", "click"}},
	{"SparkPost1000", sparkpostsim.New(), 1000, []string{"injection", "delivery", "open", "click"}},
}

type kind struct {
	name    string
	sim     *simulator.Simulator
	events  int // in each request
	samples []string
}

const connections = 8

func main() {
	log.SetFlags(0)
	address := flag.String("serve", "", "only run the server with the Dispatcher, on this `address`")
	rounds := flag.Int("rounds", 7, "`number` of rounds of each server, by turns")
	requests := flag.Int("requests", 10000, "`number` of requests with one event in a round")
	batches := flag.Int("batches", 100, "`number` of requests with several events in a round")
	flag.Parse()
	if *address != "" {
		log.Fatal(serve(*address))
	}
	for _, k := range kinds {
		n := *requests
		if k.events > 1 {
			n = *batches
		}
		if err := k.compare(*rounds, n, flag.Args()); err != nil {
			log.Fatalf("reference: %s, %v", k.name, err)
		}
	}
}

// serve runs the server with the Dispatcher.
func serve(address string) error {
	handler, err := newHandler()
	if err != nil {
		return err
	}
	srv := server.New(handler)
	srv.Addr = address
	return srv.ListenAndServe()
}

// newHandler returns a handler with a receiver that counts, and with a page that has
// the count.
func newHandler() (http.Handler, error) {
	d, err := anymail.New(anymail.WithSharedSecret(secret))
	if err != nil {
		return nil, err
	}
	for _, k := range kinds {
		credentials, err := k.credentials()
		if err != nil {
			return nil, err
		}
		adapter, err := k.sim.NewAdapter(credentials...)
		if err != nil {
			return nil, err
		}
		if err := d.Replace(k.sim.ESP, adapter); err != nil { // two kinds may be of one ESP
			return nil, err
		}
	}
	var count atomic.Int64
	if err := d.Tracking.Connect("count", func(context.Context, *anymail.TrackingEvent) error {
		count.Add(1)
		return nil
	}); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/anymail/", http.StripPrefix("/anymail", d))
	mux.HandleFunc("/count", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, count.Load()) })
	return mux, nil
}

// credentials returns what the ESP signs with: Mailgun's key. The others sign nothing, or
// django-anymail does not verify it.
func (k kind) credentials() ([]simulator.Credential, error) {
	if k.sim.ESP != mailgunsim.New().ESP {
		return nil, nil
	}
	credential, err := k.sim.Credential(signingKey)
	return []simulator.Credential{credential}, err
}

// texts returns n requests.
func (k kind) texts(n int) (texts [][]byte, err error) {
	webhook := simulator.Webhook{Simulator: k.sim, URL: "http://hooks.example.com/anymail", Secret: secret}
	credentials, err := k.credentials()
	if err != nil {
		return nil, err
	}
	if credentials != nil {
		webhook.Credential = credentials[0]
	}
	for range n {
		request, err := load.Make(k.sim, k.events, k.samples)
		if err != nil {
			return nil, err
		}
		if request, err = webhook.Sign(request); err != nil {
			return nil, err
		}
		text, err := load.Text(request)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// compare starts both servers and posts the same requests to them by turns, in each round
// others. It prints the figures of each round.
func (k kind) compare(rounds, n int, command []string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	django, err := start("django-anymail", func(address string) *exec.Cmd {
		cmd := exec.Command(command[0], command[1:]...) //nolint:gosec,noctx // the user's own
		cmd.Env = append(os.Environ(), "GUNICORN_CMD_ARGS=--bind="+address, "REFERENCE_SECRET="+secret, "REFERENCE_SIGNING_KEY="+signingKey)
		return cmd
	})
	if err != nil {
		return err
	}
	defer django.stop()
	ours, err := start("anymail", func(address string) *exec.Cmd { return exec.Command(program, "-serve", address) }) //nolint:gosec,noctx // this program
	if err != nil {
		return err
	}
	defer ours.stop()
	for round := range rounds + 1 {
		texts, err := k.texts(n)
		if err != nil {
			return err
		}
		var line strings.Builder
		for _, p := range []*process{django, ours} {
			f, err := p.measure(texts, n*k.events)
			if err != nil {
				return p.failed(err)
			}
			fmt.Fprintf(&line, " %.6g %s-requests/s %.6g %s-µs %.4g %s-MB", f.rate, p.name, f.µs, p.name, f.megabytes, p.name)
		}
		if round > 0 { // the first one warms up
			fmt.Printf("BenchmarkReference/%s\t%d\t%d events%s\n", k.name, n, k.events, &line)
		}
	}
	return nil
}

// figures are what one server took for a round.
type figures struct {
	rate      float64 // requests in a second
	µs        float64 // processor time for a request
	megabytes float64 // of memory, afterwards
}

// process is a server with its descendants.
type process struct {
	name    string
	cmd     *exec.Cmd
	address string
	log     bytes.Buffer
	ended   chan struct{} // closed; then the log is complete
}

// start starts a server on an address and waits until it answers.
func start(name string, command func(address string) *exec.Cmd) (*process, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		return nil, err
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		return nil, err
	}
	p := &process{name: name, cmd: command(address), address: address, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	late := time.After(time.Minute)
	for {
		_, err := p.count()
		if err == nil {
			return p, nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-p.ended:
			return nil, p.failed(err)
		case <-late:
			return nil, p.failed(err)
		}
	}
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.ended
}

// failed stops the server and returns err with what the server has logged.
func (p *process) failed(err error) error {
	p.stop()
	return fmt.Errorf("%s: %w\n%s", p.name, err, &p.log)
}

// count returns how many events the receiver got.
func (p *process) count() (n int, err error) {
	resp, err := http.Get("http://" + p.address + "/count") //nolint:noctx // on this machine
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = fmt.Fscan(resp.Body, &n)
	return n, err
}

// measure posts requests that have that many events together. It returns an error if the
// receiver does not get exactly those.
func (p *process) measure(texts [][]byte, events int) (f figures, err error) {
	before, err := p.count()
	if err != nil {
		return f, err
	}
	cpu, err := p.cpuTime()
	if err != nil {
		return f, err
	}
	begin := time.Now()
	if err := load.Post(p.address, connections, texts); err != nil {
		return f, err
	}
	took := time.Since(begin)
	after, err := p.cpuTime()
	if err != nil {
		return f, err
	}
	count, err := p.count()
	if err != nil {
		return f, err
	}
	if count-before != events {
		return f, fmt.Errorf("the receiver got %d events instead of %d", count-before, events)
	}
	n := float64(len(texts))
	f.rate, f.µs = n/took.Seconds(), float64((after-cpu).Nanoseconds())/1000/n
	f.megabytes, err = p.memory()
	return f, err
}
