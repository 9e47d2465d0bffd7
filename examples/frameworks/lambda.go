package frameworks

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/goanymail/anymail"
)

// On Lambda, nothing runs after the response: receivers must run before it, which is
// the default, or a queue elsewhere must take the events. A MemoryStore is that of one
// instance: use package sqlstore.

// LambdaV2 serves a function URL, or an HTTP API of API Gateway with payload format
// 2.0; the two have the same form. Start it with lambda.Start(LambdaV2(d)). With a
// custom domain, the path lacks the API mapping: set [anymail.WithPublicURL] for an ESP
// that signs the URL.
//
// Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
func LambdaV2(d *anymail.Dispatcher) func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return func(ctx context.Context, in events.APIGatewayV2HTTPRequest) (out events.APIGatewayV2HTTPResponse, err error) {
		header := http.Header{}
		for name, value := range in.Headers { // repeated ones are joined by commas
			header.Set(name, value)
		}
		call := invocation{
			method: in.RequestContext.HTTP.Method, host: in.RequestContext.DomainName,
			path: in.RawPath, query: in.RawQueryString, // the path begins with the stage
			stage: in.RequestContext.Stage, client: in.RequestContext.HTTP.SourceIP,
			header: header, body: in.Body, base64: in.IsBase64Encoded,
		}
		w, err := call.serve(ctx, d)
		if err != nil {
			return out, err
		}
		out.StatusCode, out.Body, out.Headers = w.status, w.body.String(), map[string]string{}
		for name := range w.header {
			out.Headers[name] = w.header.Get(name)
		}
		return out, nil
	}
}

// LambdaV1 serves a REST API of API Gateway, or an HTTP API with payload format 1.0.
// A REST API needs "*/*" among its binary media types: it passes other bodies on as
// text, which breaks signatures and attachments.
//
// Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
func LambdaV1(d *anymail.Dispatcher) func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	return func(ctx context.Context, in events.APIGatewayProxyRequest) (out events.APIGatewayProxyResponse, err error) {
		header := http.Header{}
		for name, values := range in.MultiValueHeaders {
			for _, value := range values {
				header.Add(name, value)
			}
		}
		call := invocation{
			method: in.HTTPMethod, host: in.RequestContext.DomainName,
			path: in.RequestContext.Path, // with the stage, which Path lacks
			// The parameters are decoded, and their order is lost.
			query: url.Values(in.MultiValueQueryStringParameters).Encode(),
			stage: in.RequestContext.Stage, client: in.RequestContext.Identity.SourceIP,
			header: header, body: in.Body, base64: in.IsBase64Encoded,
		}
		w, err := call.serve(ctx, d)
		if err != nil {
			return out, err
		}
		out.StatusCode, out.Body, out.MultiValueHeaders = w.status, w.body.String(), w.header
		return out, nil
	}
}

// invocation is what both formats say about a request.
type invocation struct {
	method, host, path, query, stage, client string
	header                                   http.Header
	body                                     string
	base64                                   bool
}

// serve lets d handle the request. The URL is the one that the client called: some
// ESPs sign it.
func (i invocation) serve(ctx context.Context, d *anymail.Dispatcher) (*response, error) {
	body := []byte(i.body)
	if i.base64 {
		var err error
		if body, err = base64.StdEncoding.DecodeString(i.body); err != nil {
			return nil, err
		}
	}
	if i.query != "" {
		i.path += "?" + i.query
	}
	if host := i.header.Get("Host"); host != "" {
		i.host = host
	}
	r, err := http.NewRequestWithContext(ctx, i.method, "https://"+i.host+i.path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = i.header
	r.RequestURI = i.path
	r.RemoteAddr = net.JoinHostPort(i.client, "0")
	r.TLS = new(tls.ConnectionState) // both accept https only

	handler := stripped(d)
	if stage := "/" + i.stage; strings.HasPrefix(r.URL.Path, stage+"/") { // a custom domain has no stage
		handler = http.StripPrefix(stage, handler)
	}
	w := &response{header: http.Header{}, status: http.StatusOK}
	handler.ServeHTTP(w, r)
	return w, nil
}

// response keeps a response. The Dispatcher writes a status and a short text.
type response struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *response) Header() http.Header         { return w.header }
func (w *response) WriteHeader(status int)      { w.status = status }
func (w *response) Write(b []byte) (int, error) { return w.body.Write(b) }
