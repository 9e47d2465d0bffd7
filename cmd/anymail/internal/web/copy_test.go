package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail/internal/capture"
	"github.com/goanymail/anymail/cmd/anymail/internal/web"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

// bodies are bodies that are hard to quote.
var bodies = map[string]string{
	"JSON":          `{"a": "it's \"quoted\"", "b": "\\n $HOME ${x} $(date) !! %s"}`,
	"backquotes":    "{\"a\": \"`date`\"}",
	"lines":         "{\n\t\"a\": 1\r\n}\r\n\n",
	"begins with @": "@/etc/passwd",
	"binary":        "\x00\x01\xff\xfe'\n",
	"not ASCII":     "{\"a\": \"Grüße \uFEFF \u202e\"}",
	"empty":         "",
}

// The command sends the same request again, and anymail inspect reads it.
func TestCopyAsCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			req, err := http.NewRequest(http.MethodPost, b.url+"/anymail/postmark/tracking/?a=1&b='2'", strings.NewReader(body))
			require.NoError(t, err)
			req.Header = http.Header{"X-Quote": {`it's "this" \ one`}, "X-Twice": {"1", "2"}, "Authorization": {"Basic aHVzaDpodXNo"}, "User-Agent": {"test/1"}, "Accept": {"*/*"}}
			if name == "JSON" {
				req.Header.Set("Content-Type", "application/json")
			}
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			_, command := get(t, b.url+"/api/requests/1/curl")
			require.NotContains(t, command, "aHVzaDpodXNo")
			out, err := exec.Command("sh", "-eu", "-c", command).CombinedOutput()
			require.NoError(t, err, "%s\n%s", command, out)

			shown := func(id int) (d struct {
				Header     map[string][]string
				Summary    struct{ Method, Path string }
				Body       string
				BodyBase64 string `json:"body_base64"`
			}) {
				b.getJSON(t, fmt.Sprintf("/api/requests/%d", id), &d)
				delete(d.Header, "Accept-Encoding") // of the client
				delete(d.Header, "Content-Length")
				return d
			}
			if diff := cmp.Diff(shown(1), shown(2)); diff != "" {
				t.Errorf("%s\n%s", command, diff)
			}
			if name == "binary" {
				return // inspect runs no programs
			}
			read, err := capture.Read([]byte(command), capture.Options{})
			require.NoError(t, err)
			require.Equal(t, body, string(read.Body))
		})
	}
}

// The test compiles for every ESP, and passes with a program that accepts the request.
func TestCopyAsGoTest(t *testing.T) {
	b := start(t, func(o *web.Options) {
		o.Settings = nil
		for i := range o.ESPs {
			if o.ESPs[i].Spec.Name == "postal" {
				o.ESPs[i].Package = "" // as if it were not of the library
			}
		}
	})
	// A package that exists only for the compiler.
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	const dir = "./copied"
	here, err := os.Getwd()
	require.NoError(t, err)
	id := 0
	add := func(change func(string) string) {
		id++
		resp, code := get(t, b.url+fmt.Sprintf("/api/requests/%d/gotest", id))
		require.Equal(t, http.StatusOK, resp.StatusCode, code)
		name := fmt.Sprintf("r%d_test.go", id)
		file := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(file, []byte(change(code)), 0o600))
		overlay.Replace[filepath.Join(here, dir, name)] = file
	}
	for _, sim := range allsim.List() {
		sample := sim.Samples[0]
		if s, ok := sim.SampleOf(anymail.EventInbound); ok {
			sample = s
		}
		require.Equal(t, 200, b.send(t, "POST", "/api/trigger", map[string]any{"esp": sim.ESP, "sample": sample.Name}, nil))
		add(func(code string) string {
			if sim.ESP == "mailgun" {
				return withProgram(code)
			}
			return code
		})
	}
	for _, body := range bodies {
		resp, err := http.Post(b.url+"/anymail/nobody/?`x`", "text/plain", strings.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		add(func(code string) string {
			return strings.Replace(code, "TestWebhook(", fmt.Sprintf("TestWebhook%d(", id), 1)
		})
	}
	encoded, err := json.Marshal(overlay)
	require.NoError(t, err)
	file, program := filepath.Join(t.TempDir(), "overlay.json"), filepath.Join(t.TempDir(), "copied.test")
	require.NoError(t, os.WriteFile(file, encoded, 0o600))
	out, err := exec.Command("go", "test", "-vet=off", "-c", "-o", program, "-overlay", file, dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.Command(program, "-test.v", "-test.run", "^TestMailgun").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestMailgunInbound")
}

// withProgram replaces the handler of a test by one that has the adapter of Mailgun.
func withProgram(code string) string {
	code = strings.Replace(code, "http.NotFoundHandler() // TODO", "program(t, webhook) // TODO", 1)
	code = strings.Replace(code, "import (", `import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/mailgun"`, 1)
	return code + `
func program(t *testing.T, webhook simulator.Webhook) http.Handler {
	d, err := anymail.New(anymail.WithSharedSecret(webhook.Secret))
	if err != nil {
		t.Fatal(err)
	}
	adapter, err := mailgun.New(mailgun.Config{SigningKeys: anymail.Keys(webhook.Credential.Config)})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Register("mailgun", adapter); err != nil {
		t.Fatal(err)
	}
	return http.StripPrefix("/anymail", d)
}
`
}

// Nothing that an ESP or a sender chooses becomes code.
func TestCopiesAreHarmless(t *testing.T) {
	b := start(t)
	require.Equal(t, 200, b.post(t, "postmark", "Delivery", func(r *simulator.Request) {
		edit("ada@example.com", "`+panic(1)+`@example.com\\n}", "Delivery", "Delivery")(r)
		r.Header.Set("X-Code", "\"}, `+panic(1)+`")
	}))
	_, code := get(t, b.url+"/api/requests/1/gotest")
	require.NotContains(t, code, "\n}\n\nfunc")
	for line := range strings.Lines(code) {
		if strings.HasPrefix(strings.TrimSpace(line), "//") {
			continue
		}
		require.NotRegexp(t, "^[^\"]*panic", line)
	}
}
