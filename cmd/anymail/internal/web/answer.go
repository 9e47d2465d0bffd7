package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"
)

// answer is what the next requests are answered, to see how an ESP retries. What the
// request really led to is kept all the same.
type answer struct {
	Status int      `json:"status"` // 0 for the real one
	Delay  duration `json:"delay"`
	Times  int      `json:"times"` // how many requests are left; 0 if it holds until it is changed
	ESP    string   `json:"esp"`   // "" for all
}

// maxDelay is longer than any ESP is known to wait.
const maxDelay = 5 * time.Minute

func (a answer) check() error {
	switch {
	case a.Status != 0 && (a.Status < 200 || a.Status > 599):
		return errors.New("status: must be from 200 to 599, or 0 for the real one")
	case a.Delay < 0 || time.Duration(a.Delay) > maxDelay:
		return fmt.Errorf("delay: must be at most %s", maxDelay)
	case a.Times < 0:
		return errors.New("times: must not be negative")
	}
	return nil
}

// wait waits as long as the answer is delayed. It returns an error if the client has
// hung up.
func (a answer) wait(ctx context.Context, w http.ResponseWriter) error {
	if a.Delay == 0 {
		return nil
	}
	// A server's usual deadline is shorter. One that does not know deadlines has none.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Duration(a.Delay) + time.Minute))
	timer := time.NewTimer(time.Duration(a.Delay))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write writes the real answer, or the one that was asked for.
func (a answer) write(w http.ResponseWriter, real *recorder) {
	if a.Status != 0 {
		w.WriteHeader(a.Status)
		return
	}
	maps.Copy(w.Header(), real.header)
	w.WriteHeader(real.code())
	_, _ = w.Write(real.body.Bytes()) // a client that hung up does not need it
}

// answers hands out the answer that was asked for.
type answers struct {
	mu  sync.Mutex
	now answer
}

func (s *answers) get() answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *answers) set(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = a
}

// next returns the answer to a request of an ESP, and counts it.
func (s *answers) next(esp string) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.ESP != "" && s.now.ESP != esp {
		return answer{}
	}
	a := s.now
	switch {
	case a.Times == 1:
		s.now = answer{}
	case a.Times > 1:
		s.now.Times--
	}
	return a
}

func (l *Listener) getAnswer(w http.ResponseWriter, _ *http.Request) { writeJSON(w, l.answers.get()) }

func (l *Listener) putAnswer(w http.ResponseWriter, req *http.Request) {
	var a answer
	if err := readJSON(w, req, &a); err != nil {
		badRequest(w, err)
		return
	}
	if err := a.check(); err != nil {
		badRequest(w, err)
		return
	}
	if a.ESP != "" {
		e, ok := l.find(a.ESP)
		if !ok {
			badRequest(w, errors.New("esp: is unknown"))
			return
		}
		a.ESP = e.Spec.Name
	}
	l.answers.set(a)
	writeJSON(w, a)
}

// duration is a duration whose JSON form is that of [time.ParseDuration].
type duration time.Duration

// MarshalJSON implements [json.Marshaler].
func (d duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON implements [json.Unmarshaler].
func (d *duration) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return errors.New(`must be a text such as "2s"`)
	}
	if text == "" {
		*d = 0
		return nil
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return errors.New(`must be a duration such as "2s"`)
	}
	*d = duration(parsed)
	return nil
}
