package inspect

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail/internal/provenance"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/internal/trace"
	"github.com/goanymail/anymail/simulator"
)

func checkSignature(_ context.Context, t *tries) *Check {
	o := t.admitted
	err := o.stages[anymail.StageVerify]
	switch {
	case o.stages[anymail.StageGuard] != nil:
		return nil
	case t.endpoint.Verifier == nil && t.Simulator.Signs(t.endpoint.Path):
		reason := "no key was given"
		if s, ok := t.keySetting(); ok {
			reason += fmt.Sprintf(": --set %s=..., %s", s.Name, s.Help)
		}
		return &Check{Result: Skipped, Reason: reason}
	case t.endpoint.Verifier == nil:
		return &Check{Result: Skipped, Reason: t.ESP.Title + " signs nothing here: the shared secret is what protects the endpoint"}
	case err == nil || errors.Is(err, anymail.ErrReplayed):
		return validSignature(t)
	}
	if c := t.foundSignature(); c != nil {
		return c
	}
	c := &Check{Result: Failed, Reason: reasonOf(err)}
	for _, s := range o.steps {
		c.Comparisons = append(c.Comparisons, t.compare(s))
	}
	if !errors.Is(err, anymail.ErrUnauthenticated) {
		c.Result = Open
		if len(o.traffic.refused) > 0 {
			c.Reason = "it needs " + o.traffic.refused[0].what
			c.Hints = append(c.Hints, "--fetch fetches it, --cert FILE gives it.")
		}
		return c
	}
	switch {
	case t.ESP.Name == "amazonses" && strings.EqualFold(t.request.Header.Get("X-Amz-Sns-Rawdelivery"), "true"):
		c.Hints = append(c.Hints, "Raw message delivery is switched on for this subscription, as the header X-Amz-Sns-Rawdelivery says, and SNS signs nothing then. Switch it off at Amazon SNS, or set accept_unsigned (AcceptUnsigned) with a shared secret.")
		return c
	case t.emptyBody():
		c.Hints = append(c.Hints, emptyBodyHint)
		return c
	}
	for _, comparison := range c.Comparisons {
		if len(comparison.Offered) == 0 && comparison.Place != "" {
			c.Hints = append(c.Hints, "There is no "+comparison.Place+", or it has not the expected form. It is set at "+t.ESP.Title+" together with the URL; or a proxy, or the capture, has dropped it.")
		}
	}
	causes, signed := t.causes()
	c.Hints, c.Signed = slices.Concat(c.Hints, t.missing(), causes), signed
	return c
}

func validSignature(t *tries) *Check {
	c := &Check{Result: OK, Reason: "valid"}
	for _, s := range t.admitted.steps {
		if s.Err != nil || len(s.Attempts) == 0 {
			continue
		}
		c.Comparisons = append(c.Comparisons, t.compare(s))
		for _, a := range s.Attempts {
			if a.Valid {
				c.Reason = fmt.Sprintf("valid by key %d, %s", a.Key+1, a.Kind)
			}
		}
	}
	if part, ok := covered[t.ESP.Name]; ok {
		c.Reason += "; it covers " + part + " only"
		c.Hints = append(c.Hints, "It does not prove the rest of the body: anyone who has seen one request can send another body with its signature. TLS, the time window and the replay check limit that.")
	}
	return c
}

// covered are the ESPs whose signatures do not cover the body.
//
// Source:
// https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
var covered = map[string]string{"mailgun": "timestamp and token"}

// keySetting is the setting that holds the keys of the endpoint.
func (t *tries) keySetting() (esp.Setting, bool) {
	i := slices.IndexFunc(t.ESP.Settings, func(s esp.Setting) bool { return len(t.keySettings) > 0 && s.Name == t.keySettings[0] })
	if i < 0 {
		return esp.Setting{}, false
	}
	return t.ESP.Settings[i], true
}

// compare describes what a verifier compared.
func (t *tries) compare(s trace.Step) Comparison {
	content := bytes.Join(s.Content, nil)
	c := Comparison{
		SignedAt: s.SignedAt, Error: reasonOf(s.Err), Signed: t.withoutPassword(string(content)), SignedBytes: len(content),
		Secret: slices.ContainsFunc(s.Attempts, func(a trace.Attempt) bool { return a.Kind == "secret" }),
	}
	write := hex.EncodeToString
	for _, offered := range s.Offered {
		if len(offered) == 0 {
			continue
		}
		place, encode := placeOf(t.admitted.payload, offered)
		if c.Place == "" {
			c.Place, write = place, encode
		}
		if c.Secret {
			encode = func(b []byte) string { return masked(string(b)) }
		}
		c.Offered = append(c.Offered, encode(offered))
	}
	if c.Place == "" && s.Header != "" {
		c.Place = "header " + s.Header
	}
	for _, a := range s.Attempts {
		k := Key{Number: a.Key + 1, Kind: a.Kind, Valid: a.Valid}
		switch {
		case c.Secret:
			k.Computed = masked(string(a.Expected))
		case a.Expected != nil:
			k.Computed = write(a.Expected)
		default:
			k.Digest, k.Signed = hex.EncodeToString(a.Digest), hex.EncodeToString(a.Signed)
		}
		c.Keys = append(c.Keys, k)
	}
	return c
}

// withoutPassword removes the password that a signed URL may have.
func (t *tries) withoutPassword(s string) string {
	user, password, _ := (&http.Request{Header: t.request.Header}).BasicAuth()
	if password == "" {
		return s
	}
	for _, credentials := range []string{user + ":" + password, url.UserPassword(user, password).String()} {
		s = strings.Replace(s, credentials+"@", user+":…@", 1)
	}
	return s
}

// placeOf finds a signature in a request, and how it is encoded there.
func placeOf(p *anymail.Payload, signature []byte) (place string, encode func([]byte) string) {
	encodings := []func([]byte) string{
		hex.EncodeToString,
		func(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) },
		base64.StdEncoding.EncodeToString,
		func(b []byte) string { return string(b) },
	}
	for _, encode := range encodings {
		text := encode(signature)
		for _, name := range slices.Sorted(maps.Keys(p.Header)) {
			if slices.ContainsFunc(p.Header[name], func(v string) bool { return strings.Contains(v, text) }) {
				return "header " + name, encode
			}
		}
		for _, m := range provenance.Members(p.Header.Get("Content-Type"), p.Body) {
			if m.Value == text {
				return "body " + m.Path, encode
			}
		}
	}
	return "", encodings[0]
}

// missing compares the request with a genuine one: which headers and members of
// the signature does it lack?
func (t *tries) missing() []string {
	i := slices.IndexFunc(t.Simulator.Samples, func(s simulator.Sample) bool { return s.Endpoint == t.endpoint.Path })
	if i < 0 || !t.Simulator.Signs(t.endpoint.Path) || t.Simulator.NewCredential == nil {
		return nil
	}
	genuine := t.Simulator.Samples[i].Make(simulator.NewParams())
	genuine.URL, genuine.Header = "https://hooks.example.com/", genuine.Header.Clone()
	plainHeader, plainPaths := genuine.Header.Clone(), paths(genuine.Header, genuine.Body)
	if t.Simulator.SignNow(&genuine, t.Simulator.NewCredential()) != nil {
		return nil
	}
	payload := t.admitted.payload
	var lacks []string
	for _, name := range slices.Sorted(maps.Keys(genuine.Header)) {
		if _, before := plainHeader[name]; !before && len(payload.Header.Values(name)) == 0 {
			lacks = append(lacks, "the header "+name)
		}
	}
	if here := paths(payload.Header, payload.Body); media(genuine.Header) == media(payload.Header) {
		for _, path := range paths(genuine.Header, genuine.Body) {
			if !slices.Contains(plainPaths, path) && !slices.Contains(here, path) {
				lacks = append(lacks, "the member "+path)
			}
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("A signed request of %s has %s, and this one has not. Either signing is not switched on there, or a proxy, or the capture, has dropped it.", t.ESP.Title, strings.Join(lacks, " and "))}
}

func media(h http.Header) string {
	m, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(m))
}

func paths(h http.Header, body []byte) []string {
	var list []string
	for _, m := range provenance.Members(h.Get("Content-Type"), body) {
		list = append(list, m.Path)
	}
	return list
}
