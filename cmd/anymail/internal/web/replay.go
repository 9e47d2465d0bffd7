package web

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// replay sends a request again, perhaps after a change: to this listener, or to a URL.
func (l *Listener) replay(w http.ResponseWriter, req *http.Request) {
	r := l.record(w, req)
	if r == nil {
		return
	}
	var ask struct {
		URL        string              `json:"url"`
		Sign       bool                `json:"sign"`
		Body       *string             `json:"body"`
		BodyBase64 *string             `json:"body_base64"`
		Header     map[string][]string `json:"header"`
	}
	if err := readJSON(w, req, &ask); err != nil {
		badRequest(w, err)
		return
	}
	again := l.request(r)
	if ask.BodyBase64 != nil {
		body, err := base64.StdEncoding.DecodeString(*ask.BodyBase64)
		if err != nil {
			badRequest(w, errors.New("body_base64: must be base64"))
			return
		}
		again.Body = body
	}
	if ask.Body != nil {
		again.Body = []byte(*ask.Body)
		again.Header.Del("Content-Encoding") // what is edited is text
	}
	if ask.Header != nil {
		again.Header = edited(again.Header, ask.Header)
	}
	if ask.URL == "" {
		writeJSON(w, l.again(req.Context(), r, again, ask.Sign))
		return
	}
	to, err := parseURL(ask.URL)
	if err != nil {
		badRequest(w, err)
		return
	}
	if to.Host == req.Host { // without a detour, so that it is shown as what it is
		again.URL = ask.URL
		writeJSON(w, l.again(req.Context(), r, again, ask.Sign))
		return
	}
	s := l.send(req.Context(), r, again, to, ask.Sign)
	l.store.addSent(r.ID, s)
	writeJSON(w, s)
}

const hidden = "(hidden)"

// edited returns the header as the user has changed it. A value that was not shown
// stays as it was.
func edited(original, changed map[string][]string) http.Header {
	header := http.Header{}
	for name, values := range changed {
		name = http.CanonicalHeaderKey(name)
		switch {
		case slices.Contains(connection, name):
		case slices.Equal(values, []string{hidden}):
			if before, ok := original[name]; ok {
				header[name] = before
			}
		default:
			header[name] = values
		}
	}
	return header
}

// maxReplays is how many requests can be sent again at once.
const maxReplays = 1000

// replayMany sends several requests again, one after the other: to this listener, or to
// their paths below a URL.
func (l *Listener) replayMany(w http.ResponseWriter, req *http.Request) {
	var ask struct {
		IDs  []int64 `json:"ids"`
		URL  string  `json:"url"`
		Sign bool    `json:"sign"`
	}
	if err := readJSON(w, req, &ask); err != nil {
		badRequest(w, err)
		return
	}
	if len(ask.IDs) == 0 || len(ask.IDs) > maxReplays {
		badRequest(w, fmt.Errorf("ids: must be from 1 to %d", maxReplays))
		return
	}
	mount, err := parseURL(ask.URL)
	if ask.URL != "" && err != nil {
		badRequest(w, err)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // each has its own limit
	type result struct {
		ID int64 `json:"id"`
		sent
	}
	results := []result{}
	for _, id := range ask.IDs {
		if req.Context().Err() != nil {
			return // the page was closed
		}
		r := l.store.get(id)
		switch {
		case r == nil:
			results = append(results, result{id, sent{Error: "the request is no longer kept"}})
		case ask.URL == "":
			results = append(results, result{id, l.again(req.Context(), r, l.request(r), ask.Sign)})
		case strings.HasPrefix(r.Path, Mount+"/"):
			s := l.send(req.Context(), r, l.request(r), r.below(mount), ask.Sign)
			l.store.addSent(id, s)
			results = append(results, result{id, s})
		default:
			results = append(results, result{id, sent{Error: "it was not posted below " + Mount}})
		}
	}
	writeJSON(w, map[string]any{"results": results})
}
