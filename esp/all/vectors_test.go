package all_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

var updateVectors = flag.Bool("update-vectors", false, "write testdata/vectors anew")

// vectors is a file of testdata/vectors, whose README.md describes it.
type vectors struct {
	Version    int       `json:"version"`
	ESP        string    `json:"esp"`
	Title      string    `json:"title"`
	Credential string    `json:"credential,omitempty"`
	Key        string    `json:"signing_key,omitempty"`
	Time       time.Time `json:"time"`
	Vectors    []vector  `json:"vectors"`
}

type vector struct {
	Sample     string           `json:"sample"`
	Endpoint   string           `json:"endpoint"`
	Method     string           `json:"method"`
	URL        string           `json:"url"`
	Header     http.Header      `json:"header"`
	Body       string           `json:"body,omitempty"`
	BodyBase64 []byte           `json:"body_base64,omitempty"`
	Signed     bool             `json:"signed"`
	Events     []map[string]any `json:"events"`
}

var vectorTime = time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)

// TestVectors compares each request in testdata/vectors with the simulators, and with
// what the adapters verify and make of it.
func TestVectors(t *testing.T) {
	for _, sim := range allsim.List() {
		t.Run(sim.ESP, func(t *testing.T) {
			file := filepath.Join("../../testdata/vectors", sim.ESP+".json")
			if *updateVectors {
				writeVectors(t, sim, file)
			}
			checkVectors(t, sim, readVectors(t, file))
		})
	}
}

func readVectors(t *testing.T, file string) (v vectors) {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err, "write it by: go test ./esp/all -run TestVectors -update-vectors")
	require.NoError(t, json.Unmarshal(content, &v))
	return v
}

// vectorSamples are the samples that need nothing but their request, with their Params.
func vectorSamples(sim *simulator.Simulator) (samples []simulator.Sample, params []simulator.Params) {
	for i, sample := range sim.Samples {
		if !sample.Fetched {
			samples, params = append(samples, sample), append(params, simulator.FixedParams(i, vectorTime))
		}
	}
	return samples, params
}

// hasLastingKey reports whether an ESP signs with a key that does not expire. A
// certificate would have expired when a vector is read.
func hasLastingKey(sim *simulator.Simulator) bool {
	if sim.NewCredential == nil {
		return false
	}
	_, expires := sim.NewCredential().Private.(tls.Certificate)
	return !expires
}

func writeVectors(t *testing.T, sim *simulator.Simulator, file string) {
	t.Helper()
	v := vectors{Version: 1, ESP: sim.ESP, Title: sim.Title, Time: vectorTime}
	var credential simulator.Credential
	if hasLastingKey(sim) {
		fresh := sim.NewCredential()
		v.Credential = fresh.Config
		var err error
		v.Key, err = fresh.Key()
		require.NoError(t, err)
		if _, err := os.Stat(file); err == nil { // keep the key that it has
			before := readVectors(t, file)
			v.Credential, v.Key = before.Credential, before.Key
		}
		credential, err = sim.Credential(v.Key)
		require.NoError(t, err)
		credential.Config = v.Credential
	}
	samples, params := vectorSamples(sim)
	for i, sample := range samples {
		r := sample.Make(params[i])
		var err error
		r.URL, err = simulator.EndpointURL("https://hooks.example.com/anymail", sim.ESP, r.Endpoint)
		require.NoError(t, err)
		one := vector{Sample: sample.Name, Endpoint: r.Endpoint, Method: http.MethodPost, URL: r.URL, Signed: hasLastingKey(sim) && sim.Signs(r.Endpoint)}
		if r.Method != "" {
			one.Method = r.Method
		}
		if one.Signed {
			require.NoError(t, sim.Sign(&r, credential, vectorTime))
		}
		one.Header = r.Header
		if utf8.Valid(r.Body) {
			one.Body = string(r.Body)
		} else {
			one.BodyBase64 = r.Body
		}
		one.Events = expected(t, sim, sample, params[i])
		v.Vectors = append(v.Vectors, one)
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	content, err := json.MarshalIndent(v, "", " ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, append(content, '\n'), 0o644))
}

// expected are the events of a sample as JSON, without key and raw.
func expected(t *testing.T, sim *simulator.Simulator, sample simulator.Sample, p simulator.Params) []map[string]any {
	t.Helper()
	forms := []map[string]any{}
	if len(sample.Types) == 0 {
		return forms // a ping
	}
	for _, ev := range sample.Events(p) {
		ev.Base().ESP = sim.ESP
		forms = append(forms, form(t, ev))
	}
	return forms
}

func form(t *testing.T, ev anymail.Event) (form map[string]any) {
	t.Helper()
	text, err := json.Marshal(ev)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &form))
	delete(form, "key")
	delete(form, "raw")
	return form
}

func checkVectors(t *testing.T, sim *simulator.Simulator, v vectors) {
	t.Helper()
	require.Equal(t, 1, v.Version)
	require.Equal(t, sim.Title, v.Title)
	var trusted []simulator.Credential
	if v.Credential != "" {
		trusted = append(trusted, simulator.Credential{Config: v.Credential})
	}
	adapter, err := sim.NewAdapter(trusted...)
	require.NoError(t, err)
	verifiers := map[string]anymail.Verifier{}
	for _, ep := range adapter.Endpoints() {
		verifiers[ep.Path] = ep.Verifier
	}
	samples, params := vectorSamples(sim)
	require.Len(t, v.Vectors, len(samples), "not up to date")
	for i, one := range v.Vectors {
		require.Equal(t, samples[i].Name, one.Sample, "not up to date")
		if diff := cmp.Diff(expected(t, sim, samples[i], params[i]), one.Events); diff != "" {
			t.Errorf("%s is not up to date (-simulator +vector):\n%s", one.Sample, diff)
		}
		r := simulator.Request{Endpoint: one.Endpoint, URL: one.URL, Method: one.Method, Header: one.Header, Body: []byte(one.Body)}
		if one.BodyBase64 != nil {
			r.Body = one.BodyBase64
		}
		p := r.Payload(sim.ESP)
		p.SecretProved = true
		if one.Signed {
			proof, err := verifiers[one.Endpoint].Verify(context.Background(), p)
			require.NoError(t, err, one.Sample)
			if !proof.SignedAt.IsZero() {
				require.WithinDuration(t, v.Time, proof.SignedAt, time.Second, one.Sample)
			}
		}
		if len(samples[i].Types) == 0 {
			continue // a ping does not get to the parser
		}
		events, err := simulator.Parse(adapter, r)
		require.NoError(t, err, one.Sample)
		var got []map[string]any
		for _, ev := range events {
			got = append(got, form(t, ev))
		}
		if diff := cmp.Diff(one.Events, got); diff != "" {
			t.Errorf("%s (-vector +adapter):\n%s", one.Sample, diff)
		}
	}
}
