package capture_test

import (
	"encoding/base64"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/cmd/anymail/internal/capture"
)

func TestJSONCaptures(t *testing.T) {
	at := time.Date(2026, 11, 28, 2, 38, 7, 0, time.UTC)
	for name, tt := range map[string]struct {
		in                 string
		form, url, body    string
		header, headerWant string
		at                 time.Time
		changed            bool
	}{
		"format 2.0": {
			in: `{"version":"2.0","rawPath":"/a/sendgrid/tracking/","rawQueryString":"b=2&a=1","headers":{"content-type":"application/json","x-a":"1"},
				"requestContext":{"domainName":"x.lambda-url.eu-west-1.on.aws","http":{"method":"POST","path":"/"},"timeEpoch":1795833487000},"body":"W10NCg==","isBase64Encoded":true}`,
			form: "Lambda", url: "https://x.lambda-url.eu-west-1.on.aws/a/sendgrid/tracking/?b=2&a=1", body: "[]\r\n", header: "X-A", headerWant: "1", at: at,
		},
		"format 1.0": {
			in: `{"version":"1.0","path":"/a/","httpMethod":"POST","headers":{"Host":"h.example","X-A":"2"},"multiValueHeaders":{"Host":["h.example"],"X-A":["1","2"]},
				"queryStringParameters":{"a":"1"},"requestContext":{"path":"/stage/a/","requestTimeEpoch":1795833487000},"body":"{\"a\": 1}","isBase64Encoded":false}`,
			form: "Lambda", url: "https://h.example/stage/a/?a=1", body: `{"a": 1}`, header: "X-A", headerWant: "1", at: at,
		},
		"a load balancer": {
			in:   `{"requestContext":{"elb":{}},"httpMethod":"POST","path":"/a/","headers":{"host":"h.example","x-a":"1"},"body":"","isBase64Encoded":false}`,
			form: "Lambda", url: "https://h.example/a/", header: "X-A", headerWant: "1",
		},
		"what is left of an event": {
			in:   `{"headers":{"host":"h.example","x-a":"1"},"body":"W10=","isBase64Encoded":true}`,
			form: "Lambda", url: "https://h.example/", body: "[]", header: "X-A", headerWant: "1",
		},
		"a null body": {
			in:   `{"headers":{"host":"h.example","x-a":"1"},"body":null,"isBase64Encoded":false}`,
			form: "Lambda", url: "https://h.example/", header: "X-A", headerWant: "1",
		},
		"webhook.site": {
			in:   `{"uuid":"u","method":"POST","url":"https://webhook.site/u?a=1","headers":{"x-a":["1","2"]},"content":"[1]\r\n","created_at":"2026-11-28 02:38:07"}`,
			form: "webhook.site", url: "https://webhook.site/u?a=1", body: "[1]\r\n", header: "X-A", headerWant: "1", at: at,
		},
		"webhook.site with a form": {
			in:   `{"method":"POST","url":"https://webhook.site/u","headers":{"x-a":["1"],"content-type":["multipart/form-data; boundary=b"]},"content":"","request":{"a":"b"}}`,
			form: "webhook.site", url: "https://webhook.site/u", header: "X-A", headerWant: "1", changed: true,
		},
		"a list by webhook.site": {
			in: `{"data":[{"method":"GET","url":"https://webhook.site/u","headers":{},"content":""},
				{"method":"POST","url":"https://webhook.site/u?a=1","headers":{"x-a":["1"]},"content":"[1]","created_at":"2026-11-28 02:38:07"}],"total":2}`,
			form: "webhook.site", url: "https://webhook.site/u?a=1", body: "[1]", header: "X-A", headerWant: "1", at: at,
		},
		"ngrok":           {in: ngrokRequest("POST"), form: "ngrok", url: "https://h.example/a/?b=1", body: "[]\r\n", header: "X-A", headerWant: "1", at: at},
		"a list by ngrok": {in: `{"uri":"/api/requests/http","requests":[` + ngrokRequest("GET") + `,` + ngrokRequest("POST") + `]}`, form: "ngrok", url: "https://h.example/a/?b=1", body: "[]\r\n", header: "X-A", headerWant: "1", at: at},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := capture.Read([]byte(tt.in), capture.Options{})
			require.NoError(t, err)
			require.Equal(t, tt.form, r.Form)
			require.Equal(t, http.MethodPost, r.Method)
			require.Equal(t, tt.url, r.URL)
			require.Equal(t, tt.body, string(r.Body))
			require.Equal(t, tt.headerWant, r.Header.Get(tt.header))
			require.True(t, tt.at.Equal(r.At), r.At)
			require.Equal(t, tt.changed, r.Changed)
		})
	}
}

// ngrokRequest is a request as the agent of ngrok tells it.
func ngrokRequest(method string) string {
	raw := method + " /a/?b=1 HTTP/1.1\r\nHost: h.example\r\nX-A: 1\r\nContent-Length: 4\r\n\r\n[]\r\n"
	return `{"uri":"/api/requests/http/1","id":"1","tunnel_name":"t","remote_addr":"192.0.2.1","start":"2026-11-28T03:38:07+01:00","duration":1,
		"request":{"method":"` + method + `","proto":"HTTP/1.1","headers":{"X-A":["1"]},"uri":"/a/?b=1","raw":"` + base64.StdEncoding.EncodeToString([]byte(raw)) + `"},
		"response":{"status":"400 Bad Request","status_code":400,"raw":""}}`
}

// What an ESP posts is a body, even if it has some of these names.
func TestJSONBodies(t *testing.T) {
	for _, in := range []string{
		`{"headers":{"x-a":"1"},"body":"b"}`, `{"headers":[{"name":"x","value":"y"}],"content":"c","method":"m","url":"u"}`,
		`{"method":"POST","url":"https://example.com","content":"c"}`, `{"data":[]}`, `{"requests":[{"request":{"method":"POST"}}]}`, `{"data":[{"url":"u"}],"requests":[]}`, `[{"headers":{},"isBase64Encoded":true}]`, `{"isBase64Encoded":true,"body":"YQ=="}`,
	} {
		r, err := capture.Read([]byte(in), capture.Options{})
		require.NoError(t, err)
		require.Equal(t, "body", r.Form, in)
		require.Equal(t, in, string(r.Body))
	}
}

func TestJSONErrors(t *testing.T) {
	_, err := capture.Read([]byte(`{"headers":{},"body":"s3cret?","isBase64Encoded":true}`), capture.Options{})
	require.ErrorContains(t, err, "is not base64")
	require.NotContains(t, err.Error(), "s3cret")
}
