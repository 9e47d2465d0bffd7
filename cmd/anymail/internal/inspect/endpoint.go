package inspect

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/simulator"
)

// found is the endpoint that a request is for.
type found struct {
	path   string
	notes  []string
	needed string // the setting without which a server does not have the endpoint
}

// find finds the endpoint: the one of the options, the one in the URL, or else
// one that understands the body.
func (a attempt) find(ctx context.Context) (found, error) {
	adapter, err := a.adapter()
	if err != nil {
		return found{}, err
	}
	endpoints := adapter.Endpoints()
	if a.Endpoint != nil {
		if plain(endpointOf(adapter, *a.Endpoint).Path) == plain(*a.Endpoint) {
			return found{path: *a.Endpoint}, nil
		}
		var known []string
		for _, e := range endpoints {
			known = append(known, fmt.Sprintf("%q", e.Path))
		}
		return found{}, fmt.Errorf("%w: %s has no endpoint %q with these settings; it has %s", anymail.ErrConfig, a.ESP.Title, *a.Endpoint, strings.Join(known, ", "))
	}
	if f, ok := a.findByURL(endpoints); ok {
		return f, nil
	}
	if len(endpoints) == 1 {
		return found{path: endpoints[0].Path}, nil
	}
	for _, e := range endpoints {
		a.endpoint = e
		o, err := a.withoutVerifier().asPost().try(ctx)
		if err != nil {
			return found{}, err
		}
		if slices.ContainsFunc(o.Events, func(ev anymail.Event) bool { return ev.Base().Type != anymail.EventUnknown }) {
			return found{path: e.Path, notes: []string{fmt.Sprintf("the URL does not name the endpoint: %q understands the body (--endpoint chooses)", e.Path)}}, nil
		}
	}
	path := endpoints[0].Path
	return found{path: path, notes: []string{fmt.Sprintf("neither URL nor body tells the endpoint: %q is assumed (--endpoint chooses)", path)}}, nil
}

func (a attempt) findByURL(endpoints []anymail.Endpoint) (found, bool) {
	u, err := url.Parse(a.request.URL)
	if err != nil {
		return found{}, false
	}
	segments := strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })
	for _, segment := range slices.Backward(segments) {
		for _, e := range endpoints {
			if plain(e.Path) == plain(segment) || e.Path == "" && plain(segment) == a.ESP.Name {
				return found{path: e.Path}, true
			}
		}
		if name := a.settingFor(segment); name != "" {
			note := fmt.Sprintf("a server has %q only if %s is set: without it, it answers 404", printableASCII(segment), name)
			return found{path: segment, needed: name, notes: []string{note}}, true
		}
	}
	return found{}, false
}

// settingFor returns the setting with which there is an endpoint, or "".
func (a attempt) settingFor(path string) string {
	for _, s := range a.ESP.Settings {
		if a.Settings[s.Name] != nil || !s.Secret {
			continue
		}
		if other, err := a.withSetting(s.Name, "none"); err == nil {
			if other, err = other.at(path); err == nil && plain(other.endpoint.Path) == plain(path) {
				return s.Name
			}
		}
	}
	return ""
}

func printableASCII(s string) string { return strings.Trim(fmt.Sprintf("%+q", s), `"`) }

// KeySettings returns the names of the settings that hold the keys with which
// requests to an endpoint are verified, the usual one first. They are those with
// which the endpoint has a verifier.
func KeySettings(spec esp.Spec, sim *simulator.Simulator, path string) []string {
	verified := func(settings map[string][]string) (bool, error) {
		adapter, err := spec.Adapter(esp.Values{Settings: settings})
		if err != nil {
			return false, err
		}
		e := endpointOf(adapter, path)
		return plain(e.Path) == plain(path) && e.Verifier != nil, nil
	}
	if always, _ := verified(nil); always {
		return nil
	}
	probe := "probe"
	if sim != nil && sim.NewCredential != nil {
		if config := sim.NewCredential().Config; config != "" {
			probe = config
		}
	}
	others := map[string][]string{} // what a key may need in addition
	for _, s := range spec.Settings {
		settings := map[string][]string{s.Name: {probe}}
		if ok, err := verified(settings); err == nil && !ok && s.Secret && strings.HasPrefix(s.Name, "api_") {
			others[s.Name] = []string{probe}
		}
	}
	var names []string
	for _, s := range spec.Settings {
		settings := maps.Clone(others)
		settings[s.Name] = []string{probe}
		if ok, err := verified(settings); ok && err == nil {
			names = append(names, s.Name)
		}
	}
	return names
}
