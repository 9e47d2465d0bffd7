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
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail/internal/provenance"
	"github.com/goanymail/anymail/internal/trace"
	"github.com/goanymail/anymail/simulator"
)

// checkSecret says what became of the shared secret.
func (in *inspector) checkSecret(guard error) {
	user, password, given := (&http.Request{Header: in.captured.Header}).BasicAuth()
	c := Check{Name: CheckSecret, Result: OK, Reason: fmt.Sprintf("of user %q", user)}
	switch {
	case len(in.Secrets) == 0:
		c.Result, c.Reason = Skipped, "none was given (--secret)"
		if in.endpoint.NeedsSecret {
			c.Hints = append(c.Hints, "Without one the signature alone proves little here: "+in.ESP.Title+" signs for everybody. Give --secret, or say whose it has to be by --set.")
		}
		if given {
			c.Reason += fmt.Sprintf(", though the request carries one of user %q", user)
		}
	case errors.Is(guard, anymail.ErrUnauthenticated):
		c.Result, c.Reason = Failed, reasonOf(guard)
		comparison := Comparison{Place: "header Authorization", Secret: true}
		if given {
			comparison.Offered = []string{user + ":" + masked(password)}
		}
		sameUser := false
		for i, secret := range in.Secrets {
			configured, p, _ := strings.Cut(secret, ":")
			sameUser = sameUser || configured == user
			comparison.Keys = append(comparison.Keys, Key{Number: i + 1, Kind: "secret", Computed: configured + ":" + masked(p)})
		}
		c.Comparisons = []Comparison{comparison}
		switch authorization := in.captured.Header.Get("Authorization"); {
		case authorization == "":
			c.Hints = append(c.Hints, "The request has no Authorization header. Is the URL at the ESP https://user:password@...? Does a proxy, or the capture, drop the header?")
		case !given:
			c.Hints = append(c.Hints, "The Authorization header is not of the kind Basic: it is a token that the ESP was given.")
		case sameUser:
			c.Hints = append(c.Hints, "The user is right, the password is another one. Was it changed on one side only? Are special characters in the URL at the ESP escaped (%40 for @)?")
		}
	}
	in.add(c)
}

// masked shows what is enough to tell two secrets apart that are not alike.
func masked(secret string) string {
	if n := len([]rune(secret)); n >= 12 {
		return fmt.Sprintf("%s… (%d characters)", string([]rune(secret)[:2]), n)
	}
	return fmt.Sprintf("… (%d characters)", len([]rune(secret)))
}

// checkSignature says what became of the signature.
func (in *inspector) checkSignature(ctx context.Context, p *passage) {
	c := Check{Name: CheckSignature, Result: OK}
	err := p.stages[anymail.StageVerify]
	if in.endpoint.Verifier == nil {
		c.Result = Skipped
		if in.Simulator.Signs(in.endpoint.Path) {
			c.Reason = "no key was given" + in.keyHelp()
		} else {
			c.Reason = in.ESP.Title + " signs nothing here: the shared secret is what protects the endpoint"
		}
		in.add(c)
		return
	}
	if err == nil || errors.Is(err, anymail.ErrReplayed) {
		c.Reason = "valid"
		for _, s := range p.steps {
			if s.Err != nil || len(s.Attempts) == 0 {
				continue
			}
			c.Comparisons = append(c.Comparisons, in.compare(p, s))
			for _, a := range s.Attempts {
				if a.Valid {
					c.Reason = fmt.Sprintf("valid by key %d, %s", a.Key+1, a.Kind)
				}
			}
		}
		in.add(c)
		return
	}
	c.Result, c.Reason = Failed, reasonOf(err)
	for _, s := range p.steps {
		c.Comparisons = append(c.Comparisons, in.compare(p, s))
	}
	if !errors.Is(err, anymail.ErrUnauthenticated) {
		c.Result = Open
		if len(p.refused) > 0 {
			c.Reason = "it takes " + p.refused[0].what
			c.Hints = append(c.Hints, "--fetch fetches it, --cert FILE gives it.")
		}
		in.add(c)
		return
	}
	for _, comparison := range c.Comparisons {
		if len(comparison.Offered) == 0 && comparison.Place != "" {
			c.Hints = append(c.Hints, "There is no "+comparison.Place+", or not in the form that was expected. It is set at "+in.ESP.Title+" along with the URL; or a proxy, or the capture, has dropped it.")
		}
	}
	in.gate.open = false
	c.Hints = slices.Concat(c.Hints, in.missing(p), in.hints(ctx, p))
	in.add(c)
}

// keyHelp names the settings that have the keys.
func (in *inspector) keyHelp() string {
	var b strings.Builder
	for _, name := range in.keyNames(in.endpoint.Path) {
		for _, s := range in.ESP.Settings {
			if s.Name == name {
				fmt.Fprintf(&b, ": --set %s=..., %s", name, s.Help)
				return b.String()
			}
		}
	}
	return ""
}

// compare puts what a verifier compared into words.
func (in *inspector) compare(p *passage, s trace.Step) Comparison {
	c := Comparison{SignedAt: s.SignedAt, Error: reasonOf(s.Err)}
	content := bytes.Join(s.Content, nil)
	c.Signed, c.SignedBytes = in.withoutPassword(string(content)), len(content)
	c.Secret = slices.ContainsFunc(s.Attempts, func(a trace.Attempt) bool { return a.Kind == "secret" })
	write := hex.EncodeToString
	for _, offered := range s.Offered {
		if len(offered) == 0 {
			continue
		}
		place, encode := placeOf(p.payload, offered)
		if c.Place == "" {
			c.Place, write = place, encode
		}
		if c.Secret {
			c.Offered = append(c.Offered, masked(string(offered)))
		} else {
			c.Offered = append(c.Offered, encode(offered))
		}
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

// withoutPassword takes out what a signed URL may have.
func (in *inspector) withoutPassword(s string) string {
	user, password, _ := (&http.Request{Header: in.captured.Header}).BasicAuth()
	if password == "" {
		return s
	}
	for _, credentials := range []string{user + ":" + password, url.UserPassword(user, password).String()} {
		s = strings.Replace(s, credentials+"@", user+":…@", 1)
	}
	return s
}

// placeOf says where in a request a signature stands, and how it is written.
func placeOf(p *anymail.Payload, signature []byte) (string, func([]byte) string) {
	forms := []func([]byte) string{
		hex.EncodeToString,
		func(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) },
		base64.StdEncoding.EncodeToString,
		func(b []byte) string { return string(b) },
	}
	if len(signature) == 0 {
		return "", forms[0]
	}
	for _, form := range forms {
		text := form(signature)
		for _, name := range slices.Sorted(maps.Keys(p.Header)) {
			if slices.ContainsFunc(p.Header[name], func(v string) bool { return strings.Contains(v, text) }) {
				return "header " + name, form
			}
		}
		for _, m := range provenance.Members(p.Header.Get("Content-Type"), p.Body) {
			if m.Value == text {
				return "body " + m.Path, form
			}
		}
	}
	return "", forms[0]
}

// missing tells what a signed request of the ESP has and this one has not.
func (in *inspector) missing(p *passage) []string {
	i := slices.IndexFunc(in.Simulator.Samples, func(s simulator.Sample) bool { return s.Endpoint == in.endpoint.Path })
	if i < 0 || !in.Simulator.Signs(in.endpoint.Path) || in.Simulator.NewCredential == nil {
		return nil
	}
	genuine := in.Simulator.Samples[i].Make(simulator.NewParams())
	genuine.URL, genuine.Header = "https://hooks.example.com/", genuine.Header.Clone()
	plainHeader := genuine.Header.Clone()
	plainMembers := paths(genuine.Header, genuine.Body)
	if in.Simulator.SignNow(&genuine, in.Simulator.NewCredential()) != nil {
		return nil
	}
	var lacks []string
	for _, name := range slices.Sorted(maps.Keys(genuine.Header)) {
		if _, before := plainHeader[name]; !before && len(p.payload.Header.Values(name)) == 0 {
			lacks = append(lacks, "the header "+name)
		}
	}
	signed, here := paths(genuine.Header, genuine.Body), paths(p.payload.Header, p.payload.Body)
	if media(genuine.Header) == media(p.payload.Header) {
		for _, path := range signed {
			if !slices.Contains(plainMembers, path) && !slices.Contains(here, path) {
				lacks = append(lacks, "the member "+path)
			}
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("A signed request of %s has %s, and this one has not. Either signing is not switched on there, or a proxy, or the capture, has dropped it.", in.ESP.Title, strings.Join(lacks, " and "))}
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

// checkTime says how old the signature is.
func (in *inspector) checkTime(p *passage) {
	at, err := p.proof.SignedAt, p.stages[anymail.StageVerify]
	if at.IsZero() {
		for _, s := range p.steps {
			if at.IsZero() {
				at = s.SignedAt
			}
		}
	}
	if at.IsZero() {
		return
	}
	window := in.endpoint.Window
	if window == 0 {
		window = anymail.DefaultTimestampWindow
	}
	c := Check{Name: CheckTime, Result: OK}
	signed := fmt.Sprintf("signed %s, %s", at.Format(time.DateTime+" MST"), distance(time.Since(at), "ago", "from now"))
	if !in.timed {
		c.Result, c.Reason = Skipped, signed+"; when it was received is not known (--at TIME)"
		in.add(c)
		return
	}
	age := in.now.Sub(at)
	c.Reason = fmt.Sprintf("%s, %s it was received; the window is %s", signed, distance(age, "before", "after"), duration(window))
	if age.Abs() > window || errors.Is(err, anymail.ErrReplayed) {
		c.Result = Failed
		if age > 0 {
			c.Hints = append(c.Hints, "It came too late: a replay, a retry that is signed with the first attempt's time, or this side's clock is ahead.")
		} else {
			c.Hints = append(c.Hints, "It is of the future: this side's clock is behind, or --at is too early.")
		}
	}
	in.add(c)
}

// distance says how far apart two times are.
func distance(d time.Duration, before, after string) string {
	if d < 0 {
		return duration(-d) + " " + after
	}
	return duration(d) + " " + before
}

// duration is d in the two largest units that matter.
func duration(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	case d >= time.Hour:
		return strings.TrimSuffix(strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s"), "0m")
	case d >= time.Minute:
		return strings.TrimSuffix(d.Truncate(time.Second).String(), "0s")
	}
	return d.Truncate(time.Second).String()
}
