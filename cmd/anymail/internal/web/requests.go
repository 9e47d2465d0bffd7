package web

import (
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail/internal/inspect"
)

// Limits of one answer. The page asks for more as it is scrolled.
const (
	defaultList = 200
	maxList     = 1000  // requests
	maxLines    = 10000 // events
)

// list returns summaries, newest first.
func (l *Listener) list(w http.ResponseWriter, req *http.Request) {
	q := req.URL.Query()
	f, err := parseFilter(q, time.Now())
	if err != nil {
		badRequest(w, err)
		return
	}
	limit, err := number(q, "limit", defaultList)
	if err != nil {
		badRequest(w, err)
		return
	}
	before, err := number(q, "before", 0)
	if err != nil {
		badRequest(w, err)
		return
	}
	writeJSON(w, l.store.list(f, before, min(int(limit), maxList)))
}

// number reads an optional parameter that is a number and not negative.
func number(q url.Values, name string, missing int64) (int64, error) {
	text := q.Get(name)
	if text == "" {
		return missing, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s: must be a number", name)
	}
	return n, nil
}

// listing is the answer of a list.
type listing struct {
	Mount string `json:"mount"`
	// Total is how many requests match, whether they are in this part of the list or
	// not, Kept how many there are.
	Total    int       `json:"total"`
	Kept     int       `json:"kept"`
	More     bool      `json:"more"`
	Requests []summary `json:"requests"`
}

// list selects records, from the newest before an id on.
func (s *store) list(f filter, before int64, limit int) listing {
	records := s.all()
	answer := listing{Mount: Mount, Kept: len(records), Requests: []summary{}}
	lines := 0
	for i := len(records) - 1; i >= 0; i-- {
		r := records[i]
		events, ok := f.match(r)
		if !ok {
			continue
		}
		answer.Total++
		switch {
		case before > 0 && r.ID >= before:
		case len(answer.Requests) >= limit || lines > maxLines:
			answer.More = true
		default:
			answer.Requests = append(answer.Requests, r.summarize(events))
			lines += len(events)
		}
	}
	return answer
}

func (l *Listener) clear(w http.ResponseWriter, _ *http.Request) {
	l.store.clear()
	w.WriteHeader(http.StatusNoContent)
}

// detail is everything about one request.
type detail struct {
	Summary    summary         `json:"summary"`
	Host       string          `json:"host"`
	Header     http.Header     `json:"header"`
	Body       *string         `json:"body,omitempty"`
	BodyBase64 string          `json:"body_base64,omitempty"` // if it is not text
	Events     []anymail.Event `json:"events"`
	// Report says why the request was refused, RightURL which URL would have been right
	// if there is no adapter at this one.
	Report   *inspect.Report `json:"report"`
	RightURL string          `json:"right_url"`
	// Signed is the body that was signed, if it differs from the one that arrived and
	// could be restored.
	Signed *string `json:"signed_body,omitempty"`
	// Forwards are what other servers answered.
	Forwards []sent `json:"forwards"`
}

func (l *Listener) show(w http.ResponseWriter, req *http.Request) {
	r := l.record(w, req)
	if r == nil {
		return
	}
	d := detail{Summary: r.summarize(r.lines), Host: r.Host, Header: r.Header.Clone(), Events: lighten(r), Forwards: l.store.sentOf(r.ID)}
	for name := range d.Header {
		if r.hides(name) {
			d.Header[name] = []string{hidden}
		}
	}
	if utf8.Valid(r.Body) {
		text := string(r.Body)
		d.Body = &text
	} else {
		d.BodyBase64 = base64.StdEncoding.EncodeToString(r.Body)
	}
	e := l.explain.explain(req.Context(), r)
	d.Report, d.RightURL = e.report, e.rightURL
	if e.signed != nil {
		text := string(e.signed)
		d.Signed = &text
	}
	writeJSON(w, d)
}

// lighten omits the contents of attachments, which the page fetches one by one.
func lighten(r *Record) []anymail.Event {
	light := make([]anymail.Event, 0, len(r.Events))
	for n := range r.Events {
		light = append(light, r.light(n))
	}
	return light
}

// http returns a request as HTTP text, for anymail inspect.
func (l *Listener) http(w http.ResponseWriter, req *http.Request) {
	r := l.record(w, req)
	if r == nil {
		return
	}
	header := r.Header.Clone()
	for name := range header {
		if r.hides(name) {
			header.Del(name)
		}
	}
	download(w, fmt.Sprintf("request-%d.http", r.ID))
	fmt.Fprintf(w, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.Path, r.Host)
	_ = header.Write(w)
	_, _ = io.WriteString(w, "\r\n")
	_, _ = w.Write(r.Body)
}

// download makes a browser save the answer, whatever is in it.
func download(w http.ResponseWriter, filename string) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": filename}))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
}

// record returns the record that the path names. If it is unknown, it answers 404 and
// returns nil.
func (l *Listener) record(w http.ResponseWriter, req *http.Request) *Record {
	id, err := strconv.ParseInt(chi.URLParam(req, "id"), 10, 64)
	if err == nil {
		if r := l.store.get(id); r != nil {
			return r
		}
	}
	http.NotFound(w, req)
	return nil
}

// message returns the message that the path names. If it is unknown, it answers 404
// and returns nil.
func (l *Listener) message(w http.ResponseWriter, req *http.Request) *anymail.InboundMessage {
	r := l.record(w, req)
	if r == nil {
		return nil
	}
	n, err := strconv.Atoi(chi.URLParam(req, "n"))
	if err == nil && n >= 0 && n < len(r.Events) {
		if in, ok := r.Events[n].(*anymail.InboundEvent); ok {
			return &in.Message
		}
	}
	http.NotFound(w, req)
	return nil
}

// html serves a message's HTML body without any abilities: no scripts, no forms,
// no requests. Pictures of the message are inlined, other pictures are not loaded.
func (l *Listener) html(w http.ResponseWriter, req *http.Request) {
	m := l.message(w, req)
	if m == nil {
		return
	}
	page := m.HTML
	for _, a := range m.Attachments {
		if a.ContentID != "" && pictures[a.ContentType] {
			page = strings.ReplaceAll(page, "cid:"+a.ContentID, "data:"+a.ContentType+";base64,"+base64.StdEncoding.EncodeToString(a.Content))
		}
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, page)
}

// pictures are the types that a browser may show. SVG can contain scripts.
var pictures = map[string]bool{"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true}

// source serves the message as it was sent, as text.
func (l *Listener) source(w http.ResponseWriter, req *http.Request) {
	m := l.message(w, req)
	if m == nil {
		return
	}
	if len(m.RawMIME) == 0 {
		http.Error(w, "the ESP posts messages in parts, without their source", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(m.RawMIME)
}

func (l *Listener) attachment(w http.ResponseWriter, req *http.Request) {
	m := l.message(w, req)
	if m == nil {
		return
	}
	n, err := strconv.Atoi(chi.URLParam(req, "a"))
	if err != nil || n < 0 || n >= len(m.Attachments) {
		http.NotFound(w, req)
		return
	}
	name := m.Attachments[n].Filename
	if name == "" {
		name = fmt.Sprintf("attachment-%d", n+1)
	}
	download(w, name)
	_, _ = w.Write(m.Attachments[n].Content)
}
