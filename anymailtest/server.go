package anymailtest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/goanymail/anymail"
)

// Recorder keeps the events that its receivers are called with. The zero value
// is ready to use; it is safe for concurrent use.
type Recorder struct {
	// Err, if set, is asked after an event was kept; what it returns is the
	// receivers' answer. Set it before events arrive.
	Err func(anymail.Event) error

	mu     sync.Mutex
	events []anymail.Event
}

// Connect connects the recorder to both signals under a name.
func (r *Recorder) Connect(s *anymail.Signals, name string, filters ...anymail.Filter) error {
	err := s.Tracking.Connect(name, func(_ context.Context, ev *anymail.TrackingEvent) error { return r.record(ev) }, filters...)
	if err != nil {
		return err
	}
	return s.Inbound.Connect(name, func(_ context.Context, ev *anymail.InboundEvent) error { return r.record(ev) }, filters...)
}

func (r *Recorder) record(ev anymail.Event) error {
	r.mu.Lock()
	r.events = append(r.events, ev)
	r.mu.Unlock()
	if r.Err != nil {
		return r.Err(ev)
	}
	return nil
}

// Events returns the events so far, in the order in which they came.
func (r *Recorder) Events() []anymail.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]anymail.Event(nil), r.events...)
}

// Take returns the events so far and forgets them.
func (r *Recorder) Take() []anymail.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := r.events
	r.events = nil
	return events
}

// Server is a Dispatcher behind a chi router on a loopback port, with the
// adapter of a kit and a recorder.
type Server struct {
	*Recorder
	Dispatcher *anymail.Dispatcher
	URL        string // of the mount point
	Kit        *Kit
	Credential Credential // what requests are signed with
	// Rejections are the errors of the requests that were not accepted.
	Rejections *Rejections

	secret string
	client *http.Client
}

// Rejections collects what a Dispatcher refused.
type Rejections struct {
	mu   sync.Mutex
	list []anymail.Rejection
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

// SharedSecret is the one that servers made by [NewServer] ask for.
const SharedSecret = "webhook:Not-4-Production-use"

// NewServer starts a server for a kit, which ends with the test. The adapter
// trusts one new credential and the Dispatcher asks for [SharedSecret]; options
// go over that.
func NewServer(t testing.TB, kit *Kit, options ...anymail.Option) *Server {
	t.Helper()
	s := &Server{Recorder: new(Recorder), Kit: kit, Rejections: new(Rejections), secret: SharedSecret}
	var trusted []Credential
	if kit.NewCredential != nil {
		s.Credential = kit.NewCredential()
		trusted = append(trusted, s.Credential)
	}
	adapter, err := kit.New(trusted...)
	if err != nil {
		t.Fatalf("anymailtest: adapter of %s: %v", kit.ESP, err)
	}
	return s.start(t, adapter, options)
}

// NewServerFor is [NewServer] with an adapter of the caller's own making.
func NewServerFor(t testing.TB, kit *Kit, adapter anymail.Adapter, options ...anymail.Option) *Server {
	t.Helper()
	s := &Server{Recorder: new(Recorder), Kit: kit, Rejections: new(Rejections), secret: SharedSecret}
	return s.start(t, adapter, options)
}

func (s *Server) start(t testing.TB, adapter anymail.Adapter, options []anymail.Option) *Server {
	t.Helper()
	rejected := func(_ context.Context, r anymail.Rejection) {
		s.Rejections.mu.Lock()
		defer s.Rejections.mu.Unlock()
		s.Rejections.list = append(s.Rejections.list, r)
	}
	d, err := anymail.New(append([]anymail.Option{
		anymail.WithSharedSecret(SharedSecret),
		anymail.WithLogger(slog.New(slog.DiscardHandler)),
		anymail.WithHooks(anymail.Hooks{Rejected: rejected}),
	}, options...)...)
	if err != nil {
		t.Fatalf("anymailtest: %v", err)
	}
	if err := d.Register(s.Kit.ESP, adapter); err != nil {
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

// Prepare makes a sample's request, ready to be posted: addressed, with the
// shared secret, and signed now.
func (s *Server) Prepare(t testing.TB, sample Sample, p Params) Request {
	t.Helper()
	r := s.Address(t, sample.Make(p))
	if err := s.Kit.SignNow(&r, s.Credential); err != nil {
		t.Fatalf("anymailtest: sign %s: %v", sample.Name, err)
	}
	return r
}

// Address gives a request its URL and the shared secret.
func (s *Server) Address(t testing.TB, r Request) Request {
	t.Helper()
	u, err := EndpointURL(s.URL, s.Kit.ESP, r.Endpoint)
	if err != nil {
		t.Fatalf("anymailtest: %v", err)
	}
	r.URL = u
	r.Header = r.Header.Clone()
	SetSecret(&r, s.secret)
	return r
}

// EndpointURL is where an adapter registered under name is reached below base.
func EndpointURL(base, name, endpoint string) (string, error) {
	u, err := url.JoinPath(base, name, endpoint, "/")
	if err != nil {
		return "", fmt.Errorf("anymailtest: base URL: %w", err)
	}
	return u, nil
}

// SetSecret puts a "user:password" into a request.
func SetSecret(r *Request, secret string) {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	user, password, _ := strings.Cut(secret, ":")
	req := http.Request{Header: r.Header}
	req.SetBasicAuth(user, password)
}

// SignNow signs a request, if the ESP signs requests to its endpoint.
func (k *Kit) SignNow(r *Request, c Credential) error {
	if k.Sign == nil || !k.Signs(r.Endpoint) {
		return nil
	}
	return k.Sign(r, c, time.Now())
}

// Signs says whether the ESP signs requests to an endpoint.
func (k *Kit) Signs(endpoint string) bool {
	if k.Sign == nil {
		return false
	}
	for _, unsigned := range k.UnsignedEndpoints {
		if endpoint == unsigned {
			return false
		}
	}
	return true
}

// Post posts a request and returns the status and the body of the answer.
func (s *Server) Post(t testing.TB, r Request) (status int, body string) {
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

// Send posts a sample with new parameters and returns the events that came of
// it. It fails the test unless the answer is 200.
func (s *Server) Send(t testing.TB, sample Sample, p Params) []anymail.Event {
	t.Helper()
	s.Take()
	status, _ := s.Post(t, s.Prepare(t, sample, p))
	if status != http.StatusOK {
		t.Fatalf("anymailtest: %s %s answered %d: %s", s.Kit.ESP, sample.Name, status, s.Rejections)
	}
	return s.Take()
}
