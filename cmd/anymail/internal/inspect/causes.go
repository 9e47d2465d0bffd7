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
// it asks the verifier about requests with the usual changes undone.
func (t *tries) causes() (hints []string) {
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
		return hints
	}
	if t.request.Changed {
		hints = append(hints, "The capture does not hold the body that was sent (see the notes above), so it cannot match.")
	}
	tried := slices.Concat(t.tryBodies(), t.tryURLs(), t.tryKeys())
	if len(tried) > 0 || len(hints) > 0 {
		return append(hints, tried...)
	}
	for _, s := range t.admitted.steps {
		if len(s.Content) > 0 && bytes.HasPrefix(s.Content[0], []byte("http")) {
			hints = append(hints, "The URL is signed, and must be exactly the one that was entered at "+t.ESP.Title+": --url sets it.")
			break
		}
	}
	otherwise := "Either the key is not the one that signed, or the content is not what was signed. Line ends, JSON spacing, the URL's scheme and slash, and keys in another setting are not the cause: these were tried."
	if s, ok := t.keySetting(); ok && t.Settings[s.Name] != nil {
		otherwise += fmt.Sprintf(" What belongs into %s: %s.", s.Name, s.Help)
	}
	return append(hints, otherwise)
}

func (t *tries) tryBodies() []string {
	body := t.admitted.payload.Body
	unended := bytes.TrimRight(body, "\r\n")
	lf := bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	type change struct {
		body []byte
		hint string
	}
	changes := []change{
		{unended, "without the line end at the end of the body: an editor or the capture has added it"},
		{bytes.TrimSpace(body), "without the spaces or line ends around the body: an editor or the capture has added them"},
		{slices.Concat(unended, []byte("\n")), "with a line end (LF) at the end of the body: the capture has lost it"},
		{slices.Concat(unended, []byte("\r\n")), "with a line end (CRLF) at the end of the body: the capture has lost it"},
		{lf, "with line ends LF in place of CRLF: the capture has changed them"},
		{bytes.ReplaceAll(lf, []byte("\n"), []byte("\r\n")), "with line ends CRLF in place of LF: the capture has changed them"},
	}
	var compact bytes.Buffer
	if json.Compact(&compact, body) == nil {
		const hint = "with the JSON written without spaces: something has parsed the body and written it again"
		unescaped := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&", `\/`, "/").Replace(compact.String())
		changes = append(changes, change{compact.Bytes(), hint}, change{[]byte(unescaped), hint})
	}
	for _, c := range changes {
		if !bytes.Equal(c.body, body) && t.verifies(t.admitted.payload, func(p *anymail.Payload) { p.Body = c.body }) {
			return []string{"It is authentic " + c.hint + "."}
		}
	}
	return nil
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
