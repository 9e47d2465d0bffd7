package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

//go:embed ui
var ui embed.FS

// routes returns the handler of the page and of the API.
func (l *Listener) routes() http.Handler {
	files, err := fs.Sub(ui, "ui")
	if err != nil {
		panic(err) // the directory is compiled in
	}
	r := chi.NewMux()
	r.Use(protect)
	r.Get("/api/settings", l.settings)
	r.Get("/api/esps", l.esps)
	r.Get("/api/stats", l.stats)
	r.Get("/api/stream", l.stream)
	r.Get("/api/export", l.exported)
	r.Post("/api/import", l.imported)
	r.Get("/api/events", l.events)
	r.Get("/api/wait", l.wait)
	r.Get("/api/requests", l.list)
	r.Delete("/api/requests", l.clear)
	r.Get("/api/requests/{id}", l.show)
	r.Get("/api/requests/{id}/http", l.http)
	r.Get("/api/requests/{id}/curl", l.curl)
	r.Get("/api/requests/{id}/gotest", l.goTest)
	r.Get("/api/requests/{id}/events/{n}/html", l.html)
	r.Get("/api/requests/{id}/events/{n}/source", l.source)
	r.Get("/api/requests/{id}/events/{n}/attachments/{a}", l.attachment)
	r.Post("/api/requests/{id}/replay", l.replay)
	r.Post("/api/replay", l.replayMany)
	r.Post("/api/trigger", l.trigger)
	r.Get("/api/answer", l.getAnswer)
	r.Put("/api/answer", l.putAnswer)
	r.Get("/api/forward", l.getForward)
	r.Put("/api/forward", l.putForward)
	r.Handle("/*", http.FileServerFS(files))
	return r
}

// protect keeps other sites from using a browser on this machine: through a name
// of theirs that resolves to it, or through requests that a form or script can make.
// It also keeps everyone out who comes through the tunnel that webhooks need, even if
// the tunnel rewrites the host.
func protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); ip == nil && host != "localhost" {
			http.Error(w, "open this page by an IP address or as localhost", http.StatusForbidden)
			return
		}
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "Forwarded"} {
			if len(r.Header[name]) > 0 {
				http.Error(w, "this page is not served through a tunnel or proxy", http.StatusForbidden)
				return
			}
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

// stream sends a summary of each request as it arrives, as server-sent events.
func (l *Listener) stream(w http.ResponseWriter, req *http.Request) {
	ch, cancel, err := l.store.subscribe()
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
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
		case n, ok := <-ch:
			if !ok {
				return // the page reloads the list and subscribes again
			}
			b, err := json.Marshal(n.data)
			if err != nil {
				continue
			}
			fmt.Fprintf(w, "event: %s\ndata: %s\n\n", n.event, b)
		}
		if control.Flush() != nil {
			return
		}
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // people read it, too, and it is never within HTML
	if err := encoder.Encode(v); err != nil {
		return // the page was closed
	}
}

// readJSON reads the body of a request to the API. Its error is for the client.
func readJSON(w http.ResponseWriter, req *http.Request, v any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, req.Body, bodyLimit))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return fmt.Errorf("the body must be JSON: %w", err)
	}
	return nil
}

// badRequest answers with what is wrong.
func badRequest(w http.ResponseWriter, err error) { http.Error(w, err.Error(), http.StatusBadRequest) }
