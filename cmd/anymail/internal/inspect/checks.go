package inspect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/cli"
)

// checks are all checks, in the order of the report. One that does not apply
// finds nothing.
var checks = []struct {
	name string
	run  func(context.Context, *tries) *Check
}{
	{CheckRequest, checkRequest},
	{CheckSecret, checkSecret},
	{CheckSignature, checkSignature},
	{CheckTime, checkTime},
	{CheckPayload, checkPayload},
	{CheckReport, checkReport},
}

// checkRequest finds a wrong method, and whatever else is refused before the
// signature.
func checkRequest(_ context.Context, t *tries) *Check {
	if t.wrongMethod() {
		return &Check{Result: Failed, Reason: reasonOf(t.whole.Err), Hints: []string{"An ESP posts its events: this was " + printableASCII(t.request.Method) + "."}}
	}
	if guard := t.admitted.stages[anymail.StageGuard]; guard != nil {
		return &Check{Result: Failed, Reason: reasonOf(guard)}
	}
	return nil
}

func checkSecret(_ context.Context, t *tries) *Check {
	if c := t.foundSecret(); c != nil {
		return c
	}
	user, password, given := (&http.Request{Header: t.request.Header}).BasicAuth()
	c := &Check{Result: OK, Reason: fmt.Sprintf("of user %q", user)}
	guard := t.whole.stages[anymail.StageGuard]
	if len(t.Secrets) == 0 {
		c.Result, c.Reason = Skipped, "none was given (--secret)"
		if given {
			c.Reason += fmt.Sprintf(", though the request has one of user %q", user)
		}
		if t.endpoint.NeedsSecret {
			c.Hints = append(c.Hints, "Without one the signature alone proves little: "+t.ESP.Title+" signs for every customer. Give --secret, or the sender's identity by --set.")
		}
		return c
	}
	if !errors.Is(guard, anymail.ErrUnauthenticated) {
		return c
	}
	c.Result, c.Reason = Failed, reasonOf(guard)
	comparison := Comparison{Place: "header Authorization", Secret: true}
	if given {
		comparison.Offered = []string{user + ":" + masked(password)}
	}
	sameUser := false
	for i, secret := range t.Secrets {
		configured, p, _ := strings.Cut(secret, ":")
		sameUser = sameUser || configured == user
		comparison.Keys = append(comparison.Keys, Key{Number: i + 1, Kind: "secret", Computed: configured + ":" + masked(p)})
	}
	c.Comparisons = []Comparison{comparison}
	switch {
	case t.request.Header.Get("Authorization") == "":
		c.Hints = append(c.Hints, noSecretHint)
	case !given:
		c.Hints = append(c.Hints, "The Authorization header has another scheme than Basic: it is a token that the ESP was given.")
	case sameUser:
		c.Hints = append(c.Hints, "The user matches, the password does not. "+wrongSecretHint)
	}
	return c
}

const (
	noSecretHint    = "The request has no Authorization header. Is the URL at the ESP https://user:password@...? Does a proxy, or the capture, drop the header?"
	wrongSecretHint = "Was it changed on one side only? Are special characters in the URL at the ESP escaped (%40 for @)?"
)

// masked shows enough of a secret to tell different ones apart.
func masked(secret string) string {
	runes := []rune(secret)
	if len(runes) >= 12 {
		return fmt.Sprintf("%s… (%d characters)", string(runes[:2]), len(runes))
	}
	return fmt.Sprintf("… (%d characters)", len(runes))
}

// checkTime compares the signed time with that of the receipt.
func checkTime(_ context.Context, t *tries) *Check {
	at := t.admitted.proof.SignedAt
	for _, s := range t.admitted.steps {
		if at.IsZero() {
			at = s.SignedAt
		}
	}
	if at.IsZero() {
		return nil
	}
	signed := fmt.Sprintf("signed %s, %s", at.Format(time.DateTime+" MST"), distance(time.Since(at), "ago", "from now"))
	if !t.timed {
		return &Check{Result: Skipped, Reason: signed + "; when it was received is not known (--at TIME)"}
	}
	window := t.endpoint.Window
	if window == 0 {
		window = anymail.DefaultTimestampWindow
	}
	age := t.now.Sub(at)
	c := &Check{Result: OK, Reason: fmt.Sprintf("%s, %s it was received; the window is %s", signed, distance(age, "before", "after"), duration(window))}
	switch {
	case age.Abs() <= window && !errors.Is(t.admitted.stages[anymail.StageVerify], anymail.ErrReplayed):
		return c
	case age > 0:
		c.Hints = []string{"It arrived too late: a replay, a retry that is signed with the time of the first attempt, or the server's clock is ahead."}
	default:
		c.Hints = []string{"It is from the future: the server's clock is behind, or --at is too early."}
	}
	c.Result = Failed
	return c
}

// distance is how far apart two times are.
func distance(d time.Duration, before, after string) string {
	if d < 0 {
		return duration(-d) + " " + after
	}
	return duration(d) + " " + before
}

// duration is d in its two largest units, or in days.
func duration(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return cli.Duration(d)
}

// checkPayload reports what the parser makes of the payload.
func checkPayload(_ context.Context, t *tries) *Check {
	if t.admitted.stages[anymail.StageGuard] != nil || t.lacksBody() {
		return nil
	}
	o, err := t.parsed, t.parsed.stages[anymail.StageParse]
	switch {
	case t.needsFetch():
		return &Check{
			Result: Open, Reason: "it refers to what only the ESP has: " + o.traffic.refused[0].what,
			Hints: []string{"--fetch fetches it. Below is as much as the request itself tells."},
		}
	case err != nil && t.handshake():
		return &Check{Result: OK, Reason: "a handshake: a server would answer by " + o.traffic.refused[0].what + ", inspect does not"}
	case errors.Is(err, anymail.ErrUnauthenticated):
		return &Check{Name: CheckHandshake, Result: Failed, Reason: reasonOf(err)}
	case err != nil && t.emptyBody():
		return &Check{Result: Failed, Reason: reasonOf(err), Hints: []string{emptyBodyHint}}
	case errors.Is(err, anymail.ErrUnsupportedMedia):
		return &Check{Result: Failed, Reason: reasonOf(err), Hints: []string{"Does a proxy, or the capture, change the Content-Type?"}}
	case err != nil:
		return &Check{Result: Failed, Reason: reasonOf(err)}
	case len(o.Events) == 0:
		return &Check{Result: OK, Reason: "has no event: a test, or a handshake of the ESP"}
	case len(o.Events) == 1:
		return &Check{Result: OK, Reason: "1 event"}
	}
	return &Check{Result: OK, Reason: fmt.Sprintf("%d events", len(o.Events))}
}

// emptyBody reports whether the request has no body.
func (t *tries) emptyBody() bool { return len(t.request.Body) == 0 }

const emptyBodyHint = "The body is empty. ESPs post one: the capture does not hold it, or something in front (a middleware, a logger) has read it and not put it back."

// handshake reports whether the request has no events and is not wrong: a test,
// or a confirmation that a server would send.
func (t *tries) handshake() bool {
	o := t.parsed
	if t.admitted.stages[anymail.StageGuard] != nil {
		return false
	}
	if o.stages[anymail.StageParse] != nil {
		return len(o.traffic.refused) > 0 && o.traffic.refused[0].acts
	}
	return len(o.Events) == 0
}

// needsFetch reports whether the parser needs a document that was not fetched.
func (t *tries) needsFetch() bool {
	o := t.parsed
	return o.stages[anymail.StageParse] != nil && len(o.traffic.refused) > 0 && !o.traffic.refused[0].acts
}

// withoutFetching parses with an adapter that has no key to fetch with, or
// returns nil.
func (t *tries) withoutFetching(ctx context.Context) *outcome {
	a := t.attempt
	a.Settings = map[string][]string{}
	for _, s := range a.ESP.Settings {
		if values := t.Settings[s.Name]; values != nil && !s.Secret {
			a.Settings[s.Name] = values
		}
	}
	a, err := a.at(t.endpoint.Path)
	if err != nil {
		return nil
	}
	o, err := a.asPost().withoutVerifier().try(ctx)
	if err != nil || o.Err != nil {
		return nil
	}
	return o
}

// reasonOf is the text of an error without the package's name.
func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	var request *anymail.RequestError
	if errors.As(err, &request) {
		err = request.Err
	}
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "anymail: "), "not authenticated: ")
}
