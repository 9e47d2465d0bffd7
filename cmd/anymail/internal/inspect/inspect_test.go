package inspect_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail/internal/capture"
	"github.com/goanymail/anymail/cmd/anymail/internal/inspect"
	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/esp/amazonses/amazonsessim"
	"github.com/goanymail/anymail/simulator"
)

const secret = "anymail:correct-horse-battery"

// captured returns a capture of a signed sample.
func captured(t *testing.T, sim *simulator.Simulator, c simulator.Credential, sample string) *capture.Request {
	t.Helper()
	s, ok := sim.Sample(sample)
	require.True(t, ok, sample)
	r := s.Make(simulator.NewParams())
	r.Header = r.Header.Clone()
	simulator.SetSecret(&r, secret)
	var err error
	r.URL, err = simulator.EndpointURL("https://hooks.example.com/anymail", sim.ESP, r.Endpoint)
	require.NoError(t, err)
	require.NoError(t, sim.SignNow(&r, c))
	return &capture.Request{Form: "HTTP", Method: http.MethodPost, URL: r.URL, Header: r.Header, Body: r.Body}
}

func options(t *testing.T, esp string) inspect.Options {
	t.Helper()
	e, ok := all.Find(esp)
	require.True(t, ok)
	return inspect.Options{ESP: e, Simulator: allsim.Find(esp), Secrets: []string{secret}}
}

func check(t *testing.T, r *inspect.Report, name string) inspect.Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no check %q among %+v", name, r.Checks)
	return inspect.Check{}
}

// network records the requests to it.
type network struct {
	next http.RoundTripper
	urls []string
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.urls = append(n.urls, r.Method+" "+r.URL.Scheme+"://"+r.URL.Host+r.URL.Path)
	return n.next.RoundTrip(r)
}

// Nothing is fetched without --fetch, and nothing is ever confirmed.
func TestCertificates(t *testing.T) {
	aws := new(amazonsessim.AWS)
	sim := aws.Simulator()
	credential := sim.NewCredential()
	for _, sample := range []string{"Bounce Permanent General", "SubscriptionConfirmation"} {
		for _, fetch := range []bool{false, true} {
			n := &network{next: aws}
			o := options(t, "amazonses")
			o.Fetch, o.Transport = fetch, n
			r, err := inspect.Run(t.Context(), captured(t, sim, credential, sample), o)
			require.NoError(t, err)
			signature := check(t, r, inspect.CheckSignature)
			if !fetch {
				require.Empty(t, n.urls)
				require.Equal(t, inspect.Undecided, r.Verdict)
				require.Equal(t, inspect.Open, signature.Result)
				require.Contains(t, signature.Reason, "GET https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-")
				require.Contains(t, signature.Hints[0], "--cert")
				require.Len(t, signature.Comparisons, 1, "the signed content is known all the same")
				require.Equal(t, "body Signature", signature.Comparisons[0].Place)
				continue
			}
			require.Len(t, n.urls, 1, "the certificate alone")
			require.Equal(t, inspect.Authentic, r.Verdict, "%+v", r.Checks)
			require.Equal(t, inspect.OK, signature.Result)
			if r.Handshake {
				require.Equal(t, "SubscriptionConfirmation", sample)
				require.Contains(t, check(t, r, inspect.CheckPayload).Reason, "GET https://sns.eu-west-1.amazonaws.com/")
				require.Empty(t, r.Events)
			} else {
				require.Len(t, r.Events, 1)
			}
		}
	}

	// Amazon signs for every customer: it needs a secret, or the topic.
	o := options(t, "amazonses")
	o.Secrets, o.Fetch, o.Transport = nil, true, aws
	r, err := inspect.Run(t.Context(), captured(t, sim, credential, "Bounce Permanent General"), o)
	require.NoError(t, err)
	require.Equal(t, inspect.OK, check(t, r, inspect.CheckSignature).Result)
	require.Equal(t, inspect.NotChecked, r.Verdict)
}

type answering func(*http.Request) string

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewBufferString(a(r))), Request: r}, nil
}

// A stored message is fetched, and its fields are found there.
func TestFetched(t *testing.T) {
	sim := allsim.Find("mailgun")
	credential := sim.NewCredential()
	request := captured(t, sim, credential, "route-store")
	message := string(simulator.MustJSON(map[string]string{"body-mime": "From: ada@example.com\r\nTo: help@inbound.example.org\r\nSubject: In the store, and nowhere else\r\n\r\nHello\r\n"}))

	o := options(t, "mailgun")
	o.Keys = []string{credential.Config}
	o.Settings = map[string][]string{"api_keys": {"key-1"}}
	o.Transport = answering(func(*http.Request) string { t.Error("asked"); return "" })
	r, err := inspect.Run(t.Context(), request, o)
	require.NoError(t, err)
	require.Equal(t, inspect.Authentic, r.Verdict)
	require.Equal(t, inspect.Open, check(t, r, inspect.CheckPayload).Result)
	require.Len(t, r.Events, 1, "as far as the notification tells")

	o.Fetch = true
	o.Transport = answering(func(r *http.Request) string {
		_, password, _ := r.BasicAuth()
		require.Equal(t, "key-1", password)
		return message
	})
	r, err = inspect.Run(t.Context(), request, o)
	require.NoError(t, err)
	require.Equal(t, inspect.OK, check(t, r, inspect.CheckPayload).Result)
	for _, f := range r.Events[0].Fields {
		if f.Name == "message.subject" {
			require.Equal(t, "In the store, and nowhere else", f.Value)
			require.Contains(t, f.From[0].Path, "GET https://")
			require.Contains(t, f.From[0].Path, "body-mime › Subject")
			return
		}
	}
	t.Fatal("no subject")
}

// The first setting is the usual one: --key is for it.
func TestKeySettings(t *testing.T) {
	for esp, want := range map[string]map[string]string{
		"mailgun":   {"tracking": "signing_keys", "inbound": "signing_keys"},
		"resend":    {"tracking": "tracking_signing_keys", "inbound": "inbound_signing_keys"},
		"mailtrap":  {"tracking": "tracking_signing_keys", "inbound": "inbound_signing_keys"},
		"sendgrid":  {"tracking": "tracking_signing_keys", "inbound": "inbound_signing_keys"},
		"sparkpost": {"tracking": "tracking_tokens", "inbound": "inbound_tokens"},
		"mandrill":  {"": "signing_keys"},
		"postmark":  {"tracking": ""},
		"amazonses": {"tracking": ""},
	} {
		e, _ := all.Find(esp)
		for path, name := range want {
			require.Equal(t, name, append(inspect.KeySettings(e, allsim.Find(esp), path), "")[0], "%s %s", esp, path)
		}
	}
}

// The time of the receipt counts, if it is known.
func TestTime(t *testing.T) {
	sim := allsim.Find("sendgrid")
	sendgrid := sim.NewCredential()
	for name, tt := range map[string]struct {
		captured, at time.Duration // after the signature; 0 for unknown
		want         inspect.Result
	}{
		"unknown":                  {0, 0, inspect.Skipped},
		"the capture, in time":     {time.Minute, 0, inspect.OK},
		"the capture, out of time": {1000 * time.Hour, 0, inspect.Failed},
		"--at overrides it":        {1000 * time.Hour, time.Minute, inspect.OK},
		"from the future":          {-1000 * time.Hour, 0, inspect.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			request := captured(t, sim, sendgrid, sim.Samples[0].Name)
			now := time.Now()
			if tt.captured != 0 {
				request.At = now.Add(tt.captured)
			}
			o := options(t, "sendgrid")
			o.Keys = []string{sendgrid.Config}
			if tt.at != 0 {
				o.At = now.Add(tt.at)
			}
			r, err := inspect.Run(t.Context(), request, o)
			require.NoError(t, err)
			require.Equal(t, inspect.OK, check(t, r, inspect.CheckSignature).Result)
			require.Equal(t, tt.want, check(t, r, inspect.CheckTime).Result)
			if tt.want == inspect.Failed {
				require.Equal(t, inspect.NotAuthentic, r.Verdict)
				require.NotEmpty(t, check(t, r, inspect.CheckTime).Hints)
			} else {
				require.Equal(t, inspect.Authentic, r.Verdict)
			}
		})
	}
}

func TestOptionsErrors(t *testing.T) {
	request := &capture.Request{Method: http.MethodPost, Header: http.Header{}}
	nowhere := "nowhere"
	for _, change := range []func(*inspect.Options){
		func(o *inspect.Options) { o.Endpoint = &nowhere },
		func(o *inspect.Options) { o.Secrets = []string{"weak"} },
		func(o *inspect.Options) { o.Settings = map[string][]string{"wrong": {"x"}} },
		func(o *inspect.Options) { *o = options(t, "postmark"); o.Keys = []string{"x"} },
		func(o *inspect.Options) { *o = options(t, "sendgrid"); o.Keys = []string{"no public key"} },
	} {
		o := options(t, "mailgun")
		change(&o)
		_, err := inspect.Run(t.Context(), request, o)
		require.ErrorIs(t, err, anymail.ErrConfig)
	}
}
