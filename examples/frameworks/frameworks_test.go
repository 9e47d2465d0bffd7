package frameworks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/mailgun/mailgunsim"
	"github.com/goanymail/anymail/esp/mandrill/mandrillsim"
	"github.com/goanymail/anymail/esp/sendgrid/sendgridsim"
	"github.com/goanymail/anymail/simulator"
)

// A starter serves a Dispatcher until the test ends. It returns the base URL and a
// client that trusts the server.
type starter func(*testing.T, *anymail.Dispatcher) (string, *http.Client)

// starts are the examples.
var starts = map[string]starter{
	"net/http": handler(NetHTTP),
	"chi":      handler(Chi),
	"gin":      handler(Gin),
	"echo":     handler(Echo),
	"gorilla":  handler(Gorilla),
	"fiber": func(t *testing.T, d *anymail.Dispatcher) (string, *http.Client) {
		app := Fiber(d)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		served := make(chan error, 1)
		go func() { served <- app.Listener(listener, fiber.ListenConfig{DisableStartupMessage: true}) }()
		t.Cleanup(func() {
			require.NoError(t, app.Shutdown())
			require.NoError(t, <-served)
		})
		return "http://" + listener.Addr().String(), &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	},
	"Lambda, function URL":          gateway(payloadV2, "$default"),
	"Lambda, HTTP API with a stage": gateway(payloadV2, "prod"),
	"Lambda, REST API":              gateway(payloadV1, "prod"),
}

func handler(example func(*anymail.Dispatcher) http.Handler) starter {
	return func(t *testing.T, d *anymail.Dispatcher) (string, *http.Client) {
		server := httptest.NewServer(example(d))
		t.Cleanup(server.Close)
		return server.URL, server.Client()
	}
}

// mounted is a Dispatcher that an example has mounted.
type mounted struct {
	*anymailtest.Server
	client *http.Client
}

func mountIn(t *testing.T, sim *simulator.Simulator, start starter) mounted {
	// The list proves that the client's address arrives.
	m := mounted{Server: anymailtest.NewServer(t, sim, anymail.WithAllowedAddresses(netip.MustParsePrefix("127.0.0.1/32")))}
	base, client := start(t, m.Dispatcher)
	m.URL, m.client = base+mount, client
	return m
}

func (m mounted) status(t *testing.T, r simulator.Request) int {
	req, err := r.HTTP()
	require.NoError(t, err)
	resp, err := m.client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// What each ESP signs: Mandrill the URL and the form, SendGrid the body's bytes,
// Mailgun a token in a multipart form.
func TestSignedRequests(t *testing.T) {
	for name, start := range starts {
		for _, sent := range []struct {
			sim    *simulator.Simulator
			sample string
		}{
			{mandrillsim.New(), "hard_bounce-general"},
			{sendgridsim.New(), "delivered"},
			{mailgunsim.New(), "route-forward-attachments"},
		} {
			t.Run(name+"/"+sent.sim.ESP, func(t *testing.T) {
				m := mountIn(t, sent.sim, start)
				sample, ok := sent.sim.Sample(sent.sample)
				require.True(t, ok)
				request := m.Address(t, sample.Make(simulator.NewParams()))
				request.URL += "?account=7"
				require.NoError(t, sent.sim.SignNow(&request, m.Credential))
				require.Equal(t, 200, m.status(t, request), "%s", m.Rejections)
				got := m.Take()
				require.Len(t, got, len(sample.Types))
				require.Equal(t, sample.Types[0], got[0].Base().Type)

				simulator.SetSecret(&request, "webhook:a-wrong-password")
				require.Equal(t, 400, m.status(t, request))
			})
		}
	}
}

// ESPs probe a URL before they accept it. A body of several megabytes arrives.
func TestProbesAndLargeMail(t *testing.T) {
	for name, start := range starts {
		t.Run(name, func(t *testing.T) {
			sim := mailgunsim.New()
			m := mountIn(t, sim, start)
			for _, tt := range []struct {
				method, path string
				status       int
			}{
				{http.MethodHead, "/mailgun/tracking/", 200},
				{http.MethodHead, "/mailgun/tracking", 200},
				{http.MethodGet, "/mailgun/tracking/", 405},
				{http.MethodPost, "/mailgun/nothing/", 404},
			} {
				require.Equal(t, tt.status, m.status(t, simulator.Request{Method: tt.method, URL: m.URL + tt.path}), "%s %s", tt.method, tt.path)
			}

			if strings.HasPrefix(name, "Lambda") {
				return // accepts 6 MB, in base64
			}
			sample, _ := sim.Sample("route-forward-mime")
			p := simulator.NewParams()
			p.MIME = []byte("Subject: large\r\n\r\n" + strings.Repeat(strings.Repeat("x", 78)+"\r\n", 100_000))
			require.Equal(t, 200, m.status(t, m.Prepare(t, sample, p)), "%s", m.Rejections)
			require.Greater(t, len(m.Take()[0].(*anymail.InboundEvent).Message.Text), 7_000_000)
		})
	}
}

// gateway plays API Gateway: it makes an event of each HTTP request and invokes the
// function with it, through the library that AWS runs. The client's URL has the
// stage in its path, unless it is the default one.
func gateway(payload func(d *anymail.Dispatcher, r *http.Request, path, stage string, body []byte) (lambda.Handler, any), stage string) starter {
	return func(t *testing.T, d *anymail.Dispatcher) (string, *http.Client) {
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			function, in := payload(d, r, strings.TrimPrefix(r.URL.Path, "/"+stage), stage, body)
			event, err := json.Marshal(in)
			if err != nil {
				t.Error(err)
			}
			answer, err := function.Invoke(context.Background(), event)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			var out events.APIGatewayProxyResponse // has all fields of the other
			if err := json.Unmarshal(answer, &out); err != nil {
				t.Error(err)
			}
			w.WriteHeader(out.StatusCode)
			_, _ = io.WriteString(w, out.Body)
		}))
		t.Cleanup(server.Close)
		if stage == "$default" {
			return server.URL, server.Client()
		}
		return server.URL + "/" + stage, server.Client()
	}
}

// content is a body as API Gateway passes it on: text as it is, all else in base64.
func content(r *http.Request, body []byte) (text string, encoded bool) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		return base64.StdEncoding.EncodeToString(body), true
	}
	return string(body), false
}

func payloadV2(d *anymail.Dispatcher, r *http.Request, _, stage string, body []byte) (lambda.Handler, any) {
	in := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "$default", RawPath: r.URL.EscapedPath(), RawQueryString: r.URL.RawQuery,
		Headers: map[string]string{"host": r.Host},
	}
	in.Body, in.IsBase64Encoded = content(r, body)
	for name, values := range r.Header {
		in.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	in.RequestContext.DomainName, in.RequestContext.Stage = r.Host, stage
	in.RequestContext.HTTP.Method, in.RequestContext.HTTP.Path = r.Method, r.URL.Path
	in.RequestContext.HTTP.SourceIP, _, _ = net.SplitHostPort(r.RemoteAddr)
	return lambda.NewHandler(LambdaV2(d)), in
}

func payloadV1(d *anymail.Dispatcher, r *http.Request, path, stage string, body []byte) (lambda.Handler, any) {
	in := events.APIGatewayProxyRequest{
		HTTPMethod: r.Method, Path: path, Resource: "/{proxy+}",
		MultiValueHeaders: r.Header, MultiValueQueryStringParameters: r.URL.Query(),
	}
	in.Body, in.IsBase64Encoded = content(r, body)
	in.RequestContext.DomainName, in.RequestContext.Stage, in.RequestContext.Path = r.Host, stage, r.URL.Path
	in.RequestContext.Identity.SourceIP, _, _ = net.SplitHostPort(r.RemoteAddr)
	return lambda.NewHandler(LambdaV1(d)), in
}
