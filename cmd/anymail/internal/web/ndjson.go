package web

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/goanymail/anymail"
)

// stored is the form of a record in files: a line of JSON. It has no credentials.
type stored struct {
	ID       int64             `json:"id"`
	Time     time.Time         `json:"time"`
	Method   string            `json:"method"`
	Host     string            `json:"host"`
	Path     string            `json:"path"`
	Header   http.Header       `json:"header"`
	Removed  []string          `json:"removed,omitempty"`
	Body     []byte            `json:"body,omitempty"`
	ESP      string            `json:"esp,omitempty"`
	Name     string            `json:"name,omitempty"`
	Endpoint string            `json:"endpoint,omitempty"`
	Status   int               `json:"status"`
	Answered int               `json:"answered,omitempty"`
	Error    string            `json:"error,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	Source   Source            `json:"source"`
	Events   []json.RawMessage `json:"events,omitempty"`
}

// maxLine is the largest line that is read. A body of the largest size fits in, with the
// message that it holds.
const maxLine = 8 * bodyLimit

// encode returns the line of a record.
func (r *Record) encode() ([]byte, error) {
	s := stored{
		ID: r.ID, Time: r.Time, Method: r.Method, Host: r.Host, Path: r.Path, Header: r.Header.Clone(), Removed: slices.Clone(r.Removed), Body: r.Body,
		ESP: r.ESP, Name: r.Name, Endpoint: r.Endpoint, Status: r.Status, Answered: r.Answered, Error: r.Error, Reason: r.Reason, Source: r.Source,
	}
	for name := range s.Header {
		if r.hides(name) {
			delete(s.Header, name)
			s.Removed = append(s.Removed, name)
		}
	}
	slices.Sort(s.Removed)
	for _, ev := range r.Events {
		encoded, err := json.Marshal(ev)
		if err != nil {
			return nil, err
		}
		s.Events = append(s.Events, encoded)
	}
	line, err := json.Marshal(s)
	return append(line, '\n'), err
}

// maxID is the largest number that JavaScript knows exactly.
const maxID = 1<<53 - 1

var errLine = errors.New("is not a request that anymail listen has written")

// decode reads the line of a record.
func decode(line []byte) (*Record, error) {
	var s stored
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&s) != nil || s.Time.IsZero() || s.Method == "" || s.Status < 100 || s.Status > 999 || s.ID < 0 || s.ID > maxID {
		return nil, errLine
	}
	r := &Record{
		ID: s.ID, Time: s.Time, Method: s.Method, Host: s.Host, Path: s.Path, Header: s.Header, Removed: s.Removed, Body: s.Body,
		ESP: s.ESP, Name: s.Name, Endpoint: s.Endpoint, Status: s.Status, Answered: s.Answered, Error: s.Error, Reason: s.Reason, Source: s.Source,
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	for _, encoded := range s.Events {
		ev, err := anymail.DecodeEvent(encoded)
		if err != nil {
			return nil, errLine
		}
		r.Events = append(r.Events, ev)
	}
	return r, nil
}

// eachLine calls each with the lines of r that are not empty, and their numbers from 1.
func eachLine(r io.Reader, each func(n int, line []byte) error) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxLine)
	n := 0
	for scanner.Scan() {
		n++
		if len(bytes.TrimSpace(scanner.Bytes())) == 0 {
			continue
		}
		if err := each(n, scanner.Bytes()); err != nil {
			return err
		}
	}
	return scanner.Err()
}

// exported returns the requests that match, oldest first.
func (l *Listener) exported(w http.ResponseWriter, req *http.Request) {
	f, err := parseFilter(req.URL.Query(), time.Now())
	if err != nil {
		badRequest(w, err)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // there may be much
	download(w, "requests.ndjson")
	for _, r := range l.store.all() {
		if _, ok := f.match(r); !ok {
			continue
		}
		line, err := r.encode()
		if err != nil {
			continue // no event of an adapter is like that
		}
		if _, err := w.Write(line); err != nil {
			return
		}
	}
}

// maxImport is the largest file that is imported.
const maxImport = 256 << 20

// imported adds requests that were exported. A file with any other line changes
// nothing.
func (l *Listener) imported(w http.ResponseWriter, req *http.Request) {
	var records []*Record
	err := eachLine(http.MaxBytesReader(w, req.Body, maxImport), func(n int, line []byte) error {
		r, err := decode(line)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		r.Source = Imported
		records = append(records, r)
		return nil
	})
	if err != nil {
		badRequest(w, err)
		return
	}
	l.store.addAll(records)
	writeJSON(w, map[string]int{"imported": len(records)})
}
