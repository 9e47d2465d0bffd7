package command

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/internal/cli"
	"github.com/goanymail/anymail/schema"
)

// run runs a command line and returns what it printed.
func run(t *testing.T, args ...string) (out, info string, err error) {
	t.Helper()
	cmd := newRootCommand()
	var o, e bytes.Buffer
	cmd.SetOut(&o)
	cmd.SetErr(&e)
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(t.Context())
	return o.String(), e.String(), err
}

func TestDemo(t *testing.T) {
	out, info, err := run(t, "demo", "--once")
	require.NoError(t, err, info)
	require.Contains(t, info, fmt.Sprintf("%d ESPs", len(allsim.List())))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Regexp(t, `^ESP +TYPE +RECIPIENT +REASON +MESSAGE ID$`, lines[0])
	seen := map[string]bool{}
	for _, line := range lines[1:] {
		fields := strings.Fields(line)
		seen[fields[0]+" "+fields[1]] = true
		require.Equal(t, 13, strings.Index(line, fields[1]), "aligned: %s", line)
	}
	for _, sim := range allsim.List() {
		for _, sample := range sim.Samples {
			for _, typ := range sample.Types {
				require.True(t, seen[sim.ESP+" "+string(typ)], "%s %s", sim.ESP, typ)
			}
		}
	}
}

// Every event of every ESP has the documented JSON form.
func TestDemoJSONIsAsTheSchemaSays(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.Event))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("event.schema.json", doc))
	compiled, err := compiler.Compile("event.schema.json")
	require.NoError(t, err)

	out, info, err := run(t, "demo", "--once", "--json")
	require.NoError(t, err, info)
	n := 0
	for line := range strings.Lines(out) {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		require.NoError(t, err)
		require.NoError(t, compiled.Validate(value), line)
		_, err = anymail.DecodeEvent([]byte(line))
		require.NoError(t, err)
		n++
	}
	require.Greater(t, n, 300)
	for _, bad := range []string{`{}`, `{"kind":"tracking","esp":"x","event_type":"exploded","key":"k"}`, `{"kind":"tracking","esp":"x","event_type":"sent","key":"k","surprise":1}`} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		require.NoError(t, err)
		require.Error(t, compiled.Validate(value), bad)
	}
}

func TestSecret(t *testing.T) {
	out, _, err := run(t, "secret", "--url", "https://hooks.example.com/anymail/", "postmark")
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^secret +(\S+)\ntracking +(\S+)\ninbound +(\S+)\n$`).FindStringSubmatch(out)
	require.NotNil(t, found, out)
	_, err = anymail.New(anymail.WithSharedSecret(found[1]))
	require.NoError(t, err)
	u, err := url.Parse(found[2])
	require.NoError(t, err)
	require.Equal(t, found[1], u.User.String(), "no character had to be escaped")
	require.Equal(t, "https://hooks.example.com/anymail/postmark/tracking/", strings.Replace(found[2], u.User.String()+"@", "", 1))
	again, _, err := run(t, "secret")
	require.NoError(t, err)
	require.NotContains(t, again, found[1])
	_, _, err = run(t, "secret", "--url", "http://hooks.example.com")
	require.Equal(t, 2, cli.ExitCode(err))
}

func TestESPs(t *testing.T) {
	out, _, err := run(t, "esps", "--json")
	require.NoError(t, err)
	var list []struct {
		ESP              string
		EventTypes       []string `json:"event_types"`
		Signed           []string
		ReplayProtection bool `json:"replay_protection"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &list))
	require.Len(t, list, len(all.Specs()))
	for i, spec := range all.Specs() {
		e := list[i]
		require.Equal(t, spec.Name, e.ESP)
		require.Equal(t, spec.Signature == "", len(e.Signed) == 0, e.ESP)
		require.Equal(t, spec.Signature != "", e.ReplayProtection, e.ESP)
		require.NotEmpty(t, e.EventTypes, e.ESP)
	}
	out, _, err = run(t, "esps")
	require.NoError(t, err)
	require.Contains(t, out, "postmark (Postmark)")
	for flag, file := range map[string]string{"--markdown": "docs/coverage.md", "--semantics": "docs/semantics.md"} {
		docs, err := os.ReadFile("../../../" + file)
		require.NoError(t, err)
		out, _, err = run(t, "esps", flag)
		require.NoError(t, err)
		require.Equal(t, out, string(docs), "%s is not up to date; run: go run internal/generate/main.go", file)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{"trigger"}, {"trigger", "postmark"}, {"trigger", "nobody", "sent"}, {"trigger", "postmark", "exploded"}, {"demo", "--no-such-flag"},
		{"inspects"}, {"demo", "x"}, {"esps", "x"}, {"listen", "x"}, {"esps", "--json", "--table"},
		{"inspect", "nobody"}, {"inspect", "mailgun", "no-such-file"}, {"inspect", "mailgun", "-", "x"}, {"inspect", "mailgun", "--set", "sendgrid.tracking_signing_keys=x"},
		{"inspect", "mailgun", "--set", "wrong=x", "../../../README.md"}, {"inspect", "mailgun", "--at", "yesterday"}, {"inspect", "mailgun", "--url", "hooks"},
		{"inspect", "mandrill", "--url", "https://user:pass@hooks.example.com/"}, {"inspect", "mailgun", "--key", "@no-such-file"}, {"inspect", "mailgun", "--cert", "no-such-file"},
		{"inspect", "mailgun", "--files", "no-such-directory"},
		{"new-esp"}, {"listen", "--set", "x"}, {"listen", "--set", "nobody.keys=1"}, {"listen", "--set", "mailgun.wrong=1"}, {"listen", "--secret", "weak"}, {"listen", "--keep", "0"}, {"listen", "--forward", "localhost:8080"}, {"listen", "--forward-sign"}, {"listen", "--public-url", "x.example.com"}, {"listen", "--public-url", "https://x.example.com/anymail"},
		{"listen", "--set", "mailgun.signing_keys=@no-such-file"}, {"listen", "--sign-key", "sendgrid"}, {"listen", "--sign-key", "postmark=x"}, {"listen", "--sign-key", "sendgrid=x"}, {"listen", "--sign-key", "sendgrid=@no-such-file"},
		{"trigger", "sendgrid", "bounced", "--key", "not PEM"}, {"trigger", "postmark", "bounced", "--eml", "../../../go.mod"},
		{"trigger", "postmark", "bounced", "--to", "localhost:8080/anymail"}, {"trigger", "postmark", "bounced", "--count", "0"}, {"trigger", "postmark", "--new-key", "key"},
		{"trigger", "amazonses", "bounced", "--key", "not PEM"},
	} {
		_, _, err := run(t, args...)
		require.Error(t, err, args)
		require.Equal(t, 2, cli.ExitCode(err), "%v: %v", args, err)
	}
}

func TestVersion(t *testing.T) {
	out, _, err := run(t, "--version")
	require.NoError(t, err)
	require.Regexp(t, `^anymail version \S+ go1\.`, out)
}

func TestCompletion(t *testing.T) {
	out, _, err := run(t, "__complete", "trigger", "")
	require.NoError(t, err)
	require.Contains(t, out, "mailgun\n")
	out, _, err = run(t, "__complete", "trigger", "postmark", "")
	require.NoError(t, err)
	require.Contains(t, out, "HardBounce\n")
	require.Contains(t, out, "bounced\n")
	for _, args := range [][]string{{"inspect", ""}, {"secret", ""}, {"secret", "postmark", ""}} {
		out, _, err = run(t, append([]string{"__complete"}, args...)...)
		require.NoError(t, err)
		require.Contains(t, out, "sendgrid\n", args)
	}
	out, _, err = run(t, "__complete", "inspect", "mandrill", "--set", "")
	require.NoError(t, err)
	require.Contains(t, out, "keys=\t")
	require.NotContains(t, out, "tracking_signing_keys")
	out, _, err = run(t, "__complete", "listen", "--set", "")
	require.NoError(t, err)
	require.Contains(t, out, "sendgrid.tracking_signing_keys=\t")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		_, _, err := run(t, "completion", shell)
		require.NoError(t, err)
	}
}

// Every command has a short help text, and the main ones an example.
func TestHelp(t *testing.T) {
	var check func(*cobra.Command)
	check = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			check(sub)
		}
		if name := cmd.Name(); name == "help" || name == "completion" || cmd.Parent() == nil || cmd.Parent().Name() == "completion" {
			return
		}
		require.NotEmpty(t, cmd.Short, cmd.CommandPath())
		require.LessOrEqual(t, len(cmd.Short), 90, cmd.CommandPath())
		if cmd.Parent().Name() == "anymail" {
			require.Contains(t, cmd.Example, "anymail "+cmd.Name(), cmd.CommandPath())
		}
	}
	check(newRootCommand())
}

// listen accepts what trigger posts, for every ESP.
func TestTriggerAndListen(t *testing.T) {
	for _, sim := range allsim.List() {
		t.Run(sim.ESP, func(t *testing.T) {
			sample := usualSample(sim)
			args := []string{"trigger", sim.ESP, sample.Name, "--recipient", "grace@example.net", "--message-id", "chosen-by-me"}
			options := listenOptions{keep: 10, secrets: []string{"anymail:correct-horse-battery"}}
			if key := keyFor(t, sim.ESP); key != "" {
				args = append(args, "--key", key)
				options.settings = []string{settingFor(sim.ESP) + "=" + publicFor(t, sim.ESP, key)}
			}
			handler, err := newCatalog().newListener(io.Discard, options)
			require.NoError(t, err)
			server := httptest.NewServer(handler)
			defer server.Close()
			args = append(args, "--to", server.URL+"/anymail")

			out, info, err := run(t, args...)
			require.ErrorIs(t, err, cli.ErrReported, "no shared secret: %s%s", out, info)
			require.Regexp(t, ": (40|503)", out) // 503 for an ESP to which a 4xx is final

			args = append(args, "--secret", options.secrets[0])
			out, info, err = run(t, args...)
			require.NoError(t, err, "%s%s", out, info)
			require.Regexp(t, `^\S.* to `+regexp.QuoteMeta(server.URL)+`/anymail/`+sim.ESP+`/(`+sample.Endpoint+`/)?: 200 OK in `, out)
			require.NotContains(t, out, "correct-horse")

			records := struct {
				Requests []struct {
					Status int
					Events []struct{ Type, Recipient string }
				}
			}{}
			getJSON(t, server.URL+"/api/requests", &records)
			require.Len(t, records.Requests, 2)
			require.NotEqual(t, 200, records.Requests[1].Status)
			require.Equal(t, string(sample.Types[0]), records.Requests[0].Events[0].Type)
			if sample.Endpoint != "inbound" {
				require.Equal(t, "grace@example.net", records.Requests[0].Events[0].Recipient)
			}
		})
	}
}

func TestTriggerLoad(t *testing.T) {
	handler, err := newCatalog().newListener(io.Discard, listenOptions{keep: 1000})
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	defer server.Close()
	out, _, err := run(t, "trigger", "postmark", "opened", "--to", server.URL+"/anymail", "--count", "200", "--parallel", "4", "--rate", "2000")
	require.NoError(t, err)
	require.Regexp(t, `(?m)^ +200  200 OK$`, out)
	require.Regexp(t, `(?m)^latency  min .*, median .*, p90 .*, p99 .*, max `, out)
	var records struct{ Requests []struct{ Status int } }
	getJSON(t, server.URL+"/api/requests", &records)
	require.Len(t, records.Requests, 200)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cmd := newRootCommand()
	cmd.SetOut(new(bytes.Buffer))
	cmd.SetErr(new(bytes.Buffer))
	cmd.SetArgs([]string{"trigger", "postmark", "opened", "--to", server.URL + "/anymail", "--count", "5"})
	require.ErrorContains(t, cmd.ExecuteContext(ctx), "interrupted")
}

// A file with --eml arrives, whatever its lines end in, at every ESP that posts
// received messages. The others post a notification, and listen says what it needs.
func TestTriggerOwnMessage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "m.eml")
	require.NoError(t, os.WriteFile(file, []byte("From: Grace <grace@example.net>\nTo: help@example.org\nSubject: My own\n\nHello\n"), 0o600))
	for _, sim := range allsim.List() {
		if _, receives := sim.SampleOf(anymail.EventInbound); !receives {
			continue
		}
		t.Run(sim.ESP, func(t *testing.T) {
			key := filepath.Join(t.TempDir(), "key.pem")
			options := listenOptions{keep: 10}
			args := []string{"trigger", sim.ESP, "inbound", "--eml", file}
			if sim.ESP == "amazonses" {
				certificate, _, err := run(t, "trigger", "amazonses", "--new-key", key)
				require.NoError(t, err)
				options.settings = []string{"amazonses.insecure_test_certificates=" + certificate}
				options.secrets = []string{"anymail:correct-horse-battery"}
				args = append(args, "--key", "@"+key, "--secret", options.secrets[0], "--topic", "arn:aws:sns:us-east-1:111122223333:shop")
			}
			handler, err := newCatalog().newListener(io.Discard, options)
			require.NoError(t, err)
			server := httptest.NewServer(handler)
			defer server.Close()
			out, info, err := run(t, append(args, "--to", server.URL+"/anymail")...)

			var records struct {
				Requests []struct {
					Status int
					Error  string
					Events []struct{ Type, Subject string }
				}
			}
			getJSON(t, server.URL+"/api/requests", &records)
			require.Len(t, records.Requests, 1)
			r := records.Requests[0]
			if slices.Contains([]string{"agentmail", "emailengine", "nylas"}, sim.ESP) {
				return // without a key, it delivers what the webhook itself has
			}
			if slices.Contains(fetchAll, sim.ESP) {
				require.ErrorIs(t, err, cli.ErrReported)
				require.Contains(t, info, "your server fetches from "+sim.Title)
				require.Equal(t, http.StatusServiceUnavailable, r.Status)
				require.Contains(t, r.Error, "needs --set "+sim.ESP+".api_")
				return
			}
			require.NoError(t, err, "%s%s", out, info)
			require.Equal(t, "My own", r.Events[0].Subject)
		})
	}
}

// fetchAll are the ESPs whose received messages have to be fetched with a key.
var fetchAll = []string{"bird", "mailtrap", "resend"}

// With the key, the inbound endpoint is the adapter's own.
func TestListenWithAPIKey(t *testing.T) {
	lacks := func(settings ...string) (esps []string) {
		listener, err := newCatalog().newListener(io.Discard, listenOptions{keep: 10, settings: settings})
		require.NoError(t, err)
		for _, note := range listener.Notes() {
			name, _, _ := strings.Cut(note, ": received mail is fetched from ")
			esps = append(esps, name)
		}
		return esps
	}
	require.Equal(t, fetchAll, lacks())
	require.Equal(t, []string{"bird", "mailtrap"}, lacks("resend.api_keys=re_1"))
	require.Empty(t, lacks("resend.api_keys=re_1", "mailtrap.api_keys=t1", "bird.api_keys=b1"))
}

func TestTriggerTLS(t *testing.T) {
	handler, err := newCatalog().newListener(io.Discard, listenOptions{keep: 10, secrets: []string{"anymail:correct-horse-battery"}})
	require.NoError(t, err)
	server := httptest.NewTLSServer(handler)
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	write := func(name string, block *pem.Block) string {
		file := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
		return file
	}
	ca := write("ca.pem", &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	key := write("key.pem", &pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})
	to := "https://anymail:correct-horse-battery@" + server.Listener.Addr().String() + "/anymail"
	tests := []struct {
		name string
		args []string
		want string // in the error
		exit int
	}{
		{"untrusted", nil, "--cacert names a file", 1},
		{"its own certificate", []string{"--cacert", ca}, "", 0},
		{"not a certificate", []string{"--cacert", key}, "no certificate in PEM", 2},
		{"no file", []string{"--cacert", "no-such-file"}, "no-such-file", 1},
		{"any certificate", []string{"--insecure"}, "", 0},
		{"both", []string{"--insecure", "--cacert", ca}, "exclude each other", 2},
		{"another secret", []string{"--insecure", "--secret", "anymail:another-secret"}, "failed", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, info, err := run(t, append([]string{"trigger", "postmark", "bounced", "--to", to}, tt.args...)...)
			require.NotContains(t, out+info, "correct-horse", "the secret is in the URL")
			require.Equal(t, tt.exit, cli.ExitCode(err), "%v", err)
			if tt.want != "" {
				require.ErrorContains(t, err, tt.want)
				return
			}
			require.Contains(t, out, " to "+server.URL+"/anymail/postmark/tracking/: 200 OK")
		})
	}
}

func TestTriggerNewKey(t *testing.T) {
	for _, sim := range allsim.List() {
		t.Run(sim.ESP, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "key")
			out, info, err := run(t, "trigger", sim.ESP, "--new-key", file)
			if sim.NewCredential == nil {
				require.Equal(t, 2, cli.ExitCode(err))
				require.NoFileExists(t, file)
				return
			}
			require.NoError(t, err)
			require.Contains(t, info, "--key @"+file)
			key, err := os.ReadFile(file)
			require.NoError(t, err)
			credential, err := sim.Credential(strings.TrimSpace(string(key)))
			require.NoError(t, err)
			if credential.Config != "" {
				require.Equal(t, strings.TrimSpace(credential.Config), strings.TrimSpace(out))
			}
			stat, err := os.Stat(file)
			require.NoError(t, err)
			require.Equal(t, fs.FileMode(0o600), stat.Mode())
			_, _, err = run(t, "trigger", sim.ESP, "--new-key", file)
			require.ErrorIs(t, err, fs.ErrExist, "it would be lost")
		})
	}
}
