package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/goanymail/anymail"
)

type recordKey struct{}

// Hooks returns the hooks that tell the store the outcome of a request. The
// Dispatcher that Capture wraps needs them.
func (s *Store) Hooks() anymail.Hooks {
	return anymail.Hooks{
		Request: func(ctx context.Context, info anymail.RequestInfo) (context.Context, func(anymail.RequestResult)) {
			r, _ := ctx.Value(recordKey{}).(*Record)
			return ctx, func(outcome anymail.RequestResult) {
				if r == nil {
					return
				}
				r.ESP, r.Name, r.Endpoint, r.Events = info.ESP, info.Name, info.Endpoint, outcome.Events
				var refusal *anymail.RequestError
				if errors.As(outcome.Err, &refusal) {
					r.Reason = string(refusal.Reason)
				}
				if outcome.Err != nil {
					r.Error = outcome.Err.Error()
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
		r := &Record{
			Time: time.Now(), Method: req.Method, Host: req.Host, Path: req.URL.RequestURI(), Header: req.Header.Clone(), Body: body,
			Source: Received,
		}
		rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, req.WithContext(context.WithValue(req.Context(), recordKey{}, r)))
		r.Status = rec.status
		if r.unrouted() {
			r.Error = "no adapter has this path"
		}
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
