package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

// list is the answer of /api/requests, as far as tests read it.
type list struct {
	Total, Kept int
	More        bool
	Requests    []struct {
		ID                    int64
		Path, Name, ESP       string
		Status, Answered      int
		Error, Reason, Source string
		Total                 int `json:"total_events"`
		Events                []struct {
			N                            int
			Type, Recipient, Reason, ESP string
		}
	}
}

func (l list) ids() (ids []int64) {
	for _, r := range l.Requests {
		ids = append(ids, r.ID)
	}
	return ids
}

// edit is a change of a sample that replaces text in its body.
func edit(pairs ...string) func(*simulator.Request) {
	return func(r *simulator.Request) { r.Body = []byte(strings.NewReplacer(pairs...).Replace(string(r.Body))) }
}

// batch replaces the body of a SendGrid sample by a signed batch of several.
func (b *bench) batch(t *testing.T, samples ...string) func(*simulator.Request) {
	return func(r *simulator.Request) {
		sim := allsim.Find("sendgrid")
		var requests []simulator.Request
		for i, name := range samples {
			sample, ok := sim.Sample(name)
			require.True(t, ok, name)
			p := simulator.NewParams()
			p.Recipient = []string{"ada@example.com", "grace@example.net", "edsger@example.org"}[i%3]
			requests = append(requests, sample.Make(p))
		}
		joined, err := sim.Batch(requests)
		require.NoError(t, err)
		joined.URL = r.URL
		require.NoError(t, sim.SignNow(&joined, b.credentials["sendgrid"]))
		*r = joined
	}
}

// fill posts a request of each kind. Their ids are those of the comments.
func (b *bench) fill(t *testing.T) {
	t.Helper()
	require.Equal(t, 200, b.post(t, "postmark", "HardBounce", edit("ada@example.com", "ZOË@Example.com"))) // 1
	require.Equal(t, 200, b.post(t, "postmark", "Inbound", withHTML(t)))                                   // 2
	require.Equal(t, 400, b.post(t, "mailgun", "delivered", edit(`"token"`, `"taken"`)))                   // 3
	require.Equal(t, 404, b.post(t, "postmark", "Delivery", func(r *simulator.Request) {                   // 4
		r.URL = strings.Replace(r.URL, "/postmark/", "/post-mark/", 1)
		r.Header.Set("X-Request-Place", "Reykjavík")
	}))
	require.Equal(t, 200, b.post(t, "sendgrid", "delivered", b.batch(t, "delivered", "bounce-bounce-invalid", "open"))) // 5
}

func TestList(t *testing.T) {
	b := start(t)
	b.fill(t)
	tests := []struct {
		name, query string
		want        []int64
	}{
		{"everything, newest first", "", []int64{5, 4, 3, 2, 1}},
		{"limit", "limit=2", []int64{5, 4}},
		{"the next part", "limit=2&before=4", []int64{3, 2}},
		{"a recipient in another case", "q=zoë%40EXAMPLE", []int64{1}},
		{"the text of a message", "q=TRACKER.example.net", []int64{2}},
		{"a header's value", "q=reykjavík", []int64{4}},
		{"a path", "q=post-mark", []int64{4}},
		{"an error", "q=not+authenticated", []int64{3}},
		{"metadata", "q=order+1701&answer=accepted&type=bounced", []int64{5, 1}},
		{"a body that was not parsed", "q=1701&answer=400", []int64{3}},
		{"a word of one event and a word of another", "q=grace%40example.net+edsger%40example.org", []int64{5}},
		{"one word is missing", "q=zoë%40example.com+nowhere-to-be-found", nil},
		{"ESP of events", "esp=postmark", []int64{2, 1}},
		{"ESP of a refused request", "esp=mailgun", []int64{3}},
		{"account", "account=sendgrid", []int64{5}},
		{"type", "type=bounced", []int64{5, 1}},
		{"type and words", "type=bounced&q=grace%40example.net", []int64{5}},
		{"reason", "reason=invalid", []int64{5, 1}},
		{"accepted", "answer=accepted", []int64{5, 2, 1}},
		{"refused", "answer=refused", []int64{4, 3}},
		{"unrouted", "answer=unrouted", []int64{4}},
		{"a status", "answer=400", []int64{3}},
		{"since", "from=1h", []int64{5, 4, 3, 2, 1}},
		{"until", "to=1h", nil},
		{"between", "from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got list
			b.getJSON(t, "/api/requests?"+tt.query, &got)
			if diff := cmp.Diff(tt.want, got.ids()); diff != "" {
				t.Error(diff)
			}
		})
	}
	var part list
	b.getJSON(t, "/api/requests?limit=2&before=4", &part)
	require.Equal(t, 5, part.Total)
	require.Equal(t, 5, part.Kept)
	require.True(t, part.More)
	for _, query := range []string{"answer=maybe", "answer=7", "limit=-1", "limit=x", "before=x", "from=yesterday", "to=soon"} {
		resp, text := get(t, b.url+"/api/requests?"+query)
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, query)
		name, _, _ := strings.Cut(query, "=")
		require.True(t, strings.HasPrefix(text, name+": must be "), text)
	}
}

// Of a batch, a list has the events that were asked for, and all of them if what was
// found is not in one of them.
func TestListOfBatch(t *testing.T) {
	b := start(t)
	b.fill(t)
	tests := []struct {
		query string
		want  []int // the numbers of the events
	}{
		{"account=sendgrid", []int{0, 1, 2}},
		{"type=bounced", []int{1}},
		{"q=grace%40example.net", []int{1}},
		{"q=example.net+sendgrid/tracking", []int{0, 1, 2}},
		{"q=sendgrid/tracking&type=opened", []int{2}},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			var got list
			b.getJSON(t, "/api/requests?limit=1&"+tt.query, &got)
			require.Len(t, got.Requests, 1)
			require.Equal(t, 3, got.Requests[0].Total)
			var numbers []int
			for _, ev := range got.Requests[0].Events {
				numbers = append(numbers, ev.N)
			}
			if diff := cmp.Diff(tt.want, numbers); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStats(t *testing.T) {
	b := start(t)
	b.fill(t)
	type stats struct {
		Buckets []struct{ Accepted, Refused int }
		Types   map[string]int
		ESPs    map[string]int

		Reasons, Accounts map[string]int
	}
	sum := func(s stats) (accepted, refused int) {
		for _, bucket := range s.Buckets {
			accepted, refused = accepted+bucket.Accepted, refused+bucket.Refused
		}
		return accepted, refused
	}
	tests := []struct {
		query             string
		buckets           int
		accepted, refused int
		types, esps       map[string]int
	}{
		{
			"", 60, 5, 2,
			map[string]int{"bounced": 2, "inbound": 1, "delivered": 1, "opened": 1}, map[string]int{"postmark": 2, "mailgun": 1, "sendgrid": 3},
		},
		{"from=10m&buckets=10&type=bounced", 10, 2, 0, map[string]int{"bounced": 2}, map[string]int{"postmark": 1, "sendgrid": 1}},
		{"from=2h&to=1h&buckets=3", 3, 0, 0, map[string]int{}, map[string]int{}},
		{"from=1h&to=2h", 60, 0, 0, map[string]int{}, map[string]int{}},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			var got stats
			b.getJSON(t, "/api/stats?"+tt.query, &got)
			require.Len(t, got.Buckets, tt.buckets)
			accepted, refused := sum(got)
			require.Equal(t, tt.accepted, accepted)
			require.Equal(t, tt.refused, refused)
			if diff := cmp.Diff(tt.types, got.Types); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.esps, got.ESPs); diff != "" {
				t.Error(diff)
			}
		})
	}
	var all stats
	b.getJSON(t, "/api/stats", &all)
	if diff := cmp.Diff(map[string]int{"invalid": 2}, all.Reasons); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{"postmark": 2, "mailgun": 1, "sendgrid": 3}, all.Accounts); diff != "" {
		t.Error(diff)
	}
	for _, query := range []string{"buckets=0", "buckets=1001", "from=x"} {
		resp, _ := get(t, b.url+"/api/stats?"+query)
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, query)
	}
}

func TestESPsAndSettings(t *testing.T) {
	b := start(t)
	var esps []struct {
		Name, Title string
		Signs       bool
		Samples     []struct {
			Name, Endpoint, Reason string
			Types                  []string
		}
	}
	b.getJSON(t, "/api/esps", &esps)
	require.Len(t, esps, len(allsim.List()))
	for _, e := range esps {
		sim := allsim.Find(e.Name)
		require.Equal(t, sim.Title, e.Title)
		require.Len(t, e.Samples, len(sim.Samples), e.Name)
		for i, s := range e.Samples {
			require.Equal(t, sim.Samples[i].Name, s.Name)
			require.NotNil(t, s.Types)
		}
	}
	var settings struct {
		Mount, Version string
		Keep           int
		Store, Secret  bool
		Signed         []string
	}
	b.getJSON(t, "/api/settings", &settings)
	require.Equal(t, "/anymail", settings.Mount)
	require.Equal(t, "v1.2.3", settings.Version)
	require.Equal(t, 100, settings.Keep)
	require.ElementsMatch(t, []string{"mailgun", "sendgrid"}, settings.Signed)
	_, text := get(t, b.url+"/api/settings")
	for esp := range b.credentials {
		require.NotContains(t, text, b.credentials[esp].Config, esp)
	}
}

// The source of a message is shown as text, if the ESP posts it.
func TestSource(t *testing.T) {
	b := start(t)
	sim := allsim.Find("relay")
	sample, ok := sim.SampleOf(anymail.EventInbound)
	require.True(t, ok)
	require.Equal(t, 200, b.post(t, "relay", sample.Name, nil))
	resp, text := get(t, b.url+"/api/requests/1/events/0/source")
	require.Contains(t, resp.Header.Get("Content-Security-Policy"), "sandbox")
	require.Equal(t, "text/plain; charset=utf-8", resp.Header.Get("Content-Type"))
	require.Contains(t, text, "Content-Disposition: attachment; filename=notes.txt")

	require.Equal(t, 200, b.post(t, "postmark", "Inbound", nil))
	resp, text = get(t, b.url+"/api/requests/2/events/0/source")
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	require.Contains(t, text, "without their source")
}
