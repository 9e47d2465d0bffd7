package anymailtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/goanymail/anymail"
)

// Conformance runs the tests that every adapter has to pass, over real HTTP:
// that its samples become what they say; that forged, truncated, replayed and
// stale requests and those signed with a wrong key are refused without a
// callback, and those signed with any key of a rotation are taken; that unknown
// and malformed events are delivered as such; that keys are the same over
// redeliveries and different between events; that times are right, raw is
// unchanged, the JSON form comes back equal, and an event has what belongs to
// its type and nothing else; and that no mutation of a sample makes the adapter
// panic.
//
// An adapter that reads a time without a zone as local time is seen through only
// where the local zone is not UTC: run it with TZ=Asia/Kathmandu, say.
func Conformance(t *testing.T, kit *Kit) {
	t.Helper()
	c := conformance{kit}
	t.Run("kit", c.testKit)
	if !t.Run("taken", c.testTaken) {
		return // everything else would fail for the same reason
	}
	t.Run("events", c.testEvents)
	t.Run("keys", c.testKeys)
	t.Run("batch", c.testBatch)
	t.Run("failing receiver", c.testFailingReceiver)
	t.Run("shared secret", c.testSharedSecret)
	t.Run("open endpoint", c.testOpenEndpoint)
	t.Run("malformed batch", c.testMalformedBatch)
	t.Run("malformed body", c.testMalformedBody)
	t.Run("too large", c.testTooLarge)
	t.Run("mutations", c.testMutations)
	if kit.NewCredential != nil {
		t.Run("forged", c.testForged)
		t.Run("rotation", c.testRotation)
		t.Run("replay", c.testReplay)
		t.Run("stale", c.testStale)
	}
}

type conformance struct{ kit *Kit }

func (c conformance) testKit(t *testing.T) {
	seen := map[string]bool{}
	types := map[anymail.EventType]bool{}
	tracking := false
	for _, s := range c.kit.Samples {
		if seen[s.Name] {
			t.Errorf("two samples are called %q", s.Name)
		}
		seen[s.Name] = true
		tracking = tracking || s.Endpoint == "tracking"
		for _, typ := range s.Types {
			types[typ] = true
		}
	}
	if tracking && !types[anymail.EventUnknown] {
		t.Error("no sample of an event that the adapter does not know")
	}
	adapter, _ := c.adapter(t)
	for _, ep := range adapter.Endpoints() {
		for from := http.StatusBadRequest; from < 600 && ep.MapStatus != nil; from++ {
			if to := ep.MapStatus(from); to < http.StatusBadRequest {
				t.Errorf("endpoint %q answers %d where %d is due: the ESP would not know that something went wrong", ep.Path, to, from)
			}
		}
	}
}

// testTaken: what the kit makes is authentic to the adapter and can be read.
func (c conformance) testTaken(t *testing.T) {
	for _, sample := range c.kit.Samples {
		s := NewServer(t, c.kit)
		if status, _ := s.Post(t, s.Prepare(t, sample, NewParams())); status != http.StatusOK {
			t.Errorf("sample %q: answered %d: %s", sample.Name, status, s.Rejections)
		}
	}
	if t.Failed() {
		t.Log("either the kit does not make what the ESP posts, or the adapter does not understand it; the other tests wait for that")
	}
}

// forEach runs a test for every sample, on a server of its own.
func (c conformance) forEach(t *testing.T, run func(t *testing.T, s *Server, sample Sample)) {
	t.Helper()
	for _, sample := range c.kit.Samples {
		t.Run(sample.Name, func(t *testing.T) { run(t, NewServer(t, c.kit), sample) })
	}
}

// untilOneFails is forEach where the samples after one that fails would most
// likely fail for the same reason.
func (c conformance) untilOneFails(t *testing.T, run func(t *testing.T, s *Server, sample Sample)) {
	t.Helper()
	for _, sample := range c.kit.Samples {
		if !t.Run(sample.Name, func(t *testing.T) { run(t, NewServer(t, c.kit), sample) }) {
			t.Log("the other samples were not tried: they would most likely fail for the same reason")
			return
		}
	}
}

// signed is untilOneFails for the samples that the ESP signs.
func (c conformance) signed(t *testing.T, run func(t *testing.T, s *Server, sample Sample)) {
	t.Helper()
	c.untilOneFails(t, func(t *testing.T, s *Server, sample Sample) {
		if !c.kit.Signs(sample.Endpoint) {
			t.Skip("the ESP does not sign this endpoint")
		}
		run(t, s, sample)
	})
}

func (c conformance) endpoint(t *testing.T, adapter anymail.Adapter, path string) anymail.Endpoint {
	t.Helper()
	for _, ep := range adapter.Endpoints() {
		if ep.Path == path {
			return ep
		}
	}
	t.Fatalf("the adapter has no endpoint %q", path)
	return anymail.Endpoint{}
}

// adapter makes one that trusts a credential, which is the zero one where the
// ESP has none.
func (c conformance) adapter(t *testing.T) (anymail.Adapter, Credential) {
	t.Helper()
	var trusted []Credential
	var credential Credential
	if c.kit.NewCredential != nil {
		credential = c.kit.NewCredential()
		trusted = append(trusted, credential)
	}
	adapter, err := c.kit.New(trusted...)
	if err != nil {
		t.Fatal(err)
	}
	return adapter, credential
}

// refused demands the answer that status stands for at this ESP, and no event.
func (c conformance) refused(t *testing.T, s *Server, r Request, status int, kind error) {
	t.Helper()
	adapter, _ := c.adapter(t)
	ep := c.endpoint(t, adapter, r.Endpoint)
	if ep.MapStatus != nil {
		status = ep.MapStatus(status)
	}
	s.Take()
	before := len(s.Rejections.All())
	got, body := s.Post(t, r)
	events, rejections := s.Take(), s.Rejections.All()[before:]
	switch {
	case len(events) > 0:
		t.Fatalf("it was taken: answered %d, and %d events were delivered; want %d and none", got, len(events), status)
	case len(rejections) != 1:
		t.Fatalf("answered %d, want %d; %d rejections were reported, want 1", got, status, len(rejections))
	case !errors.Is(rejections[0].Err, kind):
		t.Fatalf("it was refused for another reason than %q: %v", kind, rejections[0].Err)
	case got != status:
		t.Errorf("answered %d, want %d", got, status)
	}
	if strings.TrimSpace(body) != http.StatusText(status) {
		t.Errorf("the answer says %q, want %q: more may help an attacker", body, http.StatusText(status))
	}
	text := rejections[0].Err.Error()
	if c := s.Credential.Config; c != "" && strings.Contains(text, c) {
		t.Errorf("the error holds the key: %s", text)
	}
	if rejections[0].Payload != nil && errors.Is(kind, anymail.ErrUnauthenticated) {
		t.Error("the payload of a request that is not authentic was reported")
	}
}

func (c conformance) testEvents(t *testing.T) {
	c.forEach(t, func(t *testing.T, s *Server, sample Sample) {
		p := NewParams()
		request := s.Prepare(t, sample, p)
		status, _ := s.Post(t, request)
		if status != http.StatusOK {
			t.Fatalf("answered %d: %s", status, s.Rejections)
		}
		events := s.Take()
		var types []anymail.EventType
		for _, ev := range events {
			types = append(types, ev.Base().Type)
		}
		if diff := cmp.Diff(sample.Types, types, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("event types (-want +got):\n%s", diff)
		}
		for i, ev := range events {
			base := ev.Base()
			if base.ESP != c.kit.ESP {
				t.Errorf("event %d is of ESP %q", i, base.ESP)
			}
			if base.Key == "" {
				t.Errorf("event %d has no key", i)
			}
			if !sample.Untimed && base.Timestamp.Sub(p.Time).Abs() >= time.Second {
				t.Errorf("event %d: timestamp %v, want %v", i, base.Timestamp, p.Time)
			}
			if sample.Untimed && !base.Timestamp.IsZero() {
				t.Errorf("event %d: timestamp %v though the ESP gives none", i, base.Timestamp)
			}
			if base.Timestamp.Location() != time.UTC {
				t.Errorf("event %d: timestamp in %v", i, base.Timestamp.Location())
			}
			if len(base.Raw) == 0 || !rawStandsIn(request, base.Raw) {
				t.Errorf("event %d: raw is not what was posted:\n%.300s", i, base.Raw)
			}
			if tracking, ok := ev.(*anymail.TrackingEvent); ok {
				if i == 0 && tracking.RejectReason != sample.Reason {
					t.Errorf("reject reason %q, want %q", tracking.RejectReason, sample.Reason)
				}
				checkModel(t, tracking)
			}
			RoundTrip(t, ev)
		}
	})
}

// checkModel demands that an event has what belongs to its type and nothing
// else, so that one situation looks the same at every ESP.
func checkModel(t *testing.T, ev *anymail.TrackingEvent) {
	t.Helper()
	reason, bounce, visit := false, false, false // may it have one?
	switch ev.Type {
	case anymail.EventBounced:
		reason, bounce = true, true
		if ev.RejectReason == "" || ev.Bounce.Category == "" {
			t.Errorf("bounced with reject reason %q and bounce category %q", ev.RejectReason, ev.Bounce.Category)
		}
	case anymail.EventRejected, anymail.EventFailed, anymail.EventComplained, anymail.EventUnsubscribed:
		reason, visit = true, ev.Type == anymail.EventUnsubscribed // by a link
		if ev.RejectReason == "" {
			t.Errorf("%s without a reject reason", ev.Type)
		}
	case anymail.EventDeferred:
		bounce = true
	case anymail.EventOpened, anymail.EventClicked:
		visit = true
	case anymail.EventUnknown:
		return
	}
	switch {
	case ev.RejectReason != "" && !reason:
		t.Errorf("%s has reject reason %q", ev.Type, ev.RejectReason)
	case ev.Bounce != anymail.Bounce{} && !bounce:
		t.Errorf("%s has a bounce: %+v", ev.Type, ev.Bounce)
	case ev.Automated != anymail.Unsaid && !visit:
		t.Errorf("%s is automated: %v", ev.Type, ev.Automated)
	}
}

// RoundTrip fails the test unless the JSON form of an event comes back equal.
func RoundTrip(t testing.TB, ev anymail.Event) {
	t.Helper()
	form, err := json.Marshal(ev)
	if err != nil {
		t.Fatalf("JSON form: %v", err)
	}
	back, err := anymail.DecodeEvent(form)
	if err != nil {
		t.Fatalf("JSON form does not decode: %v\n%.500s", err, form)
	}
	if diff := cmp.Diff(ev, back, EventOptions()...); diff != "" {
		t.Errorf("JSON form comes back different (-before +after):\n%s", diff)
	}
}

// EventOptions are what comparing events with go-cmp needs.
func EventOptions() []cmp.Option {
	return []cmp.Option{
		cmpopts.EquateEmpty(),
		cmpopts.EquateComparable(anymail.TrackingEvent{}.IP),
	}
}

// rawStandsIn says whether raw stands in the request, whole: in the body as it
// is, in a form field, or in a JSON string.
func rawStandsIn(r Request, raw []byte) bool {
	if bytes.Equal(r.Body, raw) {
		return true
	}
	if !json.Valid(raw) {
		return false
	}
	if bytes.Contains(r.Body, raw) {
		return true
	}
	if values, err := url.ParseQuery(string(r.Body)); err == nil {
		for _, list := range values {
			for _, value := range list {
				if strings.Contains(value, string(raw)) {
					return true
				}
			}
		}
	}
	var v any
	if json.Unmarshal(r.Body, &v) != nil {
		return false
	}
	return stringsStandIn(v, string(raw))
}

func stringsStandIn(v any, raw string) bool {
	switch v := v.(type) {
	case string:
		var inner any
		return strings.Contains(v, raw) || (json.Unmarshal([]byte(v), &inner) == nil && stringsStandIn(inner, raw))
	case []any:
		for _, element := range v {
			if stringsStandIn(element, raw) {
				return true
			}
		}
	case map[string]any:
		for _, element := range v {
			if stringsStandIn(element, raw) {
				return true
			}
		}
	}
	return false
}

func (c conformance) testKeys(t *testing.T) {
	seen := map[string]string{}
	message, events := NewParams(), map[string]anymail.EventType{}
	for _, sample := range c.kit.Samples {
		p := NewParams()
		first, second := NewServer(t, c.kit), NewServer(t, c.kit)
		before := first.Send(t, sample, p)
		after := second.Send(t, sample, p) // signed anew, like a redelivery
		if len(before) != len(after) {
			t.Fatalf("%s: %d events, redelivered %d", sample.Name, len(before), len(after))
		}
		for i := range before {
			key := before[i].Base().Key
			if again := after[i].Base().Key; key != again {
				t.Errorf("%s: the key is %s, but %s when the same event comes again", sample.Name, key, again)
			}
			if other := seen[key]; other != "" {
				t.Errorf("%s and %s have the same key", sample.Name, other)
			}
			seen[key] = sample.Name
		}
		for i, ev := range first.Send(t, sample, NewParams()) {
			if other := seen[ev.Base().Key]; other != "" {
				t.Errorf("%s, event %d: another event has the key of %s", sample.Name, i, other)
			}
		}
		// Another event of the same message, at the same time.
		of := NewParams()
		of.MessageID, of.Recipient, of.Time, of.Tag = message.MessageID, message.Recipient, message.Time, message.Tag
		for _, ev := range second.Send(t, sample, of) {
			key, typ := ev.Base().Key, ev.Base().Type
			if other, found := events[key]; found && other != typ {
				t.Errorf("%s: the key is that of another event of the same message, which is %s", sample.Name, other)
			}
			events[key] = typ
		}
		// The server that had the event already takes it again, or refuses the
		// very same signature, but runs nothing.
		status, _ := first.Post(t, first.Prepare(t, sample, p))
		if events := first.Take(); len(events) > 0 || (status != http.StatusOK && status != http.StatusBadRequest) {
			t.Errorf("%s: redelivered, answered %d and ran %d events", sample.Name, status, len(events))
		}
	}
}

func (c conformance) testFailingReceiver(t *testing.T) {
	c.untilOneFails(t, func(t *testing.T, s *Server, sample Sample) {
		if len(sample.Types) == 0 {
			t.Skip("a ping")
		}
		fail := true
		s.Err = func(anymail.Event) error {
			if fail {
				return errors.New("out of order")
			}
			return nil
		}
		request := s.Prepare(t, sample, NewParams())
		ep := c.endpoint(t, must(c.adapter(t)), request.Endpoint)
		want := http.StatusInternalServerError
		if ep.MapStatus != nil {
			want = ep.MapStatus(want)
		}
		if status, _ := s.Post(t, request); status != want {
			t.Errorf("answered %d to a failing receiver, want %d", status, want)
		}
		s.Take()
		fail = false
		if status, _ := s.Post(t, request); status != http.StatusOK {
			t.Errorf("answered %d to the very same request again: %s", status, s.Rejections)
		}
		if n := len(s.Take()); n != len(sample.Types) {
			t.Errorf("ran %d events then, want %d", n, len(sample.Types))
		}
	})
}

func must[A, B any](a A, _ B) A { return a }

func (c conformance) testSharedSecret(t *testing.T) {
	c.untilOneFails(t, func(t *testing.T, s *Server, sample Sample) {
		request := s.Prepare(t, sample, NewParams())
		authorization := request.Header.Get("Authorization")
		request.Header.Set("Authorization", authorization[:len(authorization)-4]+"AAA=")
		c.refused(t, s, request, http.StatusBadRequest, anymail.ErrUnauthenticated)

		request.Header.Del("Authorization")
		status := http.StatusBadRequest
		if c.endpoint(t, must(c.adapter(t)), sample.Endpoint).Challenge {
			status = http.StatusUnauthorized
		}
		c.refused(t, s, request, status, anymail.ErrUnauthenticated)
	})
}

// testOpenEndpoint: without a key or a shared secret nothing starts.
func (c conformance) testOpenEndpoint(t *testing.T) {
	adapter, err := c.kit.New()
	if err != nil {
		if !errors.Is(err, anymail.ErrConfig) {
			t.Errorf("New without keys: %v, want ErrConfig", err)
		}
		return
	}
	d, err := anymail.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Register(c.kit.ESP, adapter); !errors.Is(err, anymail.ErrConfig) {
		t.Errorf("Register without a key or a secret: %v, want ErrConfig", err)
	}
}

// testBatch: what comes in one request is what comes in several, and an ESP that
// puts its events together otherwise when it tries again has them done once.
func (c conformance) testBatch(t *testing.T) {
	if c.kit.Batch == nil {
		t.Skip("the ESP has no batches")
	}
	together := map[string][]Request{} // by endpoint
	alone := map[string][]anymail.Event{}
	for _, sample := range c.kit.Samples {
		if len(sample.Types) != 1 || sample.Types[0] == anymail.EventInbound || sample.Types[0] == anymail.EventInboundFailed {
			continue
		}
		p := NewParams()
		together[sample.Endpoint] = append(together[sample.Endpoint], sample.Make(p))
		alone[sample.Endpoint] = append(alone[sample.Endpoint], NewServer(t, c.kit).Send(t, sample, p)...)
	}
	for endpoint, requests := range together {
		s := NewServer(t, c.kit)
		batch, err := c.kit.Batch(requests)
		if err != nil {
			t.Fatalf("endpoint %q: %v", endpoint, err)
		}
		batch = s.Address(t, batch)
		if err := c.kit.SignNow(&batch, s.Credential); err != nil {
			t.Fatal(err)
		}
		if status, _ := s.Post(t, batch); status != http.StatusOK {
			t.Fatalf("endpoint %q: a batch was answered %d: %s", endpoint, status, s.Rejections)
		}
		var want, got []string
		for _, ev := range alone[endpoint] {
			want = append(want, string(ev.Base().Type)+" "+ev.Base().Key)
		}
		for _, ev := range s.Take() {
			got = append(got, string(ev.Base().Type)+" "+ev.Base().Key)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("endpoint %q: types and keys of events (-posted alone +posted together):\n%s", endpoint, diff)
		}
	}
}

func (c conformance) testMalformedBatch(t *testing.T) {
	if c.kit.Malformed == nil {
		t.Skip("the ESP has no batches")
	}
	s := NewServer(t, c.kit)
	request := s.Address(t, c.kit.Malformed(NewParams()))
	if err := c.kit.SignNow(&request, s.Credential); err != nil {
		t.Fatal(err)
	}
	if status, _ := s.Post(t, request); status != http.StatusOK {
		t.Fatalf("answered %d: %s", status, s.Rejections)
	}
	events := s.Take()
	if len(events) != 3 {
		t.Fatalf("%d events, want 3: the malformed one has to be there, as unknown, and the others too", len(events))
	}
	for i, ev := range events {
		tracking, ok := ev.(*anymail.TrackingEvent)
		if !ok {
			t.Fatalf("event %d is a %T", i, ev)
		}
		if malformed := i == 1; malformed != (tracking.Type == anymail.EventUnknown) {
			t.Errorf("event %d is %s", i, tracking.Type)
		} else if malformed && (tracking.Description == "" || len(tracking.Raw) == 0) {
			t.Errorf("the malformed event has description %q and raw %q", tracking.Description, tracking.Raw)
		}
	}
}

// testMalformedBody: an authentic body that is nothing at all is refused and
// reported with the payload.
func (c conformance) testMalformedBody(t *testing.T) {
	for _, sample := range c.kit.Samples {
		s := NewServer(t, c.kit)
		request := sample.Make(NewParams())
		if !strings.HasSuffix(request.Header.Get("Content-Type"), "json") {
			continue
		}
		request = s.Address(t, request)
		request.Body = []byte(`{"an": "object", that [ends`)
		if err := c.kit.SignNow(&request, s.Credential); err != nil {
			continue // the signature is inside the body: there is nothing to sign
		}
		s.Post(t, request)
		rejections := s.Rejections.All()
		if len(s.Take()) > 0 || len(rejections) != 1 {
			t.Fatalf("%s: the body %q was taken, or not reported as rejected", sample.Name, request.Body)
		}
		if errors.Is(rejections[0].Err, anymail.ErrUnauthenticated) {
			continue // the signature is inside the body
		}
		if !errors.Is(rejections[0].Err, anymail.ErrMalformed) {
			t.Errorf("%s: rejected with %v", sample.Name, rejections[0].Err)
		}
		if p := rejections[0].Payload; p == nil || !bytes.Equal(p.Body, request.Body) {
			t.Errorf("%s: the payload was not reported", sample.Name)
		} else if p.Header.Get("Authorization") != "" {
			t.Errorf("%s: the payload was reported with the shared secret", sample.Name)
		}
	}
}

func (c conformance) testTooLarge(t *testing.T) {
	sample := c.kit.Samples[0]
	s := NewServer(t, c.kit, anymail.WithLimits(anymail.Limits{Body: 10}))
	c.refused(t, s, s.Prepare(t, sample, NewParams()), http.StatusRequestEntityTooLarge, anymail.ErrTooLarge)
}

// testMutations gives the parser what an ESP gone wrong might send.
func (c conformance) testMutations(t *testing.T) {
	adapter, _ := c.adapter(t)
	random := rand.New(rand.NewPCG(1, 2)) // the same in each run
	for _, sample := range c.kit.Samples {
		request := sample.Make(NewParams())
		ep := c.endpoint(t, adapter, sample.Endpoint)
		for range 100 {
			if t.Failed() {
				return // one example is enough
			}
			p := &anymail.Payload{
				ESP: c.kit.ESP, Name: c.kit.ESP, Endpoint: sample.Endpoint,
				Header: request.Header.Clone(), Body: mutate(random, request.Body), ReceivedAt: time.Now(),
			}
			body := bytes.Clone(p.Body)
			func() {
				defer func() {
					if v := recover(); v != nil {
						t.Errorf("%s: panic: %v on body\n%q", sample.Name, v, p.Body)
					}
				}()
				if ep.Verifier != nil {
					if _, err := ep.Verifier.Verify(context.Background(), p); err == nil {
						t.Errorf("%s: an unsigned mutation was taken for authentic", sample.Name)
					}
				}
				_, _ = ep.Parser.ParseEvents(context.Background(), p)
				if !bytes.Equal(body, p.Body) {
					t.Errorf("%s: the body was changed from\n%q\nto\n%q", sample.Name, body, p.Body)
				}
			}()
		}
	}
}

// mutate changes, removes or repeats a part of body.
func mutate(random *rand.Rand, body []byte) []byte {
	out := bytes.Clone(body)
	if len(out) < 2 {
		return out
	}
	from := random.IntN(len(out) - 1)
	to := from + 1 + random.IntN(min(len(out)-from-1, 40))
	switch random.IntN(5) {
	case 0:
		return out[:from]
	case 1:
		return append(out[:from], out[to:]...)
	case 2:
		return append(bytes.Clone(out[:to]), out[from:]...)
	case 3:
		for i := from; i < to; i++ {
			out[i] = byte(random.IntN(256))
		}
	case 4:
		interesting := []string{"null", "[]", "{}", `""`, "-1", "1e999", `"\ud800"`, "99999999999999999999", "true", "[[[["}
		return append(append(bytes.Clone(out[:from]), interesting[random.IntN(len(interesting))]...), out[to:]...)
	}
	return out
}

func (c conformance) testForged(t *testing.T) {
	c.signed(t, func(t *testing.T, s *Server, sample Sample) {
		unauthentic := func(name string, r Request) {
			t.Run(name, func(t *testing.T) {
				c.refused(t, s, r, http.StatusBadRequest, anymail.ErrUnauthenticated)
			})
		}
		unauthentic("unsigned", s.Address(t, sample.Make(NewParams())))

		wrong := s.Address(t, sample.Make(NewParams()))
		if err := c.kit.SignNow(&wrong, c.kit.NewCredential()); err != nil {
			t.Fatal(err)
		}
		unauthentic("wrong key", wrong)

		if c.kit.BodyUnsigned {
			return
		}
		changed := s.Prepare(t, sample, NewParams())
		changed.Body = bytes.Clone(changed.Body)
		changed.Body[len(changed.Body)/2] ^= 1
		unauthentic("changed body", changed)

		truncated := s.Prepare(t, sample, NewParams())
		truncated.Body = truncated.Body[:len(truncated.Body)-1]
		unauthentic("truncated body", truncated)

		if sample.Endpoint != "" {
			empty := s.Prepare(t, sample, NewParams())
			empty.Body = nil
			unauthentic("empty body", empty)
		}
	})
}

func (c conformance) testRotation(t *testing.T) {
	c.signed(t, func(t *testing.T, _ *Server, sample Sample) {
		older, newer := c.kit.NewCredential(), c.kit.NewCredential()
		serve := func(trusted ...Credential) *Server {
			adapter, err := c.kit.New(trusted...)
			if err != nil {
				t.Fatal(err)
			}
			return NewServerFor(t, c.kit, adapter)
		}
		s := serve(newer, older)
		for i, credential := range []Credential{newer, older} {
			s.Credential = credential
			if status, _ := s.Post(t, s.Prepare(t, sample, NewParams())); status != http.StatusOK {
				t.Fatalf("signed with key %d of 2: answered %d: %s", i+1, status, s.Rejections)
			}
		}
		s = serve(newer) // the rotation is over
		s.Credential = older
		c.refused(t, s, s.Prepare(t, sample, NewParams()), http.StatusBadRequest, anymail.ErrUnauthenticated)
	})
}

// proof is what the adapter's verifier finds in a sample.
func (c conformance) proof(t *testing.T, sample Sample, at time.Time) (s *Server, r Request, proof anymail.Proof) {
	t.Helper()
	s = NewServer(t, c.kit)
	r = s.Address(t, sample.Make(NewParams()))
	adapter, credential := c.adapter(t)
	s = NewServerFor(t, c.kit, adapter)
	s.Credential = credential
	r.URL, _ = EndpointURL(s.URL, c.kit.ESP, r.Endpoint)
	if err := c.kit.Sign(&r, credential, at); err != nil {
		t.Fatal(err)
	}
	p := &anymail.Payload{
		ESP: c.kit.ESP, Name: c.kit.ESP, Endpoint: r.Endpoint,
		URL: r.URL, Header: r.Header, Body: r.Body, ReceivedAt: time.Now(), SecretProved: true,
	}
	proof, err := c.endpoint(t, adapter, r.Endpoint).Verifier.Verify(context.Background(), p)
	if err != nil {
		t.Fatalf("a signed sample does not verify: %v", err)
	}
	return s, r, proof
}

func (c conformance) testReplay(t *testing.T) {
	c.signed(t, func(t *testing.T, _ *Server, sample Sample) {
		s, request, proof := c.proof(t, sample, time.Now())
		if proof.Fingerprint == nil {
			t.Fatal("the proof has no nonce: signed requests can be replayed")
		}
		if status, _ := s.Post(t, request); status != http.StatusOK {
			t.Fatalf("answered %d: %s", status, s.Rejections)
		}
		if adapter, _ := c.adapter(t); c.endpoint(t, adapter, request.Endpoint).RepeatsSignature {
			s.Take()
			status, _ := s.Post(t, request)
			if events := s.Take(); status != http.StatusOK || len(events) > 0 {
				t.Errorf("redelivered, answered %d and ran %d events", status, len(events))
			}
			return
		}
		c.refused(t, s, request, http.StatusBadRequest, anymail.ErrReplayed)
	})
}

func (c conformance) testStale(t *testing.T) {
	c.signed(t, func(t *testing.T, _ *Server, sample Sample) {
		for _, off := range []time.Duration{-100 * 24 * time.Hour, 100 * 24 * time.Hour} {
			s, request, proof := c.proof(t, sample, time.Now().Add(off))
			if proof.SignedAt.IsZero() {
				t.Skip("the ESP signs no time")
			}
			c.refused(t, s, request, http.StatusBadRequest, anymail.ErrReplayed)
		}
	})
}
