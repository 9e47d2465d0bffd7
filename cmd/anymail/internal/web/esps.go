package web

import (
	"net/http"
	"strings"

	"github.com/goanymail/anymail"
)

// sampleInfo describes an event that can be triggered.
type sampleInfo struct {
	Name      string              `json:"name"`
	Endpoint  string              `json:"endpoint"`
	Types     []anymail.EventType `json:"types"`
	Reason    string              `json:"reason,omitempty"`
	TakesMIME bool                `json:"takes_mime,omitempty"` // its message can be given as eml
	Fetched   bool                `json:"fetched,omitempty"`    // the ESP's web API has a part of it, which a made-up event lacks
}

type espInfo struct {
	Name    string       `json:"name"`
	Title   string       `json:"title"`
	Signs   bool         `json:"signs"`
	Samples []sampleInfo `json:"samples"`
}

// esps returns which ESPs there are, and the events that can be triggered.
func (l *Listener) esps(w http.ResponseWriter, _ *http.Request) {
	list := []espInfo{}
	for _, e := range l.options.ESPs {
		info := espInfo{Name: e.Spec.Name, Title: e.Spec.Title, Signs: e.Spec.Signature != "", Samples: []sampleInfo{}}
		if e.Simulator != nil {
			for _, s := range e.Simulator.Samples {
				types := s.Types
				if types == nil {
					types = []anymail.EventType{}
				}
				info.Samples = append(info.Samples, sampleInfo{s.Name, s.Endpoint, types, string(s.Reason), s.TakesMIME, s.Fetched})
			}
		}
		list = append(list, info)
	}
	writeJSON(w, list)
}

// find returns an ESP by its name.
func (l *Listener) find(name string) (ESP, bool) {
	name = strings.ReplaceAll(name, "_", "")
	for _, e := range l.options.ESPs {
		if e.Spec.Name == name {
			return e, true
		}
	}
	return ESP{}, false
}

// settings returns what the page has to know about the listener.
func (l *Listener) settings(w http.ResponseWriter, _ *http.Request) {
	signed := []string{}
	for _, e := range l.options.ESPs {
		if len(l.options.Settings[e.Spec.Name]) > 0 {
			signed = append(signed, e.Spec.Name)
		}
	}
	writeJSON(w, map[string]any{
		"mount": Mount, "version": l.options.Version, "keep": l.options.Keep, "store": l.options.Store != "", "signed": signed,
		"secret": len(l.options.Secrets) > 0,
	})
}
