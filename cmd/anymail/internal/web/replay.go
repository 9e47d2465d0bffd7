package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// replay posts a request again, unchanged, to any URL.
func (l *Listener) replay(w http.ResponseWriter, req *http.Request) {
	r := l.record(w, req)
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
	resp, err := http.DefaultClient.Do(again)
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
