package all_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/esp/amazonses/amazonsessim"
	"github.com/goanymail/anymail/simulator"
)

// unpinned are the endpoints that accept another signer, but not without the secret:
// any certificate that SNS serves is Amazon's, and Inbound Parse signs only under a
// security policy.
var unpinned = []string{"amazonses/tracking", "amazonses/inbound", "sendgrid/inbound"}

// TestPagesCanBeFollowed does what a page says, with the Dispatcher that the
// README makes: it runs the code of the page, and posts the simulator's samples to
// the URLs of the page. The first Go code of "Set up" belongs to the URLs. Other Go
// code is for ESPs that send tokens.
func TestPagesCanBeFollowed(t *testing.T) {
	readme := readPage(t, "../../README.md")
	mount := regexp.MustCompile(`http\.StripPrefix\("(/\w+)", d\)`).FindStringSubmatch(readme)
	require.NotNil(t, mount, "the README mounts the Dispatcher")
	dispatcher := goCode(section(t, readme, "Usage"))
	require.NotEmpty(t, dispatcher)

	for _, spec := range all.Specs() {
		t.Run(spec.Name, func(t *testing.T) {
			page := readPage(t, filepath.Join("../../docs/esps", spec.Name+".md"))
			setUp := section(t, page, "Set up")
			urls := pageURLs(setUp)
			require.NotEmpty(t, urls)
			for i, code := range append(goCode(setUp), goCode(section(t, page, "Secrets"))...) {
				r := newReader(t, spec.Name)
				d := r.dispatcher(dispatcher[0])
				r.register(d, code)
				if i > 0 {
					r.followTokens(d)
					continue
				}
				r.follow(d, mount[1], urls)
				intro, _, _ := strings.Cut(page, "\n## ")
				r.paths(d, intro)
			}
			require.NotEmpty(t, goCode(setUp), "no code")
		})
	}
}

// The README's own URL fits the adapter that its code registers.
func TestREADMECanBeFollowed(t *testing.T) {
	usage := section(t, readPage(t, "../../README.md"), "Usage")
	r := newReader(t, "postmark")
	d := r.dispatcher(goCode(usage)[0])
	r.register(d, goCode(usage)[0])
	urls := pageURLs(usage)
	require.Len(t, urls, 1)
	inbound := urls[0]
	inbound.path = strings.Replace(inbound.path, "/tracking/", "/inbound/", 1)
	r.follow(d, "/anymail", append(urls, inbound))
}

// TestPageSettings compares the settings of a page with the Spec, and the names of
// fields in its tables with the Config.
func TestPageSettings(t *testing.T) {
	for _, spec := range all.Specs() {
		t.Run(spec.Name, func(t *testing.T) {
			page := readPage(t, filepath.Join("../../docs/esps", spec.Name+".md"))
			require.Equal(t, !spec.Confirmed, strings.Contains(page, "\nNot confirmed against a live account."), "the page differs from Spec.Confirmed")
			config := reflect.TypeOf(constructors[spec.Name]).In(0)
			var got []esp.Setting
			for _, cells := range table(section(t, page, "Set up"), "setting") {
				got = append(got, esp.Setting{Name: strings.Trim(cells[0], "`"), Help: cells[2]})
				requireField(t, config, strings.Trim(cells[1], "`"))
			}
			var want []esp.Setting
			for _, s := range spec.Settings {
				want = append(want, esp.Setting{Name: s.Name, Help: s.Help})
			}
			require.Equal(t, want, got)

			secrets := table(section(t, page, "Secrets"), "what")
			require.NotEmpty(t, secrets)
			for _, cells := range secrets {
				for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[0], -1) {
					requireField(t, config, name[1])
				}
			}
		})
	}
}

// requireField checks that a Config has a field, "Relay.Tokens", or that one of its
// fields is a struct of that type, "Auth.Tokens".
func requireField(t *testing.T, config reflect.Type, name string) {
	t.Helper()
	typ := config
	for _, part := range strings.Split(name, ".") {
		i := slices.IndexFunc(reflect.VisibleFields(typ), func(f reflect.StructField) bool {
			return f.Name == part || f.Type.Kind() == reflect.Struct && f.Type.Name() == part
		})
		require.GreaterOrEqual(t, i, 0, "%s has no field %s", config, name)
		typ = typ.Field(i).Type
	}
}

func readPage(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// section returns what is below a heading of the second level.
func section(t *testing.T, page, title string) string {
	t.Helper()
	_, text, ok := strings.Cut(page, "\n## "+title+"\n")
	require.True(t, ok, "no section %q", title)
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

// goCode returns the blocks of Go code.
func goCode(section string) []string {
	var blocks []string
	for _, block := range regexp.MustCompile("(?s)\n```go\n(.*?)\n```\n").FindAllStringSubmatch(section, -1) {
		blocks = append(blocks, block[1])
	}
	return blocks
}

// table returns the rows of the table whose first column has that heading.
func table(section, first string) [][]string {
	var rows [][]string
	in := false
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case !strings.HasPrefix(line, "|"):
			in = false
		case cells[0] == first:
			in = true
		case in && !strings.HasPrefix(cells[0], "---"):
			rows = append(rows, cells)
		}
	}
	return rows
}

// pageURL is a URL that a page gives to the ESP.
type pageURL struct {
	path string
	// secret reports whether the ESP is given the shared secret with it.
	secret bool
}

// pageURLs returns the URLs of this server in a text. The ESP is given the secret in
// the URL, or as basic authentication if the text after the URL says so.
func pageURLs(text string) []pageURL {
	var urls []pageURL
	basic := "with basic authentication by `user` and `password`"
	for _, found := range regexp.MustCompile("https://(user:password@)?your\\.host(/[^\\s`\"]*)(`\\s+"+strings.ReplaceAll(basic, " ", `\s+`)+")?").FindAllStringSubmatch(text, -1) {
		u := pageURL{path: found[2], secret: found[1] != "" || found[3] != ""}
		if !slices.Contains(urls, u) {
			urls = append(urls, u)
		}
	}
	return urls
}

// pageReader runs the code of one ESP's page, with the simulator's keys for the
// user's.
type pageReader struct {
	*testing.T
	sim        *simulator.Simulator
	credential simulator.Credential
	aws        *amazonsessim.AWS // what Objects reads from
}

func newReader(t *testing.T, name string) *pageReader {
	r := &pageReader{T: t, sim: allsim.Find(name), aws: new(amazonsessim.AWS)}
	if name == "amazonses" {
		r.sim = r.aws.Simulator()
	}
	r.credential.Config = "a key of an ESP that signs nothing"
	if r.sim.NewCredential != nil {
		r.credential = r.sim.NewCredential()
	}
	return r
}

// dispatcher evaluates the call of anymail.New.
func (r *pageReader) dispatcher(code string) *anymail.Dispatcher {
	options := []anymail.Option{anymail.WithLogger(slog.New(slog.DiscardHandler))}
	for _, argument := range r.call(code, "anymail.New").Args {
		options = append(options, r.option(argument))
	}
	d, err := anymail.New(options...)
	require.NoError(r, err)
	return d
}

// register evaluates the calls of the adapter's New and of Register.
func (r *pageReader) register(d *anymail.Dispatcher, code string) {
	newAdapter := reflect.ValueOf(constructors[r.sim.ESP])
	config := reflect.New(newAdapter.Type().In(0)).Elem()
	created := r.call(code, r.sim.ESP+".New")
	require.Len(r, created.Args, 1)
	r.fill(config, created.Args[0])
	if client := config.FieldByName("Client"); client.IsValid() {
		client.Set(reflect.ValueOf(r.sim.Client))
	}
	if logger := config.FieldByName("Logger"); logger.IsValid() {
		logger.Set(reflect.ValueOf(slog.New(slog.DiscardHandler)))
	}
	results := newAdapter.Call([]reflect.Value{config})
	require.True(r, results[1].IsNil(), "%s: %v", code, results[1])

	registered := r.call(code, "d.Register")
	require.GreaterOrEqual(r, len(registered.Args), 2)
	require.Equal(r, "adapter", nameOf(registered.Args[1]))
	var options []anymail.Option
	for _, argument := range registered.Args[2:] {
		options = append(options, r.option(argument))
	}
	require.NoError(r, d.Register(r.text(registered.Args[0]), results[0].Interface().(anymail.Adapter), options...), code)
}

// call parses code and returns the only call of a function in it.
func (r *pageReader) call(code, function string) *ast.CallExpr {
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p; func _() {\n"+code+"\n}", parser.SkipObjectResolution)
	require.NoError(r, err, code)
	var calls []*ast.CallExpr
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && nameOf(call.Fun) == function {
			calls = append(calls, call)
		}
		return true
	})
	require.Len(r, calls, 1, "%s in %s", function, code)
	return calls[0]
}

// fill sets the fields of a struct to what a composite literal has.
func (r *pageReader) fill(config reflect.Value, expression ast.Expr) {
	literal, ok := expression.(*ast.CompositeLit)
	require.True(r, ok)
	require.Equal(r, config.Type().String(), nameOf(literal.Type))
	for _, element := range literal.Elts {
		pair := element.(*ast.KeyValueExpr)
		field := config.FieldByName(nameOf(pair.Key))
		require.True(r, field.IsValid(), "%s has no field %s", config.Type(), nameOf(pair.Key))
		switch field.Interface().(type) {
		case []string:
			field.Set(reflect.ValueOf(r.texts(pair.Value)))
		case string:
			field.SetString(r.text(pair.Value))
		case bool:
			field.SetBool(nameOf(pair.Value) == "true")
		default:
			if field.Kind() == reflect.Struct {
				r.fill(field, pair.Value)
			} else {
				field.Set(r.value(pair.Value))
			}
		}
	}
}

// value returns the value of a field that is an interface: keys of the user, or
// what gets objects from S3.
func (r *pageReader) value(expression ast.Expr) reflect.Value {
	call, ok := expression.(*ast.CallExpr)
	switch {
	case !ok: // a variable of the user
		return reflect.ValueOf(anymail.Keys(r.credential.Config))
	case nameOf(call.Fun) == "anymail.Keys":
		require.NotEmpty(r, call.Args)
		return reflect.ValueOf(anymail.Keys(r.credential.Config))
	}
	require.Equal(r, "s3.New", nameOf(call.Fun))
	return reflect.ValueOf(r.aws)
}

func (r *pageReader) texts(expression ast.Expr) []string {
	literal, ok := expression.(*ast.CompositeLit)
	require.True(r, ok)
	var texts []string
	for _, element := range literal.Elts {
		texts = append(texts, r.text(element))
	}
	return texts
}

// text returns a text. The simulator has another bucket than the page. An expression
// that is not a literal stands for the user's key.
func (r *pageReader) text(expression ast.Expr) string {
	literal, ok := expression.(*ast.BasicLit)
	if !ok {
		return r.credential.Config
	}
	text, err := strconv.Unquote(literal.Value)
	require.NoError(r, err)
	if text == "my-inbound-mail" {
		config, err := r.aws.Config()
		require.NoError(r, err)
		return config.Buckets[0]
	}
	return text
}

func (r *pageReader) option(expression ast.Expr) anymail.Option {
	call, ok := expression.(*ast.CallExpr)
	require.True(r, ok)
	switch name := nameOf(call.Fun); name {
	case "anymail.WithSharedSecret":
		return anymail.WithSharedSecret(anymailtest.SharedSecret)
	case "anymail.WithoutSharedSecret":
		return anymail.WithoutSharedSecret()
	case "anymail.WithEndpointOptions":
		var options []anymail.Option
		for _, argument := range call.Args[1:] {
			options = append(options, r.option(argument))
		}
		return anymail.WithEndpointOptions(r.text(call.Args[0]), options...)
	default:
		require.Fail(r, "the test does not know the option "+name)
		return nil
	}
}

// nameOf returns a name such as "a" or "a.b", and "" for another expression.
func nameOf(expression ast.Expr) string {
	switch e := expression.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return nameOf(e.X) + "." + e.Sel.Name
	}
	return ""
}

// follow posts each sample to the URLs of its endpoint. It also checks that each
// proof that the page gives to the ESP is needed.
func (r *pageReader) follow(d *anymail.Dispatcher, mount string, urls []pageURL) {
	recorder := new(anymailtest.Recorder)
	require.NoError(r, recorder.Connect(&d.Signals, "recorder"))
	server := httptest.NewTLSServer(http.StripPrefix(mount, d))
	defer server.Close()
	client := clientOf(server)

	covered := map[string]bool{}
	for _, u := range urls {
		endpoint, ok := strings.CutPrefix(u.path, mount+"/"+r.sim.ESP+"/")
		require.True(r, ok, "%s is not below %s/%s/", u.path, mount, r.sim.ESP)
		endpoint = strings.TrimSuffix(endpoint, "/")
		covered[endpoint] = true
		samples := slices.DeleteFunc(slices.Clone(r.sim.Samples), func(s simulator.Sample) bool {
			return s.Endpoint != endpoint
		})
		require.NotEmpty(r, samples, "no samples for %s", u.path)
		for _, sample := range samples {
			require.Equal(r, http.StatusOK, r.post(client, u, sample, r.credential), "%s to %s", sample.Name, u.path)
			types := []anymail.EventType{}
			for _, ev := range recorder.Take() {
				types = append(types, ev.Base().Type)
			}
			require.Equal(r, append([]anymail.EventType{}, sample.Types...), types, "%s to %s", sample.Name, u.path)
		}
		if u.secret {
			assert.NotEqual(r, http.StatusOK, r.post(client, pageURL{path: u.path}, samples[0], r.credential), "%s has a secret that is not needed", u.path)
		} else {
			assert.True(r, r.sim.Signs(endpoint), "%s has neither secret nor signature", u.path)
		}
		if r.sim.Signs(endpoint) && !slices.Contains(unpinned, r.sim.ESP+"/"+endpoint) {
			assert.NotEqual(r, http.StatusOK, r.post(client, u, samples[0], r.sim.NewCredential()), "%s accepts a forgery", u.path)
		}
		require.Empty(r, recorder.Take())
	}
	for _, sample := range r.sim.Samples {
		require.True(r, covered[sample.Endpoint], "no URL for endpoint %q", sample.Endpoint)
	}
}

// followTokens posts a sample of each endpoint with tokens for the shared secret.
func (r *pageReader) followTokens(d *anymail.Dispatcher) {
	for _, endpoint := range []string{"tracking", "inbound"} {
		i := slices.IndexFunc(r.sim.Samples, func(s simulator.Sample) bool { return s.Endpoint == endpoint })
		require.GreaterOrEqual(r, i, 0)
		request, err := r.sim.Samples[i].Make(simulator.NewParams()).HTTP()
		require.NoError(r, err)
		request.URL.Path = "/" + r.sim.ESP + "/" + endpoint + "/"
		post := func() int {
			recorder := httptest.NewRecorder()
			copied := request.Clone(r.Context())
			copied.Body, err = request.GetBody()
			require.NoError(r, err)
			d.ServeHTTP(recorder, copied)
			return recorder.Code
		}
		require.NotEqual(r, http.StatusOK, post(), "%s needs no token", endpoint)
		request.Header.Set("Authorization", "Bearer "+r.credential.Config)
		request.Header.Set("X-MessageSystems-Webhook-Token", r.credential.Config)
		require.Equal(r, http.StatusOK, post(), endpoint)
	}
}

// paths checks that the paths in a text are endpoints.
func (r *pageReader) paths(d *anymail.Dispatcher, text string) {
	paths := regexp.MustCompile("`(/[a-z0-9_/]+/)`").FindAllStringSubmatch(text, -1)
	require.NotEmpty(r, paths)
	for _, path := range paths {
		recorder := httptest.NewRecorder()
		d.ServeHTTP(recorder, httptest.NewRequestWithContext(r.Context(), http.MethodPost, path[1], http.NoBody))
		require.NotEqual(r, http.StatusNotFound, recorder.Code, path[1])
	}
}

// post posts a sample as the ESP does.
func (r *pageReader) post(client *http.Client, u pageURL, sample simulator.Sample, credential simulator.Credential) int {
	request := sample.Make(simulator.NewParams())
	request.URL = (&url.URL{Scheme: "https", Host: "your.host", Path: u.path}).String()
	request.Header = request.Header.Clone()
	if u.secret {
		simulator.SetSecret(&request, anymailtest.SharedSecret)
	}
	require.NoError(r, r.sim.SignNow(&request, credential))
	post, err := request.HTTP()
	require.NoError(r, err)
	response, err := client.Do(post)
	require.NoError(r, err)
	require.NoError(r, response.Body.Close())
	return response.StatusCode
}

// clientOf returns a client for which every host is the server.
func clientOf(server *httptest.Server) *http.Client {
	client := server.Client()
	transport := client.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com"
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}
	client.Transport = transport
	return client
}
