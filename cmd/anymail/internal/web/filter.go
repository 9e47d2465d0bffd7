package web

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// filter selects requests, and events of them. Its zero value selects all.
type filter struct {
	words   []string // lower case; each must occur
	esp     string
	account string
	typ     string
	reason  string
	answer  string // "accepted", "refused", "unrouted" or ""
	status  int    // or 0
	from    time.Time
	to      time.Time
}

// parseFilter reads the parameters that all lists have in common.
func parseFilter(q url.Values, now time.Time) (filter, error) {
	f := filter{
		words: strings.Fields(strings.ToLower(clip(q.Get("q"), 1<<10))),
		esp:   q.Get("esp"), account: q.Get("account"), typ: q.Get("type"), reason: q.Get("reason"),
	}
	switch answer := q.Get("answer"); answer {
	case "", "accepted", "refused", "unrouted":
		f.answer = answer
	default:
		status, err := strconv.Atoi(answer)
		if err != nil || status < 100 || status > 999 {
			return f, fmt.Errorf("answer: must be accepted, refused, unrouted or a status")
		}
		f.status = status
	}
	var err error
	if f.from, err = parseMoment("from", q.Get("from"), now); err != nil {
		return f, err
	}
	f.to, err = parseMoment("to", q.Get("to"), now)
	return f, err
}

// parseMoment reads a time in RFC 3339, or how long ago it was, such as "30m".
func parseMoment(name, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	return time.Time{}, fmt.Errorf("%s: must be a time such as 2026-09-21T14:13:20Z, or how long ago it was, such as 30m", name)
}

// match reports whether a record is selected, and which of its events are. Words that
// stand in the request and not in one event, such as a header, select all events.
func (f *filter) match(r *Record) (events []line, ok bool) {
	if !f.matchesRequest(r) {
		return nil, false
	}
	if len(r.lines) == 0 {
		ok := f.typ == "" && f.reason == "" && (f.esp == "" || f.esp == r.ESP) && f.hasWords(r.text)
		return nil, ok
	}
	possible := r.lines
	if f.esp != "" || f.typ != "" || f.reason != "" {
		possible = those(possible, func(l *line) bool {
			return (f.esp == "" || f.esp == l.ESP) && (f.typ == "" || f.typ == l.Type) && (f.reason == "" || f.reason == l.Reason)
		})
	}
	if found := those(possible, func(l *line) bool { return f.hasWords(l.text) }); len(found) > 0 {
		return found, true
	}
	if len(possible) > 0 && f.somewhere(r, possible) {
		return possible, true
	}
	return nil, false
}

// those returns the elements that meet a condition. If all do, it is the list itself,
// since most lists have one element.
func those(list []line, meets func(*line) bool) []line {
	for i := range list {
		if meets(&list[i]) {
			continue
		}
		kept := slices.Clone(list[:i])
		for j := i + 1; j < len(list); j++ {
			if meets(&list[j]) {
				kept = append(kept, list[j])
			}
		}
		return kept
	}
	return list
}

func (f *filter) matchesRequest(r *Record) bool {
	switch {
	case f.account != "" && f.account != r.Name,
		!f.from.IsZero() && r.Time.Before(f.from), !f.to.IsZero() && !r.Time.Before(f.to),
		f.status != 0 && f.status != r.Status,
		f.answer == "accepted" && r.refused(), f.answer == "refused" && !r.refused(), f.answer == "unrouted" && !r.unrouted():
		return false
	}
	for _, word := range f.words {
		if !r.has.mayContain(word) {
			return false
		}
	}
	return true
}

func (f *filter) hasWords(text string) bool {
	for _, word := range f.words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// somewhere reports whether each word stands in the request or in one of the events.
func (f *filter) somewhere(r *Record, events []line) bool {
words:
	for _, word := range f.words {
		if strings.Contains(r.text, word) {
			continue
		}
		for i := range events {
			if strings.Contains(events[i].text, word) {
				continue words
			}
		}
		return false
	}
	return true
}
