package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/goanymail/anymail/esp/amazonses"
	"github.com/goanymail/anymail/simulator"
)

// honestJob asks for requests to the server at an address.
type honestJob struct {
	Addr string
	// Shared makes the ESPs post from the attacker's address. Otherwise each has
	// an address of its own.
	Shared   bool
	Rate     int // requests per second
	Duration time.Duration
}

// result tells how honest requests were answered.
type result struct {
	Sent, Answered int            // Answered counts those answered with 200
	Others         map[string]int // other statuses and errors
	P50, P99, Max  time.Duration  // of those answered with 200
}

// answerTime is how long an honest client waits for an answer.
const answerTime = 30 * time.Second

// sender is an ESP that posts its samples, signed.
type sender struct {
	secret     string // for the endpoints to which it signs nothing
	sim        *simulator.Simulator
	credential simulator.Credential
	samples    []simulator.Sample
}

// beHonest plays all ESPs until the conversation ends. It tells the keys, and for
// each job, when it is ready and the result.
func beHonest(ctx context.Context, p pipe) error {
	senders := newSenders(sharedSecret)
	keys, err := publish(ctx, senders)
	if err != nil {
		return err
	}
	if err := p.tell(keys); err != nil {
		return err
	}
	for {
		var job honestJob
		if err := p.hear(&job); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		l := load{job: job, senders: senders}
		l.connect()
		if err := l.warmUp(ctx); err != nil {
			return err
		}
		var begin string
		if err := p.ask(true, &begin); err != nil {
			return err
		}
		result, err := l.run(ctx)
		if err != nil {
			return err
		}
		if err := p.tell(result); err != nil {
			return err
		}
	}
}

// newSenders returns a sender for each ESP, with the samples that have events and
// refer to nothing that a server had to fetch.
func newSenders(secret string) []sender {
	var senders []sender
	for _, sim := range simulators() {
		s := sender{sim: sim, secret: secret}
		if sim.NewCredential != nil {
			s.credential = sim.NewCredential()
		}
		for _, sample := range sim.Samples {
			if len(sample.Types) > 0 && (sim.Client == nil || sample.Endpoint == "tracking") {
				s.samples = append(s.samples, sample)
			}
		}
		senders = append(senders, s)
	}
	return senders
}

// publish returns what the server has to know of the senders.
func publish(ctx context.Context, senders []sender) (keys, error) {
	k := keys{Trusted: map[string]string{}}
	for _, s := range senders {
		if s.credential.Config != "" {
			k.Trusted[s.sim.ESP] = s.credential.Config
		}
		if s.sim.ESP != amazonses.ESP {
			continue
		}
		r, err := s.request("", 0)
		if err != nil {
			return k, err
		}
		var message struct{ SigningCertURL string }
		if err := json.Unmarshal(r.Body, &message); err != nil {
			return k, err
		}
		k.CertificateURL = message.SigningCertURL
		get, err := http.NewRequestWithContext(ctx, http.MethodGet, k.CertificateURL, nil)
		if err != nil {
			return k, err
		}
		resp, err := s.sim.Client.Do(get)
		if err != nil {
			return k, err
		}
		k.Certificate, err = io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			return k, err
		}
	}
	return k, nil
}

// request makes the i-th request of s, signed now.
func (s sender) request(addr string, i int) (simulator.Request, error) {
	r := s.samples[i%len(s.samples)].Make(simulator.NewParams())
	var err error
	if r.URL, err = simulator.EndpointURL("http://"+addr, s.sim.ESP, r.Endpoint); err != nil {
		return r, err
	}
	if !s.sim.Signs(r.Endpoint) {
		simulator.SetSecret(&r, s.secret)
	}
	return r, s.sim.SignNow(&r, s.credential)
}

// load is one job.
type load struct {
	job     honestJob
	senders []sender
	clients [][2]*http.Client // for each sender: one that keeps connections, one that does not

	mu     sync.Mutex
	result result
	times  []time.Duration
}

func (l *load) connect() {
	for i := range l.senders {
		var clients [2]*http.Client
		for j := range clients {
			dialer := net.Dialer{}
			if !l.job.Shared {
				dialer.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i))}
			}
			clients[j] = &http.Client{
				Timeout:   answerTime,
				Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: j == 1},
			}
		}
		l.clients = append(l.clients, clients)
	}
	l.result.Others = map[string]int{}
}

// warmUp posts one request of each ESP, as a server that is attacked has been
// running for a while.
func (l *load) warmUp(ctx context.Context) error {
	for i, s := range l.senders {
		r, err := s.request(l.job.Addr, 0)
		if err != nil {
			return err
		}
		if status := post(ctx, l.clients[i][0], r); status != "200" {
			return fmt.Errorf("honest requests: %s: %s before the attack", s.sim.ESP, status)
		}
	}
	return nil
}

// run posts at the rate of the job, however long answers take.
func (l *load) run(ctx context.Context) (result, error) {
	n := max(int(l.job.Duration.Seconds()*float64(l.job.Rate)), 1)
	begin := time.Now()
	var posting sync.WaitGroup
	for i := range n {
		sender, turn := i%len(l.senders), i/len(l.senders)
		r, err := l.senders[sender].request(l.job.Addr, turn)
		if err != nil {
			return result{}, err
		}
		time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(l.job.Rate))))
		posting.Go(func() {
			sent := time.Now()
			status := post(ctx, l.clients[sender][turn%2], r)
			l.count(status, time.Since(sent))
		})
	}
	posting.Wait()
	for _, clients := range l.clients {
		clients[0].CloseIdleConnections()
	}
	slices.Sort(l.times)
	l.result.P50, l.result.P99, l.result.Max = percentile(l.times, 50), percentile(l.times, 99), percentile(l.times, 100)
	return l.result, nil
}

func (l *load) count(status string, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.result.Sent++
	if status != "200" {
		l.result.Others[status]++
		return
	}
	l.result.Answered++
	l.times = append(l.times, took)
}

// post returns the status of the answer or, without an answer, why there is none.
func post(ctx context.Context, client *http.Client, r simulator.Request) string {
	req, err := r.HTTP()
	if err != nil {
		return err.Error()
	}
	resp, err := client.Do(req.WithContext(ctx))
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer"
	case err != nil:
		return "connection ended"
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return "answer cut off"
	}
	return strconv.Itoa(resp.StatusCode)
}

// percentile returns the smallest time that p percent of the sorted times do not
// exceed, or 0 if there are none.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*p+99)/100-1]
}
