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

// origin is what the context of a request says that the listener itself makes.
type origin struct {
	source Source
	// vouched makes the verifiers accept the request. It is set if the ESP signs with a
	// private key, which only the ESP has.
	vouched bool
	record  *Record // what became of it, set when it is received
}

type (
	originKey struct{}
	recordKey struct{}
)

// hooks returns the hooks that write the outcome of a request into its record.
func hooks() anymail.Hooks {
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

// receive returns a handler that keeps each request to next with its outcome. It does
// not keep bodies over the limit, which next refuses.
func (l *Listener) receive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(io.LimitReader(req.Body, bodyLimit+1))
		rest := req.Body
		req.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), rest), rest}
		if err != nil || len(body) > bodyLimit {
			body = nil
		}
		r := &Record{
			Time: time.Now(), Method: req.Method, Host: req.Host, Path: req.URL.RequestURI(), Header: req.Header.Clone(), Body: body,
			Secret: l.secretHeaders, Source: Received,
		}
		if from, ok := req.Context().Value(originKey{}).(*origin); ok {
			r.Source, from.record = from.source, r
		}
		real := &recorder{header: http.Header{}, client: w}
		next.ServeHTTP(real, req.WithContext(context.WithValue(req.Context(), recordKey{}, r)))
		r.Status = real.code()
		if r.unrouted() {
			r.Error, r.Reason = "no adapter has this path", "no such path"
		}
		chosen := l.answers.next(r.ESP)
		r.Answered = chosen.Status
		l.store.add(r)
		l.forwarder.forward(r)
		if chosen.wait(req.Context(), w) == nil {
			chosen.write(w, real)
		}
	})
}

// recorder holds an answer back.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	client http.ResponseWriter // nil if there is no connection
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

// Unwrap lets http.ResponseController find the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.client }

// code is the status of the answer.
func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}
