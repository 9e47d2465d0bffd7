package capture

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// parseJSON reads a capture that is a JSON object with the parts of a request: an
// event of AWS Lambda, or what webhook.site or the agent of ngrok tells of one
// request or of several. It reports whether b is one; a body of an ESP is not.
func parseJSON(b []byte, entry int) (r *Request, ok bool, err error) {
	var event lambdaEvent
	if json.Unmarshal(b, &event) == nil && event.Headers != nil && (event.IsBase64 != nil || event.Context != nil) {
		r, err = event.request()
		return r, true, err
	}
	var site webhookSite
	if json.Unmarshal(b, &site) == nil && site.complete() {
		r, err = site.request()
		return r, true, err
	}
	var agent ngrok
	if json.Unmarshal(b, &agent) == nil && agent.complete() {
		r, err = agent.request()
		return r, true, err
	}
	var list struct {
		Site  []webhookSite `json:"data"`
		Agent []ngrok       `json:"requests"`
	}
	_ = json.Unmarshal(b, &list) // anything else leaves the lists empty
	switch {
	case all(list.Site, webhookSite.complete):
		r, err = choose(list.Site, entry, func(s webhookSite) string { return s.Method }, webhookSite.request)
		return r, true, err
	case all(list.Agent, ngrok.complete):
		r, err = choose(list.Agent, entry, func(n ngrok) string { return n.Request.Method }, ngrok.request)
		return r, true, err
	}
	return nil, false, nil
}

// all reports whether there are elements, all of which have a property.
func all[E any](list []E, has func(E) bool) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(e E) bool { return !has(e) })
}

// values is one value or a list of them.
type values []string

func (v *values) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*v = values{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(v))
}

// header returns the header fields of names to values.
func header(fields map[string]values) (http.Header, error) {
	if len(fields) > maxHeaders {
		return nil, fmt.Errorf("more than %d header fields", maxHeaders)
	}
	h := http.Header{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		for _, value := range fields[name] {
			h.Add(name, value)
		}
	}
	return h, nil
}

// lambdaEvent is a request as API Gateway, a function URL or a load balancer of
// AWS hands it to a function, in the payload formats 1.0 and 2.0.
// Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
type lambdaEvent struct {
	Headers      map[string]values `json:"headers"`
	MultiHeaders map[string]values `json:"multiValueHeaders"`
	Body         string            `json:"body"`
	IsBase64     *bool             `json:"isBase64Encoded"`
	Method       string            `json:"httpMethod"`
	Path         string            `json:"path"`
	Query        map[string]values `json:"queryStringParameters"`
	MultiQuery   map[string]values `json:"multiValueQueryStringParameters"`
	RawPath      string            `json:"rawPath"`
	RawQuery     string            `json:"rawQueryString"`
	Context      *struct {
		Domain string `json:"domainName"`
		Path   string `json:"path"` // with the stage, as it was called
		HTTP   struct {
			Method string `json:"method"`
		} `json:"http"`
		Time      int64 `json:"timeEpoch"`        // in milliseconds, of format 2.0
		TimeOfOne int64 `json:"requestTimeEpoch"` // the same of format 1.0
	} `json:"requestContext"`
}

func (e *lambdaEvent) request() (*Request, error) {
	fields := e.Headers
	if len(e.MultiHeaders) > 0 {
		fields = e.MultiHeaders
	}
	h, err := header(fields)
	if err != nil {
		return nil, err
	}
	r := &Request{Form: "Lambda", Method: e.Method, Header: h, Body: []byte(e.Body)}
	if e.IsBase64 != nil && *e.IsBase64 {
		if r.Body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, errors.New("the body in this event is not base64, though isBase64Encoded says so")
		}
	}
	path, query := e.RawPath, e.RawQuery
	if path == "" {
		path = e.Path
		parameters := url.Values{}
		for name, list := range e.Query {
			parameters[name] = list
		}
		for name, list := range e.MultiQuery {
			parameters[name] = list
		}
		query = parameters.Encode()
		if len(parameters) > 1 {
			r.note("the order of the URL's parameters is not in the capture")
		}
	}
	if c := e.Context; c != nil {
		if r.Method == "" {
			r.Method = c.HTTP.Method
		}
		if e.RawPath == "" && c.Path != "" {
			path = c.Path
		}
		if h.Get("Host") == "" && c.Domain != "" {
			h.Set("Host", c.Domain)
		}
		if ms := max(c.Time, c.TimeOfOne); ms > 0 {
			r.At = time.UnixMilli(ms).UTC()
		}
	}
	if query != "" {
		path += "?" + query
	}
	r.URL = absolute(path, h)
	return r, nil
}

// webhookSite is a request as webhook.site exports it.
// Source: https://docs.webhook.site/api/requests.html
type webhookSite struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]values `json:"headers"`
	Content *string           `json:"content"`
	Form    json.RawMessage   `json:"request"` // the fields of a form
	Created string            `json:"created_at"`
}

func (s webhookSite) complete() bool {
	return s.Headers != nil && s.Method != "" && s.URL != "" && s.Content != nil
}

func (s webhookSite) request() (*Request, error) {
	h, err := header(s.Headers)
	if err != nil {
		return nil, err
	}
	r := &Request{Form: "webhook.site", Method: s.Method, URL: s.URL, Header: h, Body: []byte(*s.Content)}
	r.At, _ = time.Parse(time.DateTime, s.Created)
	if *s.Content == "" && bytes.HasPrefix(bytes.TrimSpace(s.Form), []byte("{")) && strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "multipart/") {
		r.changed("webhook.site keeps the fields of a multipart form and not its bytes")
	}
	return r, nil
}

// ngrok is a request as ngrok's agent tells it at
// http://127.0.0.1:4040/api/requests/http.
// Source: https://ngrok.com/docs/agent/api
type ngrok struct {
	Start   string `json:"start"`
	Request struct {
		Method string  `json:"method"`
		Raw    *string `json:"raw"` // the bytes of the request in base64
	} `json:"request"`
}

func (n ngrok) complete() bool { return n.Request.Method != "" && n.Request.Raw != nil }

func (n ngrok) request() (*Request, error) {
	raw, err := base64.StdEncoding.DecodeString(*n.Request.Raw)
	if err != nil {
		return nil, errors.New("request.raw of this capture by ngrok is not base64")
	}
	r, err := readHTTP(raw)
	if err != nil {
		return nil, err
	}
	r.Form = "ngrok"
	r.At, _ = time.Parse(time.RFC3339, n.Start)
	return r, nil
}
