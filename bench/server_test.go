package bench

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	stdjson "encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/bench/internal/load"
	"github.com/goanymail/anymail/esp/mailgun/mailgunsim"
	"github.com/goanymail/anymail/esp/postmark/postmarksim"
	"github.com/goanymail/anymail/esp/resend/resendsim"
	"github.com/goanymail/anymail/esp/sendgrid/sendgridsim"
	"github.com/goanymail/anymail/simulator"
)

// served are the requests that are measured over real connections. Bare makes the
// handler that the Dispatcher is compared with: it verifies the signature, if
// check is true and there is one, and decodes the body, both with the standard library.
var served = []struct {
	name   string
	sim    func() *simulator.Simulator
	sample string
	bare   func(b testing.TB, w *world, check bool) func(r *http.Request, body []byte) error
}{
	{"Postmark", postmarksim.New, "Click", postmarkBare},
	{"Mailgun", mailgunsim.New, "clicked", mailgunBare},
	{"SendGrid", sendgridsim.New, "click", sendgridBare},
	{"Resend", resendsim.New, "email.clicked", resendBare},
}

const (
	serverRounds   = 11   // of each handler, by turns
	roundRequests  = 2048 // in each round
	serverRequests = 1024 // different ones
	connections    = 8    // of a round, kept alive, each with one request at a time
)

// BenchmarkServer measures the processor time that a process with an http.Server takes
// for a request: with the Dispatcher, with the bare handler, and with a bare handler
// that does not check the signature. The client is another process, so that the figures
// are the server's. The handlers run by turns, and a ratio is the median of those of
// all rounds.
func BenchmarkServer(b *testing.B) {
	for _, s := range served {
		b.Run(s.name, func(b *testing.B) {
			sim := s.sim()
			w := newWorldOf(b, sim, 1) // as soon as possible: the clients are not equally fast
			for range serverRequests {
				w.requests = append(w.requests, newRequest(b, sim, w.credential, time.Now(), 1, []string{s.sample}))
			}
			handlers := []http.Handler{w.dispatcher, bareHandler(s.bare(b, w, true)), bareHandler(s.bare(b, w, false))}
			var rounds []func() time.Duration
			for _, h := range handlers {
				rounds = append(rounds, serve(b, h, w.requests))
			}
			for range b.N {
				spent := make([][]float64, len(rounds)) // µs for a request, by handler
				for range serverRounds {
					for i, round := range rounds {
						spent[i] = append(spent[i], float64(round())/roundRequests/1000)
					}
				}
				ratio := func(to int) float64 {
					var all []float64
					for i, µs := range spent[0] {
						all = append(all, µs/spent[to][i])
					}
					return median(all)
				}
				b.ReportMetric(median(spent[0]), "anymail-µs")
				b.ReportMetric(median(spent[1]), "bare-µs")
				b.ReportMetric(median(spent[2]), "unchecked-µs")
				b.ReportMetric(ratio(1), "ratio")
				b.ReportMetric(ratio(2), "ratio-unchecked")
			}
			require.NotZero(b, w.received.Load())
		})
	}
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// serve starts a server and a client, and returns a function that makes the client
// send a round of requests and returns the processor time that this process took.
func serve(b *testing.B, h http.Handler, requests []simulator.Request) func() time.Duration {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()

	client := exec.Command(os.Args[0])
	client.Env = append(os.Environ(), clientVariable+"="+listener.Addr().String())
	client.Stderr = os.Stderr
	input, err := client.StdinPipe()
	require.NoError(b, err)
	output, err := client.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, client.Start())
	b.Cleanup(func() {
		_ = input.Close()
		_ = client.Wait()
		_ = server.Close()
	})
	var texts [][]byte
	for _, r := range requests {
		text, err := load.Text(r)
		require.NoError(b, err)
		texts = append(texts, text)
	}
	require.NoError(b, gob.NewEncoder(input).Encode(texts))
	round := func() time.Duration {
		runtime.GC() // of what another handler left
		begin := cpuTime()
		_, err := input.Write([]byte{'\n'})
		require.NoError(b, err)
		_, err = io.ReadFull(output, make([]byte, 1))
		require.NoError(b, err)
		return cpuTime() - begin
	}
	round() // warms up
	return round
}

// clientVariable has the address that a client sends to.
const clientVariable = "ANYMAIL_BENCH_CLIENT"

func TestMain(m *testing.M) {
	if address := os.Getenv(clientVariable); address != "" {
		if err := runClient(address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// runClient reads requests from the standard input, and sends a round of them for each
// byte that follows.
func runClient(address string) error {
	input := bufio.NewReader(os.Stdin)
	var texts [][]byte
	if err := gob.NewDecoder(input).Decode(&texts); err != nil {
		return err
	}
	texts = slices.Repeat(texts, roundRequests/len(texts))
	for {
		if _, err := input.ReadByte(); err != nil {
			return nil //nolint:nilerr // no more rounds
		}
		if err := load.Post(address, connections, texts); err != nil {
			return err
		}
		if _, err := os.Stdout.Write([]byte{'\n'}); err != nil {
			return err
		}
	}
}

// bareHandler reads the body and answers 200 if process returns no error.
func bareHandler(process func(r *http.Request, body []byte) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err == nil {
			err = process(r, body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
}

func postmarkBare(testing.TB, *world, bool) func(*http.Request, []byte) error {
	return func(_ *http.Request, body []byte) error {
		var event postmarkEvent
		return stdjson.Unmarshal(body, &event)
	}
}

func mailgunBare(_ testing.TB, w *world, check bool) func(*http.Request, []byte) error {
	key := []byte(w.credential.Config)
	return func(_ *http.Request, body []byte) error {
		var hook mailgunWebhook
		if err := stdjson.Unmarshal(body, &hook); err != nil || !check {
			return err
		}
		signature, err := hex.DecodeString(hook.Signature.Signature)
		if err != nil {
			return err
		}
		return checkMAC(key, signature, []byte(hook.Signature.Timestamp), []byte(hook.Signature.Token))
	}
}

func resendBare(_ testing.TB, w *world, check bool) func(*http.Request, []byte) error {
	key := w.credential.Private.([]byte)
	return func(r *http.Request, body []byte) error {
		if check {
			signature, err := base64.StdEncoding.DecodeString(r.Header.Get("Svix-Signature")[len("v1,"):])
			if err != nil {
				return err
			}
			dot := []byte{'.'}
			if err := checkMAC(key, signature, []byte(r.Header.Get("Svix-Id")), dot, []byte(r.Header.Get("Svix-Timestamp")), dot, body); err != nil {
				return err
			}
		}
		var hook resendWebhook
		return stdjson.Unmarshal(body, &hook)
	}
}

func checkMAC(key, signature []byte, parts ...[]byte) error {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	if !hmac.Equal(mac.Sum(nil), signature) {
		return errMismatch
	}
	return nil
}

func sendgridBare(b testing.TB, w *world, check bool) func(*http.Request, []byte) error {
	key := sendgridKey(b, w)
	return func(r *http.Request, body []byte) error {
		if check {
			signature, err := base64.StdEncoding.DecodeString(r.Header.Get(sendgridSignature))
			if err != nil {
				return err
			}
			h := sha256.New()
			h.Write([]byte(r.Header.Get(sendgridTimestamp)))
			h.Write(body)
			if !ecdsa.VerifyASN1(key, h.Sum(nil), signature) {
				return errMismatch
			}
		}
		var events []sendgridEvent
		return stdjson.Unmarshal(body, &events)
	}
}
