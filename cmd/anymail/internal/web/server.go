package web

import (
	"bytes"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"github.com/goanymail/anymail"
)

//go:embed ui
var ui embed.FS

// Server serves the page and its API.
type Server struct {
	store  *Store
	mount  string // the path of the webhooks
	client *http.Client
	mux    *chi.Mux
}

// NewServer returns the page of a store. The page shows mount, the path under
// which webhooks are received.
func NewServer(store *Store, mount string) *Server {
	s := &Server{store: store, mount: mount, client: &http.Client{Timeout: 30 * time.Second}, mux: chi.NewMux()}
	files, err := fs.Sub(ui, "ui")
	if err != nil {
		panic(err) // the directory is compiled in
	}
	s.mux.Use(s.protect)
	s.mux.Get("/api/requests", s.list)
	s.mux.Delete("/api/requests", s.clear)
	s.mux.Get("/api/requests/{id}", s.show)
	s.mux.Get("/api/requests/{id}/events/{n}/html", s.html)
	s.mux.Get("/api/requests/{id}/events/{n}/attachments/{a}", s.attachment)
	s.mux.Get("/api/requests/{id}/http", s.saved)
	s.mux.Post("/api/requests/{id}/replay", s.replay)
	s.mux.Get("/api/stream", s.stream)
	s.mux.Handle("/*", http.FileServerFS(files))
	return s
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// protect keeps other sites from using a browser on this machine: through a name
// of theirs that resolves to it, or through requests that a form or script can make.
func (s *Server) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); ip == nil && host != "localhost" {
			http.Error(w, "open this page by an IP address or as localhost", http.StatusForbidden)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get("X-Anymail") != "1" {
			http.Error(w, "the header X-Anymail is missing", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// summary is a line of the list.
type summary struct {
	ID     int64     `json:"id"`
	Time   time.Time `json:"time"`
	Name   string    `json:"name"`
	Path   string    `json:"path"`
	Status int       `json:"status"`
	Error  string    `json:"error,omitempty"`
	Events []line    `json:"events"`
}

type line struct {
	ESP       string `json:"esp"`
	Type      string `json:"type"`
	Recipient string `json:"recipient"`
	Reason    string `json:"reason,omitempty"`
	Subject   string `json:"subject,omitempty"`
}

func summarize(r *Record) summary {
	s := summary{ID: r.ID, Time: r.Time, Name: r.Name, Path: r.Path, Status: r.Status, Events: []line{}}
	if r.Err != nil {
		s.Error = r.Err.Error()
	} else if r.Status == http.StatusNotFound {
		s.Error = "no adapter has this path"
	}
	for _, ev := range r.Events {
		l := line{ESP: ev.Base().ESP, Type: string(ev.Base().Type)}
		switch ev := ev.(type) {
		case *anymail.TrackingEvent:
			l.Recipient, l.Reason = ev.Recipient, string(ev.RejectReason)
		case *anymail.InboundEvent:
			l.Recipient, l.Subject = ev.Message.EnvelopeRecipient, ev.Message.Subject
			if l.Recipient == "" && len(ev.Message.To) > 0 {
				l.Recipient = ev.Message.To[0].Address
			}
		}
		s.Events = append(s.Events, l)
	}
	return s
}

func (s *Server) list(w http.ResponseWriter, _ *http.Request) {
	summaries := []summary{}
	for _, r := range s.store.List() {
		summaries = append(summaries, summarize(r))
	}
	writeJSON(w, map[string]any{"mount": s.mount, "requests": summaries})
}

func (s *Server) clear(w http.ResponseWriter, _ *http.Request) {
	s.store.Clear()
	w.WriteHeader(http.StatusNoContent)
}

// hidden are the headers whose values are not shown.
var hidden = []string{"Authorization", "Cookie"}

func (s *Server) show(w http.ResponseWriter, req *http.Request) {
	r := s.record(w, req)
	if r == nil {
		return
	}
	header := r.Header.Clone()
	for _, name := range hidden {
		if header.Get(name) != "" {
			header.Set(name, "(hidden)")
		}
	}
	detail := map[string]any{
		"summary": summarize(r), "method": r.Method, "path": r.Path, "header": header, "events": lighten(r.Events),
	}
	if utf8.Valid(r.Body) {
		detail["body"] = string(r.Body)
	} else {
		detail["body_base64"] = base64.StdEncoding.EncodeToString(r.Body)
	}
	writeJSON(w, detail)
}

// saved returns a request as HTTP text, for anymail inspect.
func (s *Server) saved(w http.ResponseWriter, req *http.Request) {
	r := s.record(w, req)
	if r == nil {
		return
	}
	header := r.Header.Clone()
	for _, name := range hidden {
		header.Del(name)
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fmt.Sprintf("request-%d.http", r.ID)}))
	fmt.Fprintf(w, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.Path, r.Host)
	_ = header.Write(w)
	_, _ = io.WriteString(w, "\r\n")
	_, _ = w.Write(r.Body)
}

// lighten omits the contents of attachments, which the page fetches one by one.
func lighten(events []anymail.Event) []anymail.Event {
	light := make([]anymail.Event, 0, len(events))
	for _, ev := range events {
		if in, ok := ev.(*anymail.InboundEvent); ok {
			c := *in
			c.Message.Attachments = append([]anymail.Attachment(nil), c.Message.Attachments...)
			for i := range c.Message.Attachments {
				c.Message.Attachments[i].Content = nil
			}
			ev = &c
		}
		light = append(light, ev)
	}
	return light
}

func (s *Server) record(w http.ResponseWriter, req *http.Request) *Record {
	id, err := strconv.ParseInt(chi.URLParam(req, "id"), 10, 64)
	if err == nil {
		if r := s.store.Get(id); r != nil {
			return r
		}
	}
	http.NotFound(w, req)
	return nil
}

func (s *Server) message(w http.ResponseWriter, req *http.Request) *anymail.InboundMessage {
	r := s.record(w, req)
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
func (s *Server) html(w http.ResponseWriter, req *http.Request) {
	m := s.message(w, req)
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

func (s *Server) attachment(w http.ResponseWriter, req *http.Request) {
	m := s.message(w, req)
	if m == nil {
		return
	}
	n, err := strconv.Atoi(chi.URLParam(req, "a"))
	if err != nil || n < 0 || n >= len(m.Attachments) {
		http.NotFound(w, req)
		return
	}
	a := m.Attachments[n]
	name := a.Filename
	if name == "" {
		name = fmt.Sprintf("attachment-%d", n+1)
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	_, _ = w.Write(a.Content)
}

// replay posts a request again, unchanged, to any URL.
func (s *Server) replay(w http.ResponseWriter, req *http.Request) {
	r := s.record(w, req)
	if r == nil {
		return
	}
	var ask struct {
		URL string `json:"url"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, 1<<16)).Decode(&ask); err != nil {
		http.Error(w, "the body must be JSON with a url", http.StatusBadRequest)
		return
	}
	target, err := url.Parse(ask.URL)
	if err != nil || (target.Scheme != "http" && target.Scheme != "https") || target.Host == "" {
		http.Error(w, "url: must be an http(s) URL", http.StatusBadRequest)
		return
	}
	again, err := http.NewRequestWithContext(req.Context(), r.Method, target.String(), bytes.NewReader(r.Body))
	if err != nil {
		http.Error(w, "url: must be a URL", http.StatusBadRequest)
		return
	}
	again.Header = r.Header.Clone()
	again.Header.Del("Content-Length")
	if target.User != nil {
		password, _ := target.User.Password()
		again.SetBasicAuth(target.User.Username(), password)
		again.URL.User = nil
	}
	begin := time.Now()
	resp, err := s.client.Do(again)
	if err != nil {
		var urlErr *url.Error
		if errors.As(err, &urlErr) {
			err = urlErr.Err
		}
		writeJSON(w, map[string]any{"error": err.Error()})
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	writeJSON(w, map[string]any{"status": resp.StatusCode, "body": strings.ToValidUTF8(string(body), "\uFFFD"), "milliseconds": time.Since(begin).Milliseconds()})
}

// stream sends a line for each request as it arrives, as server-sent events.
func (s *Server) stream(w http.ResponseWriter, req *http.Request) {
	ch, cancel := s.store.subscribe()
	defer cancel()
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // the stream does not end
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, ": hello\n\n")
	_ = control.Flush()
	beat := time.NewTicker(20 * time.Second)
	defer beat.Stop()
	for {
		select {
		case <-req.Context().Done():
			return
		case <-beat.C:
			_, _ = io.WriteString(w, ": still here\n\n")
		case r, ok := <-ch:
			if !ok {
				return // the page reloads the list and subscribes again
			}
			b, err := json.Marshal(summarize(r))
			if err != nil {
				continue
			}
			fmt.Fprintf(w, "data: %s\n\n", b)
		}
		if control.Flush() != nil {
			return
		}
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return // the page was closed
	}
}
