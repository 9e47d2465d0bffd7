package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/schema"
)

// event is an element of the answers of /api/events and /api/wait.
type event struct {
	Request int64
	N       int
	Event   struct {
		Kind, ESP, Recipient string
		Type                 string `json:"event_type"`
	}
}

func TestEvents(t *testing.T) {
	b := start(t)
	b.fill(t)
	tests := []struct {
		query string
		want  []string
	}{
		{"", []string{"5.2 opened", "5.1 bounced", "5.0 delivered", "2.0 inbound", "1.0 bounced"}},
		{"limit=2", []string{"5.2 opened", "5.1 bounced"}},
		{"type=bounced", []string{"5.1 bounced", "1.0 bounced"}},
		{"type=bounced&after=1", []string{"5.1 bounced"}},
		{"esp=postmark&q=zoë", []string{"1.0 bounced"}},
		{"answer=refused", nil},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			var answer struct{ Events []event }
			b.getJSON(t, "/api/events?"+tt.query, &answer)
			var got []string
			for _, ev := range answer.Events {
				got = append(got, fmt.Sprintf("%d.%d %s", ev.Request, ev.N, ev.Event.Type))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, query := range []string{"limit=x", "after=x", "answer=x"} {
		resp, _ := get(t, b.url+"/api/events?"+query)
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, query)
	}
}

// Events have the form that the schema documents.
func TestEventsAreAsTheSchemaSays(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.Event))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("event.schema.json", doc))
	compiled, err := compiler.Compile("event.schema.json")
	require.NoError(t, err)
	b := start(t)
	b.fill(t)
	var answer struct {
		Events []struct{ Event json.RawMessage }
	}
	b.getJSON(t, "/api/events", &answer)
	require.Len(t, answer.Events, 5)
	for _, ev := range answer.Events {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(ev.Event))
		require.NoError(t, err)
		require.NoError(t, compiled.Validate(value))
	}
}

func TestWait(t *testing.T) {
	b := start(t)
	require.Equal(t, 200, b.post(t, "postmark", "HardBounce", nil))
	var ev event
	b.getJSON(t, "/api/wait?type=bounced", &ev)
	require.Equal(t, int64(1), ev.Request, "it is there already")
	require.Equal(t, "bounced", ev.Event.Type)

	var wg sync.WaitGroup
	wg.Go(func() {
		time.Sleep(100 * time.Millisecond)
		b.post(t, "postmark", "Delivery", nil)
		b.post(t, "postmark", "HardBounce", edit("ada@example.com", "grace@example.net"))
		b.post(t, "postmark", "HardBounce", nil)
	})
	b.getJSON(t, "/api/wait?type=bounced&after=1&timeout=30s", &ev)
	require.Equal(t, int64(3), ev.Request, "the first one after it")
	require.Equal(t, "grace@example.net", ev.Event.Recipient)
	wg.Wait()

	begin := time.Now()
	resp, text := get(t, b.url+"/api/wait?type=complained&timeout=200ms")
	require.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
	require.Contains(t, text, "no such event")
	require.GreaterOrEqual(t, time.Since(begin), 200*time.Millisecond)
	for _, query := range []string{"timeout=1h", "timeout=x", "timeout=-1s", "after=x", "answer=x"} {
		resp, _ := get(t, b.url+"/api/wait?"+query)
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, query)
	}
}

// There is a limit to how many clients may wait; those that hang up free their place.
func TestWaitIsBounded(t *testing.T) {
	b := start(t)
	const most = 64
	client := &http.Client{Transport: &http.Transport{}}
	var wg sync.WaitGroup
	statuses := make(chan int, most)
	for range most {
		wg.Go(func() {
			resp, err := client.Get(b.url + "/api/wait?type=bounced")
			if err == nil {
				statuses <- resp.StatusCode
				_ = resp.Body.Close()
			}
		})
	}
	require.Eventually(t, func() bool {
		resp, _ := get(t, b.url+"/api/wait?timeout=0s")
		return resp.StatusCode == http.StatusServiceUnavailable
	}, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, 200, b.post(t, "postmark", "HardBounce", nil))
	wg.Wait()
	for range most {
		require.Equal(t, 200, <-statuses)
	}
	client.CloseIdleConnections()
	resp, _ := get(t, b.url+"/api/wait?type=complained&timeout=0s")
	require.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
}
