package inspect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/goanymail/anymail"
)

// causes explains why a signature does not match. What it claims it has tried:
// it asks the verifier about requests with the usual changes undone. If the body was
// changed in one of these ways, it also returns the one that was signed.
func (t *tries) causes() (hints []string, signed []byte) {
	offered, signedElse := false, false
	for _, s := range t.admitted.steps {
		for _, a := range s.Attempts {
			offered = offered || len(s.Offered) > 0
			signedElse = signedElse || a.Signed != nil && !bytes.Equal(a.Signed, a.Digest)
		}
	}
	if signedElse {
		hints = append(hints, "The key is the right one, but it signed something else: the body was changed on its way, or by the capture.")
	}
	if !offered {
		return hints, nil
	}
	if t.request.Changed {
		hints = append(hints, "The capture does not hold the body that was sent (see the notes above), so it cannot match.")
	}
	bodies := t.bodies()
	found, signed := t.tryBodies(bodies)
	found = slices.Concat(found, t.tryURLs(), t.tryKeys())
	if len(found) > 0 || len(hints) > 0 {
		return append(hints, found...), signed
	}
	for _, s := range t.admitted.steps {
		if len(s.Content) > 0 && bytes.HasPrefix(s.Content[0], []byte("http")) {
			hints = append(hints, "The URL is signed, and must be exactly the one that was entered at "+t.ESP.Title+": --url sets it.")
			break
		}
	}
	otherwise := "Either the key is not the one that signed, or the content is not what was signed. " + t.tried(bodies)
	if s, ok := t.keySetting(); ok && t.Settings[s.Name] != nil {
		otherwise += fmt.Sprintf(" What belongs into %s: %s.", s.Name, s.Help)
	}
	return append(hints, otherwise), nil
}

// tried lists the variants that do not match either, and those that it cannot try.
func (t *tries) tried(bodies []body) string {
	what := []string{"other line ends at the end of the body and in it"}
	missing := "values or members that were changed"
	if slices.ContainsFunc(bodies, func(b body) bool { return b.anew }) {
		what = append(what, "the JSON with other spaces, line ends and escapes, in each combination")
		missing = "JSON with members in another order, numbers written differently, or values that were changed"
	} else if json.Valid(t.admitted.payload.Body) {
		missing = "JSON that was written anew, since the body is long, or values that were changed"
	}
	if u, err := url.Parse(t.admitted.payload.URL); err == nil && u.Host != "" {
		what = append(what, "the URL with another scheme and slash, without port and query")
	}
	if len(t.keySettings) > 0 {
		what = append(what, "the keys given for other settings")
	}
	return "Tried without success: " + strings.Join(what, "; ") + ". Not tried: two of these at once, and " + missing + "."
}

func (t *tries) tryBodies(bodies []body) (hints []string, signed []byte) {
	for _, b := range bodies {
		content := b.content()
		if t.verifies(t.admitted.payload, func(p *anymail.Payload) { p.Body = content }) {
			return []string{"It is authentic " + b.hint + "."}, content
		}
	}
	return nil, nil
}

func (t *tries) tryURLs() []string {
	assumed := t.admitted.payload.URL
	u, err := url.Parse(assumed)
	if err != nil || u.Host == "" {
		return nil
	}
	for _, scheme := range []string{"https", "http"} {
		for _, host := range []string{u.Host, u.Hostname()} {
			for _, path := range []string{u.Path, strings.TrimSuffix(u.Path, "/"), u.Path + "/"} {
				for _, query := range []string{u.RawQuery, ""} {
					text := (&url.URL{Scheme: scheme, Host: host, Path: path, RawQuery: query}).String()
					if text != assumed && t.verifies(t.admitted.payload, func(p *anymail.Payload) { p.URL = text }) {
						return []string{fmt.Sprintf("It is authentic for the URL %s, and was taken for %s: the URL is signed. Give --url here, and WithPublicURL (or WithTrustedProxies) to the server.", text, assumed)}
					}
				}
			}
		}
	}
	return nil
}

// tryKeys tries the keys of one setting in another, and without what a
// clipboard adds.
func (t *tries) tryKeys() []string {
	for _, name := range t.keySettings {
		for _, s := range t.ESP.Settings {
			for _, key := range t.Settings[s.Name] {
				trimmed := strings.Trim(key, " \t\r\n\"'")
				if s.Name == name && trimmed == key {
					continue
				}
				other, err := t.withSetting(name, trimmed)
				if err != nil || other.endpoint.Verifier == nil || !other.verifies(t.admitted.payload, func(*anymail.Payload) {}) {
					continue
				}
				if s.Name == name {
					return []string{"It is authentic with the key without the spaces or quotes around it."}
				}
				return []string{fmt.Sprintf("It is authentic with what was given as %s: that is the key for %s.", s.Name, name)}
			}
		}
	}
	return nil
}
