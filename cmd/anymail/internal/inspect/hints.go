package inspect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/goanymail/anymail"
)

// hints says why a signature does not match. What it claims it has tried: it
// asks the verifier about requests that are changed back in the usual ways.
func (in *inspector) hints(ctx context.Context, p *passage) (hints []string) {
	offered := false
	for _, s := range p.steps {
		for _, a := range s.Attempts {
			offered = offered || len(s.Offered) > 0
			if a.Signed != nil && !bytes.Equal(a.Signed, a.Digest) {
				hints = append(hints, "The key is the right one, but it signed something else: the body was changed on its way, or by the capture.")
			}
		}
	}
	if !offered {
		return hints
	}
	if in.captured.Changed {
		hints = append(hints, "The capture does not hold the body that was sent (see the notes above), so it cannot match.")
	}
	tried := in.tryBodies(ctx, p)
	tried = append(tried, in.tryURLs(ctx, p)...)
	tried = append(tried, in.tryKeys(ctx, p)...)
	if len(tried) > 0 {
		return append(hints, tried...)
	}
	if len(hints) == 0 {
		for _, s := range p.steps {
			if len(s.Content) > 0 && bytes.HasPrefix(s.Content[0], []byte("http")) && len(hints) == 0 {
				hints = append(hints, "The URL is signed, and has to be the very one that was entered at "+in.ESP.Title+": --url says which.")
			}
		}
		hints = append(hints, "Either the key is not the one it was signed with, or the content is not the one that was signed. It is not a matter of line ends, JSON spacing, the URL's scheme or slash, or a key in another setting: these were tried."+in.rightKey())
	}
	return hints
}

// rightKey says which key it has to be.
func (in *inspector) rightKey() string {
	for _, name := range in.keyNames(in.endpoint.Path) {
		for _, s := range in.ESP.Settings {
			if s.Name == name && in.Settings[name] != nil {
				return fmt.Sprintf(" What belongs into %s: %s.", name, s.Help)
			}
		}
	}
	return ""
}

// verifies asks the endpoint's verifier about another request.
func verifies(ctx context.Context, e anymail.Endpoint, p *anymail.Payload, change func(*anymail.Payload)) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	other := &anymail.Payload{
		ESP: p.ESP, Name: p.Name, Endpoint: p.Endpoint, URL: p.URL, Header: p.Header, Body: p.Body,
		RemoteAddr: p.RemoteAddr, ReceivedAt: p.ReceivedAt, SecretProved: p.SecretProved, Limits: p.Limits,
	}
	change(other)
	_, err := e.Verifier.Verify(ctx, other)
	return err == nil
}

func (in *inspector) tryBodies(ctx context.Context, p *passage) []string {
	body := p.payload.Body
	unended := bytes.TrimRight(body, "\r\n")
	lf := bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	changes := []struct {
		body []byte
		hint string
	}{
		{unended, "without the line end at the end of the body: an editor or the capture has added it"},
		{bytes.TrimSpace(body), "without the spaces or line ends around the body: an editor or the capture has added them"},
		{slices.Concat(unended, []byte("\n")), "with a line end (LF) at the end of the body: the capture has lost it"},
		{slices.Concat(unended, []byte("\r\n")), "with a line end (CRLF) at the end of the body: the capture has lost it"},
		{lf, "with line ends LF in place of CRLF: the capture has changed them"},
		{bytes.ReplaceAll(lf, []byte("\n"), []byte("\r\n")), "with line ends CRLF in place of LF: the capture has changed them"},
	}
	for _, unescape := range []bool{false, true} {
		var b bytes.Buffer
		if json.Compact(&b, body) != nil {
			break
		}
		compact := b.Bytes()
		if unescape {
			compact = []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&", `\/`, "/").Replace(string(compact)))
		}
		changes = append(changes, struct {
			body []byte
			hint string
		}{compact, "with the JSON written without spaces: something has parsed the body and written it anew"})
	}
	for _, c := range changes {
		if !bytes.Equal(c.body, body) && verifies(ctx, in.endpoint, p.payload, func(p *anymail.Payload) { p.Body = c.body }) {
			return []string{"It is authentic " + c.hint + "."}
		}
	}
	return nil
}

func (in *inspector) tryURLs(ctx context.Context, p *passage) []string {
	u, err := url.Parse(p.payload.URL)
	if err != nil || u.Host == "" {
		return nil
	}
	for _, scheme := range []string{"https", "http"} {
		for _, host := range []string{u.Host, u.Hostname()} {
			for _, path := range []string{u.Path, strings.TrimSuffix(u.Path, "/"), u.Path + "/"} {
				for _, query := range []string{u.RawQuery, ""} {
					other := url.URL{Scheme: scheme, Host: host, Path: path, RawQuery: query}
					text := other.String()
					if text != p.payload.URL && verifies(ctx, in.endpoint, p.payload, func(p *anymail.Payload) { p.URL = text }) {
						return []string{fmt.Sprintf("It is authentic for the URL %s, and was taken for %s: the URL is signed. Give --url here, and WithPublicURL (or WithTrustedProxies) to the server.", text, p.payload.URL)}
					}
				}
			}
		}
	}
	return nil
}

// tryKeys tries the keys of one setting in another, and without what a
// clipboard adds.
func (in *inspector) tryKeys(ctx context.Context, p *passage) []string {
	for _, name := range in.keyNames(in.endpoint.Path) {
		for _, s := range in.ESP.Settings {
			for _, key := range in.Settings[s.Name] {
				trimmed := strings.Trim(key, " \t\r\n\"'")
				if s.Name == name && trimmed == key {
					continue
				}
				settings := with(in.Settings, name)
				settings[name] = []string{trimmed}
				adapter, err := in.adapter(settings)
				if err != nil {
					continue
				}
				e := find(adapter, in.endpoint.Path)
				if e.Verifier == nil || !verifies(ctx, e, p.payload, func(*anymail.Payload) {}) {
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
