package web

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"go/format"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"unicode"
	"unicode/utf8"
)

// copyable are the headers of a record that make sense elsewhere, sorted by name. There
// are no credentials among them; secret reports whether the request had any.
func (r *Record) copyable() (names []string, secret bool) {
	secret = slices.Contains(r.Removed, "Authorization")
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		switch {
		case r.hides(name):
			secret = secret || name == "Authorization"
		case !slices.Contains(connection, name):
			names = append(names, name)
		}
	}
	return names, secret
}

// curl returns a request as a command that sends it again.
func (l *Listener) curl(w http.ResponseWriter, req *http.Request) {
	r := l.record(w, req)
	if r == nil {
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, r.curl("http://"+req.Host+r.Path)) //nolint:gosec // plain text, and not sniffed
}

func (r *Record) curl(url string) string {
	var b strings.Builder
	data := "--data-raw " + quoted(string(r.Body))
	if !utf8.Valid(r.Body) || bytes.IndexByte(r.Body, 0) >= 0 {
		fmt.Fprintf(&b, "printf %%s %s | base64 -d | ", quoted(base64.StdEncoding.EncodeToString(r.Body)))
		data = "--data-binary @-"
	}
	fmt.Fprintf(&b, "curl -X %s %s", quoted(r.Method), quoted(url))
	names, secret := r.copyable()
	if secret {
		b.WriteString(" \\\n  --user 'user:password'")
	}
	for _, name := range names {
		for _, value := range r.Header[name] {
			field := name + ": " + value
			if value == "" {
				field = name + ";" // "name:" would remove the header
			}
			fmt.Fprintf(&b, " \\\n  -H %s", quoted(field))
		}
	}
	if r.Header.Get("Content-Type") == "" {
		b.WriteString(" \\\n  -H 'Content-Type:'") // none, instead of curl's own
	}
	if len(r.Body) > 0 {
		b.WriteString(" \\\n  " + data)
	}
	b.WriteByte('\n')
	return b.String()
}

// quoted quotes text for a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// goTest returns a request as a test in Go.
func (l *Listener) goTest(w http.ResponseWriter, req *http.Request) {
	r := l.record(w, req)
	if r == nil {
		return
	}
	e, _ := l.find(r.ESP)
	code, err := r.goTest(e)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(code) //nolint:gosec // plain text, and not sniffed
}

// goTest writes the test. If the package of the ESP is known, its simulator signs the
// request, since the original signature becomes too old.
func (r *Record) goTest(e ESP) ([]byte, error) {
	names, _ := r.copyable()
	values := map[string]any{
		"Package": e.Package, "Name": e.Spec.Name, "Title": e.Spec.Title, "Endpoint": strconv.Quote(r.Endpoint), "Method": strconv.Quote(r.Method),
		"Path": strconv.Quote(r.Path), "Body": literal(r.Body), "At": r.Time.UTC().Format("2006-01-02 15:04:05 MST"), "Test": r.testName(),
		"Header": r.Header, "Names": names, "Events": r.lines,
	}
	var b bytes.Buffer
	if err := testTemplate.Execute(&b, values); err != nil {
		return nil, err
	}
	return format.Source(b.Bytes())
}

// testName is the name of the test: of the ESP and of the first event.
func (r *Record) testName() string {
	name := r.ESP
	if name == "" {
		name = "webhook"
	}
	words := []string{name}
	if len(r.lines) > 0 {
		words = append(words, strings.Split(r.lines[0].Type, "_")...)
	}
	var b strings.Builder
	for _, word := range words {
		for i, c := range word {
			if i == 0 {
				c = unicode.ToUpper(c)
			}
			if unicode.IsLetter(c) || unicode.IsDigit(c) {
				b.WriteRune(c)
			}
		}
	}
	return "Test" + b.String()
}

// literal writes a body as a string of Go, readable if possible.
func literal(body []byte) string {
	plain := func(c rune) bool {
		return c == '\n' || c == '\t' || c != '`' && c != utf8.RuneError && c != '\uFEFF' && !unicode.IsControl(c)
	}
	for _, c := range string(body) {
		if !plain(c) {
			return strconv.Quote(string(body))
		}
	}
	return "`" + string(body) + "`"
}

var testTemplate = template.Must(template.New("test").Funcs(template.FuncMap{"quote": strconv.Quote}).Parse(`package app_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
{{if .Package}}
	"github.com/goanymail/anymail/anymailtest"
	"{{.Package}}/{{.Name}}sim"
	"github.com/goanymail/anymail/simulator"
{{end}})

{{if .Package -}}
// A request of {{.Title}}, received at {{.At}} and signed anew.
{{- else -}}
// A request received at {{.At}}. It has the original signature, which becomes too old.
{{- end}}
{{- range .Events}}
// Event: {{.Type}} {{quote .Recipient}}
{{- end}}
func {{.Test}}(t *testing.T) {
{{- if .Package}}
	webhook := anymailtest.NewWebhook({{.Name}}sim.New())
	app := http.NotFoundHandler() // TODO: your program's handler, with webhook.Secret and webhook.Credential.Config

	request, err := webhook.Sign(simulator.Request{
		Endpoint: {{.Endpoint}},
		Method:   {{.Method}},
		Header: http.Header{
{{- range $name := .Names}}
			{{quote $name}}: { {{- range index $.Header $name}}{{quote .}},{{end -}} },
{{- end}}
		},
		Body: []byte({{.Body}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(request.Method, request.URL, strings.NewReader(string(request.Body)))
	maps.Copy(r.Header, request.Header)
	r.RequestURI = r.URL.RequestURI()
{{- else}}
	app := http.NotFoundHandler() // TODO: your program's handler

	r := httptest.NewRequest({{.Method}}, {{.Path}}, strings.NewReader({{.Body}}))
	maps.Copy(r.Header, http.Header{
{{- range $name := .Names}}
		{{quote $name}}: { {{- range index $.Header $name}}{{quote .}},{{end -}} },
{{- end}}
	})
{{- end}}
	answer := httptest.NewRecorder()
	app.ServeHTTP(answer, r)
	if answer.Code != http.StatusOK {
		t.Fatalf("answered %d, want 200", answer.Code)
	}
	// TODO: check what your program has done.
}
`))
