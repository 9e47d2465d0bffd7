// Package web is the page of "anymail listen": it keeps the latest requests with
// their outcomes, and shows them live.
package web

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/goanymail/anymail"
)

// Record is one request with its outcome.
type Record struct {
	ID       int64
	Time     time.Time
	Method   string
	Host     string
	Path     string // with the query
	Header   http.Header
	Body     []byte
	Name     string // of the adapter; empty if there is none
	Endpoint string
	Status   int
	Err      error
	Events   []anymail.Event
}

// Store keeps the latest records, up to a number and a size. It is safe for
// concurrent use. A record in the store does not change.
type Store struct {
	most     int
	mostSize int

	mu          sync.Mutex
	records     []*Record
	size        int
	lastID      int64
	subscribers map[chan *Record]struct{}
}

// NewStore returns a store for a number of records and of bytes in their bodies.
func NewStore(records, size int) *Store {
	return &Store{most: records, mostSize: size, subscribers: map[chan *Record]struct{}{}}
}

func (s *Store) add(r *Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	r.ID = s.lastID
	s.records = append(s.records, r)
	s.size += len(r.Body)
	for len(s.records) > 1 && (len(s.records) > s.most || s.size > s.mostSize) {
		s.size -= len(s.records[0].Body)
		s.records = s.records[1:]
	}
	for ch := range s.subscribers {
		select {
		case ch <- r:
		default: // a slow subscriber starts again, with the list
			delete(s.subscribers, ch)
			close(ch)
		}
	}
}

// List returns the records, oldest first.
func (s *Store) List() []*Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Record(nil), s.records...)
}

// Get returns a record, or nil.
func (s *Store) Get(id int64) *Record {
	for _, r := range s.List() {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// Clear removes all records.
func (s *Store) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records, s.size = nil, 0
}

// subscribe returns a channel of new records. It is closed if the subscriber is
// too slow.
func (s *Store) subscribe() (ch chan *Record, cancel func()) {
	ch = make(chan *Record, 64)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribers[ch] = struct{}{}
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subscribers, ch)
	}
}

type recordKey struct{}

// Hooks returns the hooks that tell the store the outcome of a request. The
// Dispatcher that Capture wraps needs them.
func (s *Store) Hooks() anymail.Hooks {
	return anymail.Hooks{
		Request: func(ctx context.Context, info anymail.RequestInfo) (context.Context, func(anymail.RequestResult)) {
			r, _ := ctx.Value(recordKey{}).(*Record)
			return ctx, func(outcome anymail.RequestResult) {
				if r != nil {
					r.Name, r.Endpoint, r.Err, r.Events = info.Name, info.Endpoint, outcome.Err, outcome.Events
				}
			}
		},
	}
}

// Capture keeps each request to next and its answer. It does not keep bodies over
// the limit, which next refuses.
func (s *Store) Capture(next http.Handler, limit int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(io.LimitReader(req.Body, limit+1))
		rest := req.Body
		req.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), rest), rest}
		if err != nil || int64(len(body)) > limit {
			body = nil
		}
		r := &Record{Time: time.Now(), Method: req.Method, Host: req.Host, Path: req.URL.RequestURI(), Header: req.Header.Clone(), Body: body}
		rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, req.WithContext(context.WithValue(req.Context(), recordKey{}, r)))
		r.Status = rec.status
		s.add(r)
	})
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
