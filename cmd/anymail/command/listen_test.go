package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/simulator"
)

// startListen runs listen with arguments on a free port. It returns the URL of the page,
// and what ends the command.
func startListen(t *testing.T, args ...string) (url string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	cmd := newRootCommand()
	cmd.SetErr(out)
	cmd.SetArgs(append([]string{"listen", "--listen", "127.0.0.1:0"}, args...))
	done := make(chan error, 1)
	go func() {
		done <- cmd.ExecuteContext(ctx)
		_ = out.Close()
	}()
	lines := bufio.NewScanner(in)
	for url == "" && lines.Scan() {
		if page, ok := strings.CutPrefix(lines.Text(), "page "); ok {
			url = strings.TrimSuffix(strings.TrimSpace(page), "/")
		}
	}
	go func() { _, _ = io.Copy(io.Discard, in) }()
	require.NotEmpty(t, url)
	return url, func() {
		cancel()
		require.NoError(t, <-done)
	}
}

// What is stored is there after a restart, and what is forwarded arrives.
func TestListenStoresAndForwards(t *testing.T) {
	bodies := make(chan string, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- r.URL.Path + " " + string(body)
	}))
	defer app.Close()
	file := filepath.Join(t.TempDir(), "requests.ndjson")
	url, stop := startListen(t, "--store", file, "--keep", "5", "--forward", app.URL+"/hooks")
	out, _, err := run(t, "trigger", "postmark", "bounced", "--to", url+"/anymail", "--recipient", "grace@example.net")
	require.NoError(t, err, out)
	forwarded := <-bodies
	require.True(t, strings.HasPrefix(forwarded, "/hooks/postmark/tracking/ {"), forwarded)
	require.Contains(t, forwarded, "grace@example.net")
	stop()

	url, stop = startListen(t, "--store", file)
	defer stop()
	var events struct {
		Events []struct{ Event struct{ Recipient string } }
	}
	getJSON(t, url+"/api/events", &events)
	require.Len(t, events.Events, 1)
	require.Equal(t, "grace@example.net", events.Events[0].Event.Recipient)
	var settings struct {
		Store bool
		Keep  int
	}
	getJSON(t, url+"/api/settings", &settings)
	require.True(t, settings.Store)
	require.Equal(t, 10000, settings.Keep)

	_, _, err = run(t, "listen", "--store", "../../../README.md")
	require.ErrorContains(t, err, "--store: ")
}

// dove is an ESP that the library does not have.
var dove = ESP{
	Spec: esp.Spec{Name: "dove", Title: "Dove", New: func(esp.Values) (anymail.Adapter, error) { return doveAdapter{}, nil }},
	Simulator: func() *simulator.Simulator {
		return &simulator.Simulator{
			ESP: "dove", Title: "Dove",
			NewAdapter: func(...simulator.Credential) (anymail.Adapter, error) { return doveAdapter{}, nil },
			Samples: []simulator.Sample{{
				Name: "landed", Endpoint: "tracking", Types: []anymail.EventType{anymail.EventDelivered},
				Make: func(p simulator.Params) simulator.Request {
					return simulator.JSON("tracking", simulator.MustJSON(map[string]string{"landed_at": p.Recipient}))
				},
			}},
		}
	},
}

type doveAdapter struct{}

func (doveAdapter) ESP() string { return "dove" }

func (doveAdapter) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{{Path: "tracking", Parser: anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
		var landing struct {
			At string `json:"landed_at"`
		}
		if err := json.Unmarshal(p.Body, &landing); err != nil {
			return nil, anymail.Malformed("landing", err)
		}
		return []anymail.Event{&anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventDelivered}, Recipient: landing.At}}, nil
	})}}
}

// An ESP of the user's own is on the page like the others.
func TestListenKnowsMoreESPs(t *testing.T) {
	listener, err := newCatalog(dove).newListener(io.Discard, listenOptions{keep: 10})
	require.NoError(t, err)
	server := httptest.NewServer(listener)
	defer server.Close()
	var esps []struct{ Name string }
	getJSON(t, server.URL+"/api/esps", &esps)
	require.Equal(t, "dove", esps[len(esps)-1].Name)

	req, err := http.NewRequest(http.MethodPost, server.URL+"/api/trigger", bytes.NewReader([]byte(`{"esp": "dove", "type": "delivered", "recipient": "grace@example.net"}`)))
	require.NoError(t, err)
	req.Header.Set("X-Anymail", "1")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	var event struct {
		Event struct{ ESP, Recipient string }
	}
	getJSON(t, server.URL+"/api/wait?esp=dove", &event)
	require.Equal(t, "grace@example.net", event.Event.Recipient)

	// A request to a wrong path is recognized, and a test of it needs no package.
	resp, err = http.Post(server.URL+"/landings", "application/json", strings.NewReader(`{"landed_at": "ada@example.com"}`))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	var detail struct {
		RightURL string `json:"right_url"`
	}
	getJSON(t, server.URL+"/api/requests/2", &detail)
	require.Equal(t, server.URL+"/anymail/dove/tracking/", detail.RightURL)
	resp, err = http.Get(server.URL + "/api/requests/1/gotest")
	require.NoError(t, err)
	defer resp.Body.Close()
	code, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(code), "func TestDoveDelivered(")
	require.NotContains(t, string(code), "dovesim")
}
