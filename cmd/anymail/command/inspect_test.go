package command

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/esp/amazonses/amazonsessim"
	"github.com/goanymail/anymail/internal/cli"
	"github.com/goanymail/anymail/simulator"
	"github.com/goanymail/anymail/verify/sns"
)

// rawHTTP, curlCommand and harFile write a request in the forms of a capture.
func rawHTTP(t *testing.T, r simulator.Request) string {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\n", r.URL)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, value := range r.Header[name] {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(r.Body), r.Body)
	return b.String()
}

func curlCommand(t *testing.T, r simulator.Request) string {
	t.Helper()
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	var b strings.Builder
	fmt.Fprintf(&b, "curl %s", quote(r.URL))
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, value := range r.Header[name] {
			fmt.Fprintf(&b, " \\\n  -H %s", quote(name+": "+value))
		}
	}
	fmt.Fprintf(&b, " \\\n  --data-raw %s\n", quote(string(r.Body)))
	return b.String()
}

func harFile(t *testing.T, r simulator.Request) string {
	t.Helper()
	type pair struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	var headers []pair
	for name, values := range r.Header {
		for _, value := range values {
			headers = append(headers, pair{name, value})
		}
	}
	b, err := json.Marshal(map[string]any{"log": map[string]any{"entries": []any{map[string]any{
		"request": map[string]any{
			"method": "POST", "url": r.URL, "headers": headers, "bodySize": len(r.Body),
			"postData": map[string]any{"mimeType": r.Header.Get("Content-Type"), "encoding": "base64", "text": base64.StdEncoding.EncodeToString(r.Body)},
		},
	}}}})
	require.NoError(t, err)
	return string(b)
}

// inspected is the JSON form of a report.
type inspected struct {
	Endpoint, Verdict string
	Status            int
	Request           struct{ Notes []string }
	Checks            []struct {
		Name, Result, Reason string
		Hints                []string
	}
	Events []struct {
		Event struct {
			Type string `json:"event_type"`
		}
		Fields    []inspectedField
		OnlyInRaw []struct{ Path string } `json:"only_in_raw"`
	}
}

type inspectedField struct {
	Name, Value string
	From        []inspectedSource
}

type inspectedSource struct{ Path, How string }

// failed returns the names of the failed checks.
func (i inspected) failed() (names []string) {
	for _, c := range i.Checks {
		if c.Result == "failed" {
			names = append(names, c.Name)
		}
	}
	return names
}

func (i inspected) hints() string {
	var b strings.Builder
	for _, c := range i.Checks {
		b.WriteString(strings.Join(c.Hints, "\n"))
	}
	return b.String()
}

// inspectCommand runs "anymail inspect" on standard input.
func inspectCommand(t *testing.T, in string, args ...string) (string, error) {
	t.Helper()
	cmd := newRootCommand()
	var out bytes.Buffer
	cmd.SetIn(strings.NewReader(in))
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	cmd.SetArgs(append([]string{"inspect"}, args...))
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func inspectJSON(t *testing.T, in string, args ...string) (i inspected) {
	t.Helper()
	out, err := inspectCommand(t, in, append(args, "--json")...)
	require.True(t, err == nil || errors.Is(err, cli.ErrReported), "%v", err)
	require.NoError(t, json.Unmarshal([]byte(out), &i), out)
	require.Equal(t, err == nil, i.Verdict == "authentic", "the exit code agrees")
	return i
}

const inspectSecret = "anymail:correct-horse-battery"

// account is a simulated ESP whose key the user has.
type account struct {
	sim        *simulator.Simulator
	credential simulator.Credential
	aws        *amazonsessim.AWS
}

func newESP(t *testing.T, name string) *account {
	t.Helper()
	e := &account{sim: allsim.Find(name)}
	switch key := keyFor(t, name); {
	case name == "amazonses":
		e.aws = new(amazonsessim.AWS)
		e.sim = e.aws.Simulator()
		e.credential = e.sim.NewCredential()
	case key != "":
		var err error
		e.credential, err = e.sim.Credential(key)
		require.NoError(t, err)
		e.credential.Config = publicFor(t, name, key)
	}
	return e
}

// request makes a signed sample of an event type, or of a name.
func (e *account) request(t *testing.T, event string) simulator.Request {
	t.Helper()
	sample, err := findSample(e.sim, event, false)
	require.NoError(t, err)
	w := simulator.Webhook{Simulator: e.sim, URL: "https://hooks.example.com/anymail", Secret: inspectSecret, Credential: e.credential}
	r, err := w.Sign(sample.Make(simulator.NewParams()))
	require.NoError(t, err)
	return r
}

// signs reports whether a user can have the key of an endpoint.
func (e *account) signs(endpoint string) bool { return e.aws == nil && e.sim.Signs(endpoint) }

// args returns the command line that verifies a request.
func (e *account) args(t *testing.T, r simulator.Request) []string {
	t.Helper()
	args := []string{e.sim.ESP, "--secret", inspectSecret}
	if e.signs(r.Endpoint) {
		args = append(args, "--key", e.credential.Config)
	}
	if e.aws != nil {
		m, err := sns.Parse(r.Body)
		require.NoError(t, err)
		get, err := http.NewRequestWithContext(t.Context(), http.MethodGet, m.SigningCertURL, nil)
		require.NoError(t, err)
		resp, err := e.aws.RoundTrip(get)
		require.NoError(t, err)
		defer resp.Body.Close()
		certificate, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), "sns.pem")
		require.NoError(t, os.WriteFile(file, certificate, 0o600))
		args = append(args, "--cert", file)
	}
	return args
}

func inboundOf(sim *simulator.Simulator) string {
	for _, s := range sim.Samples {
		if s.Endpoint == "inbound" && len(s.Types) == 1 && s.Types[0] == "inbound" {
			return s.Name
		}
	}
	return ""
}

// A request of an ESP is authentic, in every form of a capture. If something is
// wrong with it, the right check fails.
func TestInspectRoundTrip(t *testing.T) {
	for _, sim := range allsim.List() {
		t.Run(sim.ESP, func(t *testing.T) {
			if sim.ESP == "scaleway" {
				t.Skip("its certificates are at its simulator alone")
			}
			e := newESP(t, sim.ESP)
			events := []string{usualSample(sim).Name}
			if name := inboundOf(sim); name != "" {
				events = append(events, name)
			}
			for _, event := range events {
				r := e.request(t, event)
				args := e.args(t, r)
				sample, err := findSample(e.sim, event, false)
				require.NoError(t, err)
				forms := map[string]string{"HTTP": rawHTTP(t, r), "HAR": harFile(t, r)}
				if !bytes.ContainsAny(r.Body, "\x00") && strings.ToValidUTF8(string(r.Body), "") == string(r.Body) {
					forms["curl"] = curlCommand(t, r) // the shell accepts no other bytes
				}
				for form, text := range forms {
					i := inspectJSON(t, text, args...)
					require.Equal(t, "authentic", i.Verdict, "%s %s: %+v", event, form, i.Checks)
					require.Equal(t, r.Endpoint, i.Endpoint)
					require.NotEmpty(t, i.Events)
					if fetched := r.Endpoint == "inbound" && slices.Contains(fetchAll, sim.ESP); fetched {
						require.Contains(t, strings.Join(i.Request.Notes, "\n"), "only if api_", "without a key to fetch it")
						require.Equal(t, http.StatusNotFound, i.Status)
						require.Contains(t, i.hints(), "--fetch")
						continue
					}
					require.Equal(t, http.StatusOK, i.Status)
					require.Equal(t, string(sample.Types[0]), i.Events[0].Event.Type)
					require.NotEmpty(t, i.Events[0].Fields)
				}
				out, err := inspectCommand(t, rawHTTP(t, r), args...)
				require.NoError(t, err)
				require.True(t, strings.HasPrefix(out, "AUTHENTIC: 1 event"), out)
				e.spoil(t, r, args)
			}
		})
	}
}

// spoil changes a request in all ways that make it fail.
func (e *account) spoil(t *testing.T, r simulator.Request, args []string) {
	t.Helper()
	other := r
	other.Header = r.Header.Clone()
	other.Header.Del("Authorization")
	i := inspectJSON(t, rawHTTP(t, other), args...)
	require.Equal(t, "not authentic", i.Verdict)
	require.Contains(t, i.failed(), "shared secret")
	if e.sim.ESP != "mandrill" { // whose signature covers the secret
		require.Equal(t, []string{"shared secret"}, i.failed(), "and nothing else")
	}
	require.NotEmpty(t, i.Events, "what it would be")

	signed := e.sim.Signs(r.Endpoint)
	if e.signs(r.Endpoint) {
		wrong := slices.Clone(args)
		wrong[len(wrong)-1] = newESP(t, e.sim.ESP).credential.Config
		i = inspectJSON(t, rawHTTP(t, r), wrong...)
		require.Equal(t, []string{"signature"}, i.failed())
		require.NotEmpty(t, i.hints())
		require.NotEmpty(t, i.Events)
		out, err := inspectCommand(t, rawHTTP(t, r), wrong...)
		require.ErrorIs(t, err, cli.ErrReported)
		require.Contains(t, out, "NOT AUTHENTIC: signature: signature mismatch\n")
		require.Contains(t, out, "FAILED   signature")
		require.NotContains(t, out, wrong[len(wrong)-1], "the key is not shown")
		require.NotContains(t, out, "correct-horse-battery", "nor the secret")
	}
	if signed && !e.sim.BodyUnsigned {
		changed := r
		changed.Body = bytes.Replace(r.Body, []byte("example"), []byte("sample"), 1)
		require.NotEqual(t, r.Body, changed.Body)
		i = inspectJSON(t, rawHTTP(t, changed), args...)
		require.Equal(t, []string{"signature"}, i.failed(), "%+v", i.Checks)
	}
	if signed {
		plain := simulator.Request{Endpoint: r.Endpoint, URL: r.URL, Body: r.Body, Header: http.Header{}}
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			if !strings.Contains(name, "Signature") && !strings.HasSuffix(name, "-Timestamp") {
				plain.Header[name] = r.Header[name]
				continue
			}
		}
		if len(plain.Header) == len(r.Header) || e.aws != nil {
			return // the signature is in the body
		}
		i = inspectJSON(t, rawHTTP(t, plain), args...)
		require.Equal(t, []string{"signature"}, i.failed())
		for name := range r.Header {
			if plain.Header[name] == nil && !strings.Contains(name, "Kid") {
				require.Contains(t, i.hints(), "the header "+name)
			}
		}
	}
}

// A hint claims only what was tried.
func TestInspectHints(t *testing.T) {
	resend, mailgun, mandrill, postal := newESP(t, "resend"), newESP(t, "mailgun"), newESP(t, "mandrill"), newESP(t, "postal")
	with := func(r simulator.Request, change func(*simulator.Request)) string {
		r.Header = r.Header.Clone()
		change(&r)
		return rawHTTP(t, r)
	}
	delivered := resend.request(t, "delivered")
	ended, spaced := delivered, delivered
	ended.Body = append(slices.Clone(delivered.Body), '\n')
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, delivered.Body, "", "  "))
	spaced.Body = b.Bytes()
	crlf := delivered
	crlf.Body = bytes.ReplaceAll(b.Bytes(), []byte("\n"), []byte("\r\n"))
	crlf.Header = delivered.Header.Clone()
	require.NoError(t, resend.sim.SignNow(&crlf, resend.credential))
	bounced := mandrill.request(t, "bounced")
	key := mailgun.credential.Config

	for name, tt := range map[string]struct {
		in   string
		args []string
		hint string
	}{
		"a line end more":  {rawHTTP(t, ended), resend.args(t, delivered), "authentic without the line end at the end of the body"},
		"a line end less":  {with(signedAgain(t, resend, ended), func(r *simulator.Request) { r.Body = bytes.TrimSpace(r.Body) }), resend.args(t, delivered), "authentic with a line end (LF) at the end"},
		"written anew":     {rawHTTP(t, spaced), resend.args(t, delivered), "authentic with the JSON written without spaces"},
		"line ends":        {with(crlf, func(r *simulator.Request) { r.Body = spaced.Body }), resend.args(t, delivered), "authentic with line ends CRLF in place of LF"},
		"cut off":          {strings.TrimSuffix(rawHTTP(t, delivered), "}"), resend.args(t, delivered), "does not hold the body that was sent"},
		"another scheme":   {with(bounced, func(r *simulator.Request) { r.URL = strings.Replace(r.URL, "https:", "http:", 1) }), mandrill.args(t, bounced), "authentic for the URL https://hooks.example.com/anymail/mandrill/"},
		"another host":     {with(bounced, func(r *simulator.Request) { r.URL = strings.Replace(r.URL, "hooks.", "10.", 1) }), mandrill.args(t, bounced), "The URL is signed"},
		"an API key":       {rawHTTP(t, mailgun.request(t, "delivered")), []string{"mailgun", "--set", "signing_keys=other", "--set", "api_keys=" + key}, "authentic with what was given as api_keys: that is the key for signing_keys"},
		"quotes":           {rawHTTP(t, mailgun.request(t, "delivered")), []string{"mailgun", "--set", `signing_keys="` + key + `"`}, "without the spaces or quotes around it"},
		"nothing helps":    {rawHTTP(t, mailgun.request(t, "delivered")), []string{"mailgun", "--key", "other"}, "What belongs into signing_keys: HTTP webhook signing keys"},
		"the key is right": {with(postal.request(t, "delivered"), func(r *simulator.Request) { r.Body = bytes.Replace(r.Body, []byte("example"), []byte("sample"), 1) }), postal.args(t, postal.request(t, "delivered")), "The key is the right one, but it signed something else"},
	} {
		t.Run(name, func(t *testing.T) {
			i := inspectJSON(t, tt.in, tt.args...)
			require.Equal(t, "signature", i.failed()[0])
			require.Contains(t, i.hints(), tt.hint)
		})
	}
	i := inspectJSON(t, with(bounced, func(r *simulator.Request) { r.URL = "http://10.0.0.1" }), append(mandrill.args(t, bounced), "--url", bounced.URL)...)
	require.Equal(t, "authentic", i.Verdict, "what --url is for")
}

// Something has parsed the body and written it anew, as programs do it. Each is
// what the ESP signed and what the capture has.
func TestInspectBodiesWrittenAnew(t *testing.T) {
	const compact = `[{"email":"ada@example.com","event":"delivered","note":"a, b: [1]","timestamp":1795833487,"tls":1},{"email":"bob@example.com","event":"processed","timestamp":1795833487}]`
	const sendgrid = `[{"email":"ada@example.com","event":"delivered","note":"a, b: [1]","timestamp":1795833487,"tls":1},` + "\r\n" +
		`{"email":"bob@example.com","event":"processed","timestamp":1795833487}` + "\r\n]\r\n"
	const python = `[{"email": "ada@example.com", "event": "delivered", "note": "a, b: [1]", "timestamp": 1795833487, "tls": 1}, {"email": "bob@example.com", "event": "processed", "timestamp": 1795833487}]`
	const umlaut, umlautEscaped = `[{"event":"delivered","email":"a@example.com","q":"\\\"","note":"Grüße/😀"}]`, `[{"event":"delivered","email":"a@example.com","q":"\\\"","note":"Gr\u00fc\u00DFe/\ud83d\ude00"}]`
	sim := newESP(t, "sendgrid")
	for name, tt := range map[string]struct{ signed, captured, hint string }{
		"JSON.stringify of SendGrid's":     {sendgrid, compact, "authentic with the JSON as SendGrid writes it (CRLF between events and at the end): something has parsed the body and written it anew"},
		"json.dumps of SendGrid's":         {sendgrid, python, "authentic with the JSON as SendGrid writes it"},
		"json.dumps with a line end":       {sendgrid, python + "\n", "authentic with the JSON as SendGrid writes it"},
		"json.dumps of compact":            {compact, python, "authentic with the JSON written without spaces: something has parsed the body and written it anew"},
		"compact of json.dumps":            {python, compact, "authentic with the JSON written with a space after colons and commas: something"},
		"compact of it with a line end":    {python + "\n", compact, "authentic with the JSON written with a space after colons and commas and a line end (LF) at the end: something"},
		"escaped by a logger":              {umlaut, umlautEscaped, `authentic with the JSON written without spaces, with characters in place of \uXXXX: something`},
		"escaped and spaced":               {umlaut + "\r\n", strings.ReplaceAll(umlautEscaped, `","`, `", "`), `without spaces and a line end (CRLF) at the end, with characters in place of \uXXXX: something`},
		"characters for escapes":           {strings.ReplaceAll(umlautEscaped, "DF", "df"), umlaut, `authentic with the JSON written without spaces, with \uXXXX in place of characters beyond ASCII: something`},
		"PHP's escapes":                    {strings.ReplaceAll(strings.ReplaceAll(umlautEscaped, "DF", "df"), "/", `\/`), umlaut, `with \uXXXX in place of characters beyond ASCII and \/ in place of /: something`},
		"indented with CRLF by an editor":  {"[\r\n  1,\r\n  {\r\n    \"a\": 2\r\n  }\r\n]", `[1,{"a":2}]`, "authentic with the JSON indented by two spaces, with line ends CRLF: something"},
		"line ends, and the last one lost": {"[1,\r\n2 ]\r\n", "[1,\n2 ]", "authentic with line ends CRLF in place of LF and with a line end (CRLF) at the end of the body"},
	} {
		t.Run(name, func(t *testing.T) {
			r := sim.request(t, "delivered")
			r.Body = []byte(tt.signed)
			r = signedAgain(t, sim, r)
			args := sim.args(t, r)
			require.Empty(t, slices.DeleteFunc(inspectJSON(t, rawHTTP(t, r), args...).failed(), func(check string) bool { return check != "signature" }))
			r.Body = []byte(tt.captured)
			i := inspectJSON(t, rawHTTP(t, r), args...)
			require.Equal(t, "signature", i.failed()[0])
			require.Contains(t, i.hints(), tt.hint)
		})
	}
}

// What inspect says that it has tried, it has tried, and it says what it has not.
func TestInspectSaysWhatItTried(t *testing.T) {
	sendgrid, mandrill := newESP(t, "sendgrid"), newESP(t, "mandrill")
	r := sendgrid.request(t, "delivered")
	other := r
	other.Body = bytes.Replace(r.Body, []byte("ada"), []byte("bob"), 1)
	hints := inspectJSON(t, rawHTTP(t, other), sendgrid.args(t, r)...).hints()
	require.Contains(t, hints, "the JSON with other spaces, line ends and escapes, in each combination")
	require.Contains(t, hints, "Not tried: two of these at once, and JSON with members in another order")
	require.NotContains(t, hints, "not the cause")

	other.Body = append(bytes.Repeat([]byte(" "), 2<<20), r.Body...)
	hints = inspectJSON(t, rawHTTP(t, other), sendgrid.args(t, r)...).hints()
	require.Contains(t, hints, "authentic without the spaces")
	other.Body = fmt.Appendf(nil, `[{"event":"delivered","note":"%s"}]`, strings.Repeat("a", 2<<20))
	hints = inspectJSON(t, rawHTTP(t, other), sendgrid.args(t, r)...).hints()
	require.NotContains(t, hints, "the JSON with other spaces")
	require.Contains(t, hints, "JSON that was written anew, since the body is long")

	bounced := mandrill.request(t, "bounced")
	bounced.Body = append(bounced.Body, "&a=b"...)
	hints = inspectJSON(t, rawHTTP(t, bounced), mandrill.args(t, bounced)...).hints()
	require.NotContains(t, hints, "JSON", "the body is a form")
}

// A signature that does not cover the body proves less.
func TestInspectSaysWhatASignatureCovers(t *testing.T) {
	mailgun := newESP(t, "mailgun")
	r := mailgun.request(t, "delivered")
	args := mailgun.args(t, r)
	r.Body = bytes.Replace(r.Body, []byte("ada@"), []byte("eve@"), 1)
	out, err := inspectCommand(t, rawHTTP(t, r), args...)
	require.NoError(t, err)
	require.Contains(t, out, "AUTHENTIC: 1 event, whose contents the signature does not cover")
	require.Contains(t, out, "it covers timestamp and token only")
	require.Contains(t, out, "It does not prove the rest of the body")
	sendgrid := newESP(t, "sendgrid")
	r = sendgrid.request(t, "delivered")
	out, err = inspectCommand(t, rawHTTP(t, r), sendgrid.args(t, r)...)
	require.NoError(t, err)
	require.Contains(t, out, "AUTHENTIC: 1 event\n")
}

func TestInspectRawDelivery(t *testing.T) {
	const raw = "POST /anymail/amazonses/tracking/ HTTP/1.1\nHost: h.example\nX-Amz-Sns-Rawdelivery: true\nContent-Type: text/plain\n\n" +
		`{"notificationType":"Bounce","bounce":{"bounceType":"Permanent"},"mail":{"messageId":"m1"}}`
	hints := inspectJSON(t, raw, "amazonses").hints()
	require.Contains(t, hints, "Raw message delivery is switched on for this subscription")
	require.Contains(t, hints, "accept_unsigned")
	require.NotContains(t, hints, "signing is not switched on")
}

func TestInspectEmptyBody(t *testing.T) {
	for _, esp := range []string{"sendgrid", "postmark"} {
		e := newESP(t, esp)
		r := e.request(t, "delivered")
		r.Body = nil
		hints := inspectJSON(t, rawHTTP(t, r), e.args(t, r)...).hints()
		require.Contains(t, hints, "The body is empty", esp)
		require.NotContains(t, hints, "Either the key", esp)
	}
	e := newESP(t, "postmark")
	r := e.request(t, "delivered")
	r.Body = []byte("[object Object]")
	i := inspectJSON(t, rawHTTP(t, r), e.args(t, r)...)
	require.Contains(t, strings.Join(i.Request.Notes, "\n"), "JavaScript")
}

func signedAgain(t *testing.T, e *account, r simulator.Request) simulator.Request {
	t.Helper()
	r.Header = r.Header.Clone()
	require.NoError(t, e.sim.SignNow(&r, e.credential))
	return r
}

func TestInspectCaptures(t *testing.T) {
	mailgun, sendgrid := newESP(t, "mailgun"), newESP(t, "sendgrid")
	t.Run("a body alone", func(t *testing.T) {
		r := mailgun.request(t, "clicked")
		i := inspectJSON(t, string(r.Body), "mailgun", "--key", mailgun.credential.Config)
		require.Equal(t, "authentic", i.Verdict)
		require.Equal(t, "tracking", i.Endpoint)
	})
	t.Run("compressed", func(t *testing.T) {
		r := sendgrid.request(t, "bounced")
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := w.Write(r.Body)
		require.NoError(t, errors.Join(err, w.Close()))
		r.Body = b.Bytes()
		r.Header.Set("Content-Encoding", "gzip")
		i := inspectJSON(t, rawHTTP(t, r), sendgrid.args(t, r)...)
		require.Equal(t, "authentic", i.Verdict)
		require.Contains(t, i.Events[0].Fields, inspectedField{"recipient", "ada@example.com", []inspectedSource{{"email", "same"}}})
	})
	t.Run("an entry", func(t *testing.T) {
		r := mailgun.request(t, "opened")
		har := strings.Replace(harFile(t, r), `"entries":[`, `"entries":[{"request":{"method":"POST","url":"https://other.example.com/"}},`, 1)
		i := inspectJSON(t, har, append(mailgun.args(t, r), "--entry", "2")...)
		require.Equal(t, "authentic", i.Verdict)
		i = inspectJSON(t, har, mailgun.args(t, r)...)
		require.NotEqual(t, "authentic", i.Verdict)
	})
	t.Run("a batch", func(t *testing.T) {
		var parts []simulator.Request
		for range shownEvents + 3 {
			parts = append(parts, sendgrid.request(t, "bounced"))
		}
		r, err := sendgrid.sim.Batch(parts)
		require.NoError(t, err)
		r.URL = parts[0].URL
		r = signedAgain(t, sendgrid, r)
		out, err := inspectCommand(t, rawHTTP(t, r), sendgrid.args(t, r)...)
		require.NoError(t, err)
		require.Contains(t, out, "AUTHENTIC: 13 events\n")
		require.Contains(t, out, "\nEvent 10 of 13  bounced")
		require.Contains(t, out, "\nand 3 more (--verbose shows all)\n")
		out, err = inspectCommand(t, rawHTTP(t, r), append(sendgrid.args(t, r), "-v")...)
		require.NoError(t, err)
		require.Contains(t, out, "\nEvent 13 of 13  bounced")
	})
	t.Run("a header of one's own", func(t *testing.T) {
		r := newESP(t, "brevo").request(t, "bounced")
		args := []string{"brevo", "--set", "header_name=X-Hook", "--set", "header_values=a-value-of-my-own"}
		i := inspectJSON(t, rawHTTP(t, r), args...)
		require.Equal(t, []string{"signature"}, i.failed())
		require.Contains(t, i.hints(), "There is no header X-Hook")
		r.Header.Set("X-Hook", "a-value-of-another")
		out, err := inspectCommand(t, rawHTTP(t, r), args...)
		require.ErrorIs(t, err, cli.ErrReported)
		require.Contains(t, out, "offered   a-… (18 characters)  in header X-Hook")
		require.NotContains(t, out, "a-value", "neither of the secrets is shown")
		r.Header.Set("X-Hook", "a-value-of-my-own")
		require.Equal(t, "authentic", inspectJSON(t, rawHTTP(t, r), args...).Verdict)
	})
	t.Run("nothing to check with", func(t *testing.T) {
		r := newESP(t, "postmark").request(t, "bounced")
		i := inspectJSON(t, rawHTTP(t, r), "postmark")
		require.Equal(t, "not checked", i.Verdict)
		require.NotEmpty(t, i.Events)
	})
	t.Run("no POST", func(t *testing.T) {
		i := inspectJSON(t, "GET /anymail/postmark/tracking/ HTTP/1.1\n\n", "postmark")
		require.Equal(t, []string{"request", "payload"}, i.failed())
		require.Equal(t, http.StatusMethodNotAllowed, i.Status)
	})
	t.Run("another form", func(t *testing.T) {
		r := newESP(t, "postmark").request(t, "bounced")
		r.Header.Set("Content-Type", "text/plain")
		i := inspectJSON(t, rawHTTP(t, r), "postmark", "--secret", inspectSecret)
		require.Equal(t, "malformed", i.Verdict)
		require.Equal(t, http.StatusUnsupportedMediaType, i.Status)
	})
	t.Run("no capture", func(t *testing.T) {
		_, err := inspectCommand(t, "hello", "postmark")
		require.ErrorContains(t, err, "neither an HTTP request nor a curl command nor HAR")
		require.Equal(t, 1, cli.ExitCode(err))
	})
}

func TestInspectSettings(t *testing.T) {
	out, err := inspectCommand(t, "", "mailgun", "--settings")
	require.NoError(t, err)
	require.Contains(t, out, "signing_keys         HTTP webhook signing keys\n")
}

// sinceNow is the part of a transcript that depends on the current time.
var sinceNow = regexp.MustCompile(`(UTC, )[^,;]* (ago|from now)`)

// The manual shows the real output.
func TestInspectManual(t *testing.T) {
	manual, err := os.ReadFile("../../../docs/inspect.md")
	require.NoError(t, err)
	n := 0
	for _, block := range strings.Split(string(manual), "```text\n$ anymail inspect ")[1:] {
		block, _, _ = strings.Cut(block, "```")
		line, want, _ := strings.Cut(block, "\n")
		args := strings.Fields(strings.Replace(line, "request.txt", "testdata/mailgun.http", 1))
		out, _ := inspectCommand(t, "", args...)
		want, _, cut := strings.Cut(want, "  ...\n")
		out = sinceNow.ReplaceAllString(out, "$1... $2")
		want = sinceNow.ReplaceAllString(want, "$1... $2")
		if cut {
			require.True(t, strings.HasPrefix(out, want), "%s\nis not\n%s", out, want)
		} else {
			require.Equal(t, want, out)
		}
		n++
	}
	require.Equal(t, 2, n)
}

// Nothing in a capture controls the terminal.
func FuzzInspect(f *testing.F) {
	sims := allsim.List()
	for i, sim := range sims {
		r := sim.Samples[0].Make(simulator.NewParams())
		r.URL = "https://hooks.example.com/anymail/" + sim.ESP + "/" + r.Endpoint
		f.Add(byte(i), fmt.Sprintf("POST %s HTTP/1.1\nContent-Type: %s\nX-A: \x1b]0;x\x07\n\n%s", r.URL, r.Header.Get("Content-Type"), r.Body))
	}
	f.Add(byte(8), "POST /anymail/postmark/tracking/ HTTP/1.1\nContent-Type: application/json\nAuthorization: Basic G1s6G1s=\n\n{\"RecordType\":\"\\u001b[2J\",\"Email\":\"\\u202e\\u009b\"}")
	f.Add(byte(2), "curl https://hooks.example.com/\x1b[31m/tracking -H 'Signature: \x9b' -d '{\"\\u001b\":1}'")
	f.Fuzz(func(t *testing.T, n byte, in string) {
		sim := sims[int(n)%len(sims)]
		for _, flag := range []string{"--verbose", "--verbose=false", "--json"} {
			cmd := newRootCommand()
			var out, info bytes.Buffer
			cmd.SetIn(strings.NewReader(in))
			cmd.SetOut(&out)
			cmd.SetErr(&info)
			cmd.SetArgs([]string{"inspect", sim.ESP, "--secret", inspectSecret, flag})
			err := cmd.ExecuteContext(t.Context())
			said := out.String() + info.String()
			if err != nil {
				said += err.Error()
			}
			for _, r := range said {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Fatalf("%q in %q", r, said)
				}
			}
			if flag == "--json" && errors.Is(err, cli.ErrReported) && !json.Valid(out.Bytes()) {
				t.Fatalf("no JSON: %q", out.String())
			}
		}
	})
}
