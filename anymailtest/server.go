package anymailtest

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/simulator"
)

// SharedSecret is the shared secret of servers.
const SharedSecret = "webhook:Not-4-Production-use"

// Server is a Dispatcher behind a chi router on a loopback port, with the
// adapter of a simulator and a recorder. Its Webhook has the URL of the mount
// point.
type Server struct {
	*Recorder
	simulator.Webhook
	Dispatcher *anymail.Dispatcher
	// Rejections are the requests that were refused.
	Rejections *Rejections

	client *http.Client
}

// NewServer starts a server for a simulator and closes it when the test ends.
// The adapter trusts one new credential. The Dispatcher requires
// [SharedSecret]. The options are applied after that.
func NewServer(t testing.TB, sim *simulator.Simulator, options ...anymail.Option) *Server {
	t.Helper()
	adapter, credential, err := sim.NewAccount()
	if err != nil {
		t.Fatalf("anymailtest: adapter of %s: %v", sim.ESP, err)
	}
	s := NewServerFor(t, sim, adapter, options...)
	s.Credential = credential
	return s
}

// NewServerFor does what [NewServer] does, with an adapter that the caller made.
func NewServerFor(t testing.TB, sim *simulator.Simulator, adapter anymail.Adapter, options ...anymail.Option) *Server {
	t.Helper()
	s := &Server{Recorder: new(Recorder), Webhook: simulator.Webhook{Simulator: sim, Secret: SharedSecret}, Rejections: new(Rejections)}
	d, err := anymail.New(append([]anymail.Option{
		anymail.WithSharedSecret(SharedSecret),
		anymail.WithLogger(slog.New(slog.DiscardHandler)),
		anymail.WithHooks(anymail.Hooks{Rejected: s.Rejections.add}),
	}, options...)...)
	if err != nil {
		t.Fatalf("anymailtest: %v", err)
	}
	if err := d.Register(sim.ESP, adapter); err != nil {
		t.Fatalf("anymailtest: %v", err)
	}
	if err := s.Connect(&d.Signals, "recorder"); err != nil {
		t.Fatalf("anymailtest: %v", err)
	}
	router := chi.NewRouter()
	router.Mount("/anymail", d)
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	s.Dispatcher, s.URL, s.client = d, server.URL+"/anymail", server.Client()
	return s
}

// Prepare makes a sample's request and signs it now. The request has its URL and
// the shared secret and can be posted.
func (s *Server) Prepare(t testing.TB, sample simulator.Sample, p simulator.Params) simulator.Request {
	t.Helper()
	return s.Sign(t, sample.Make(p))
}

// Sign does what [simulator.Webhook.Sign] does. It fails the test if that returns
// an error.
func (s *Server) Sign(t testing.TB, r simulator.Request) simulator.Request {
	t.Helper()
	r, err := s.Webhook.Sign(r)
	if err != nil {
		t.Fatalf("anymailtest: sign: %v", err)
	}
	return r
}

// Address sets the URL and the shared secret of a request.
func (s *Server) Address(t testing.TB, r simulator.Request) simulator.Request {
	t.Helper()
	r, err := s.Webhook.Address(r)
	if err != nil {
		t.Fatalf("anymailtest: %v", err)
	}
	return r
}

// Post posts a request and returns the status and the body of the answer.
func (s *Server) Post(t testing.TB, r simulator.Request) (status int, body string) {
	t.Helper()
	req, err := r.HTTP()
	if err != nil {
		t.Fatalf("anymailtest: %v", err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatalf("anymailtest: %v", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("anymailtest: %v", err)
	}
	return resp.StatusCode, string(b)
}

// Send prepares and posts a sample and returns its events. It fails the test
// unless the answer is 200.
func (s *Server) Send(t testing.TB, sample simulator.Sample, p simulator.Params) []anymail.Event {
	t.Helper()
	s.Take()
	status, _ := s.Post(t, s.Prepare(t, sample, p))
	if status != http.StatusOK {
		t.Fatalf("anymailtest: %s %s answered %d: %s", s.Simulator.ESP, sample.Name, status, s.Rejections)
	}
	return s.Take()
}

// Rejections keeps what a Dispatcher refused.
type Rejections struct {
	mu   sync.Mutex
	list []anymail.Rejection
}

func (r *Rejections) add(_ context.Context, rejection anymail.Rejection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, rejection)
}

// All returns the rejections so far, in order.
func (r *Rejections) All() []anymail.Rejection {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]anymail.Rejection(nil), r.list...)
}

// String returns the errors of the rejections so far.
func (r *Rejections) String() string {
	var texts []string
	for _, rejection := range r.All() {
		texts = append(texts, rejection.Err.Error())
	}
	return strings.Join(texts, "; ")
}
