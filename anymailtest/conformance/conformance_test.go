package conformance_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/simulator"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// faults are adapters that break one promise each, and the tests of the suite
// that must fail.
var faults = []struct {
	name string
	make func(keys anymail.KeySource) *courier
	seen []string
}{
	{"accepts unsigned requests", verifierIs(anyone), []string{"forged/delivered/unsigned", "mutations"}},
	{"accepts any key", verifierIs(anySignature), []string{"forged/delivered/wrong_key", "rotation/delivered"}},
	{"does not verify the end of the body", content(func(p *anymail.Payload) ([][]byte, error) {
		return [][]byte{[]byte(p.Header.Get("Courier-Time") + "."), bytes.TrimRight(p.Body, "]")}, nil
	}), []string{"forged/delivered/truncated_body"}},
	{"verifies the time only", content(func(p *anymail.Payload) ([][]byte, error) {
		return [][]byte{[]byte(p.Header.Get("Courier-Time") + ".")}, nil
	}), []string{"forged/delivered/changed_body"}},
	{"accepts a signature twice", proof(func(p *anymail.Proof) { p.Fingerprint = nil }), []string{"replay/delivered"}},
	{"accepts a signature of last month", endpoint(func(ep *anymail.Endpoint) { ep.Window = 1000 * 24 * time.Hour }), []string{"stale/delivered"}},
	{"knows one key", func(keys anymail.KeySource) *courier {
		return healthy(anymail.KeyFunc(func(ctx context.Context) ([]string, error) {
			all, err := keys.Keys(ctx)
			return all[:1], err
		}))
	}, []string{"rotation/delivered"}},
	{"is open without a key", func(keys anymail.KeySource) *courier {
		c := healthy(keys)
		if keys == nil {
			c.endpoint.Verifier = anyone
		}
		return c
	}, []string{"open_endpoint"}},
	{"reports its key", func(keys anymail.KeySource) *courier {
		c := healthy(keys)
		if good := c.endpoint.Verifier; good != nil {
			c.endpoint.Verifier = anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
				proof, err := good.Verify(ctx, p)
				if err != nil {
					all, _ := keys.Keys(ctx)
					err = anymail.Unauthenticated(anymail.Reason("not signed with " + all[0]))
				}
				return proof, err
			})
		}
		return c
	}, []string{"forged/delivered/unsigned"}},
	{"answers 200 to an error", endpoint(func(ep *anymail.Endpoint) { ep.MapStatus = func(int) int { return 200 } }), []string{"simulator"}},

	{"drops unknown events", events(func(list []anymail.Event) []anymail.Event {
		return without(list, func(ev *anymail.TrackingEvent) bool { return ev.Type == "" })
	}), []string{"events/teleported"}},
	{"makes nothing of what it does not recognize", parser(func(p *anymail.Payload) ([]anymail.Event, error) {
		if bytes.Contains(p.Body, []byte("unrecognized")) {
			return nil, nil
		}
		return parse(p)
	}), []string{"unrecognized"}},
	{"refuses unknown events", parser(func(p *anymail.Payload) ([]anymail.Event, error) {
		if bytes.Contains(p.Body, []byte("teleported")) {
			return nil, anymail.Malformed("event", nil)
		}
		return parse(p)
	}), []string{"samples"}},
	{"drops malformed elements", events(func(list []anymail.Event) []anymail.Event {
		return without(list, func(ev *anymail.TrackingEvent) bool { return strings.HasPrefix(ev.Description, "malformed") })
	}), []string{"malformed_batch"}},
	{"refuses a batch with a malformed element", parser(func(p *anymail.Payload) ([]anymail.Event, error) {
		var list []event
		if err := wire.Unmarshal(p.Body, &list); err != nil {
			return nil, anymail.Malformed("batch", nil)
		}
		return parse(p)
	}), []string{"malformed_batch"}},
	{"treats a malformed body as a ping", parser(func(p *anymail.Payload) ([]anymail.Event, error) {
		list, err := parse(p)
		if errors.Is(err, anymail.ErrMalformed) {
			return nil, nil
		}
		return list, err
	}), []string{"malformed_body"}},

	{"makes a new key for each delivery", each(func(ev *anymail.TrackingEvent) { ev.Key = rand.Text() }), []string{"keys"}},
	{"makes the key from the message", each(func(ev *anymail.TrackingEvent) { ev.Key = anymail.EventKey("courier", ev.MessageID) }), []string{"keys"}},
	{"makes the key from the request", parser(func(p *anymail.Payload) ([]anymail.Event, error) {
		list, err := parse(p)
		for i, ev := range list {
			ev.Base().Key = anymail.EventKey("courier", string(p.Body), fmt.Sprint(i))
		}
		return list, err
	}), []string{"batch"}},
	{"reads the first event of a batch only", events(func(list []anymail.Event) []anymail.Event { return list[:min(len(list), 1)] }), []string{"batch"}},
	{"makes one key for all events", each(func(ev *anymail.TrackingEvent) { ev.Key = "courier:1" }), []string{"keys"}},
	{"reads times in its own zone", each(func(ev *anymail.TrackingEvent) { ev.Timestamp = ev.Timestamp.Add(time.Hour) }), []string{"events/delivered"}},
	{"reads a missing time as now", each(func(ev *anymail.TrackingEvent) {
		if ev.Timestamp.IsZero() {
			ev.Timestamp = time.Now().UTC()
		}
	}), []string{"events/timeless"}},
	{"reformats raw", each(func(ev *anymail.TrackingEvent) {
		ev.Raw = bytes.ReplaceAll(ev.Raw, []byte(`": `), []byte(`":`))
	}), []string{"events/delivered"}},
	{"truncates raw", each(func(ev *anymail.TrackingEvent) { ev.Raw = ev.Raw[:len(ev.Raw)/2] }), []string{"events/delivered"}},
	{"changes the body", parser(func(p *anymail.Payload) ([]anymail.Event, error) {
		list, err := parse(p)
		copy(p.Body, bytes.ToUpper(p.Body))
		return list, err
	}), []string{"mutations"}},
	{"has values that JSON does not keep", each(func(ev *anymail.TrackingEvent) {
		ev.Metadata = anymail.Metadata{"order": 1701}
	}), []string{"events/delivered"}},
	{"panics", parser(func(p *anymail.Payload) ([]anymail.Event, error) {
		_ = p.Body[len(p.Body)-1-bytes.Count(p.Body, []byte("null"))*len(p.Body)]
		return parse(p)
	}), []string{"mutations"}},
	{"drops a redelivery", parser(func() func(p *anymail.Payload) ([]anymail.Event, error) {
		seen := map[string]bool{}
		return func(p *anymail.Payload) ([]anymail.Event, error) {
			if seen[string(p.Body)] {
				return nil, nil
			}
			seen[string(p.Body)] = true
			return parse(p)
		}
	}()), []string{"failing_receiver/delivered"}},
}

// asBroken is set in the process that runs the suite against the broken adapters.
const asBroken = "CONFORMANCE_BROKEN"

func TestConformance(t *testing.T) {
	if os.Getenv(asBroken) != "" {
		t.Skip("runs in the process that must pass")
	}
	conformance.Run(t, sim(healthy))
}

// TestBroken fails. It runs in a process of its own: see TestConformanceSeesFaults.
func TestBroken(t *testing.T) {
	if os.Getenv(asBroken) == "" {
		t.Skip("runs in TestConformanceSeesFaults")
	}
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) { conformance.Run(t, sim(fault.make)) })
	}
}

func TestConformanceSeesFaults(t *testing.T) {
	program, err := os.Executable()
	require.NoError(t, err)
	broken := exec.CommandContext(t.Context(), program, "-test.run=^TestBroken$")
	broken.Env = append(os.Environ(), asBroken+"=1")
	output, err := broken.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "the suite passed broken adapters")
	for _, fault := range faults {
		for _, test := range fault.seen {
			name := strings.ReplaceAll(fault.name, " ", "_") + "/" + test
			if !bytes.Contains(output, []byte("--- FAIL: TestBroken/"+name+" (")) {
				t.Errorf("an adapter that %s passes %s", fault.name, test)
			}
		}
	}
}

// courier is the adapter of a made-up ESP.
type courier struct {
	endpoint anymail.Endpoint
	signed   func(*anymail.Payload) ([][]byte, error) // what the ESP signs
}

func (*courier) ESP() string                     { return "courier" }
func (c *courier) Endpoints() []anymail.Endpoint { return []anymail.Endpoint{c.endpoint} }

func healthy(keys anymail.KeySource) *courier {
	return signs(keys, verify.HeadersAndBody(".", "Courier-Time"))
}

func signs(keys anymail.KeySource, content func(*anymail.Payload) ([][]byte, error)) *courier {
	c := &courier{signed: content, endpoint: anymail.Endpoint{
		Path:   "tracking",
		Parser: anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) { return parse(p) }),
	}}
	if keys != nil {
		c.endpoint.Verifier = verify.HMAC{
			Keys:       keys,
			Signatures: verify.HexHeader("Courier-Signature"),
			Content:    content,
			SignedAt:   verify.UnixHeader("Courier-Time"),
		}.Verifier()
	}
	return c
}

type event struct {
	ID      string        `json:"id"`
	Event   string        `json:"event"`
	Time    wire.Unix     `json:"time"`
	Message string        `json:"message"`
	Details wire.Metadata `json:"details"`
}

var types = map[string]wire.Outcome{
	"delivered": {Type: anymail.EventDelivered},
	"timeless":  {Type: anymail.EventOpened},
	"deferred":  {Type: anymail.EventDeferred},
	"bounced":   {Type: anymail.EventBounced, Reason: anymail.RejectBounced},
}

func parse(p *anymail.Payload) ([]anymail.Event, error) {
	return wire.Batch(p, func(w *event, ev *anymail.TrackingEvent) {
		types[w.Event].Apply(ev)
		ev.ID, ev.Timestamp, ev.MessageID, ev.Metadata = w.ID, w.Time.Time, w.Message, w.Details.Event()
	})
}

func sim(adapter func(anymail.KeySource) *courier) *simulator.Simulator {
	body := func(name string, p simulator.Params) []byte {
		seconds := p.Time.Unix()
		if name == "timeless" {
			seconds = 0
		}
		return fmt.Appendf(nil, `{"id": %q, "event": %q, "time": %d, "message": %q, "details": {"order": "1701"}}`, p.EventID, name, seconds, p.MessageID)
	}
	sample := func(name string, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
		return simulator.Sample{
			Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason, Untimed: name == "timeless",
			Make: func(p simulator.Params) simulator.Request {
				return simulator.JSON("tracking", fmt.Appendf(nil, "[%s]", body(name, p)))
			},
		}
	}
	return &simulator.Simulator{
		ESP: "courier", Title: "Courier",
		NewCredential: func() simulator.Credential {
			key := rand.Text()
			return simulator.Credential{Config: key, Private: key}
		},
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return adapter(simulator.Keys(trusted)), nil
		},
		Sign: func(r *simulator.Request, c simulator.Credential, at time.Time) error {
			stamp := fmt.Sprint(at.Unix())
			r.Header.Set("Courier-Time", stamp)
			signed, err := adapter(nil).signed(&anymail.Payload{Header: r.Header, Body: r.Body})
			if err != nil {
				return err
			}
			mac := hmac.New(sha256.New, []byte(c.Private.(string)))
			_, _ = mac.Write(bytes.Join(signed, nil))
			r.Header.Set("Courier-Signature", hex.EncodeToString(mac.Sum(nil)))
			return nil
		},
		Samples: []simulator.Sample{
			sample("delivered", anymail.EventDelivered, ""),
			sample("timeless", anymail.EventOpened, ""),
			sample("deferred", anymail.EventDeferred, ""),
			sample("bounced", anymail.EventBounced, anymail.RejectBounced),
			sample("teleported", anymail.EventUnknown, ""),
		},
		Batch: simulator.JoinArrays,
		Malformed: func(p simulator.Params) simulator.Request {
			return simulator.JSON("tracking", fmt.Appendf(nil, `[%s, {"id": 1}, %s]`, body("delivered", p), body("bounced", p)))
		},
	}
}

// Functions that break a courier.

func endpoint(change func(*anymail.Endpoint)) func(anymail.KeySource) *courier {
	return func(keys anymail.KeySource) *courier {
		c := healthy(keys)
		change(&c.endpoint)
		return c
	}
}

func verifierIs(v anymail.Verifier) func(anymail.KeySource) *courier {
	return endpoint(func(ep *anymail.Endpoint) { ep.Verifier = v })
}

func parser(parse func(*anymail.Payload) ([]anymail.Event, error)) func(anymail.KeySource) *courier {
	return endpoint(func(ep *anymail.Endpoint) {
		ep.Parser = anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) { return parse(p) })
	})
}

func events(change func([]anymail.Event) []anymail.Event) func(anymail.KeySource) *courier {
	return parser(func(p *anymail.Payload) ([]anymail.Event, error) {
		list, err := parse(p)
		return change(list), err
	})
}

func each(change func(*anymail.TrackingEvent)) func(anymail.KeySource) *courier {
	return events(func(list []anymail.Event) []anymail.Event {
		for _, ev := range list {
			change(ev.(*anymail.TrackingEvent))
		}
		return list
	})
}

func without(list []anymail.Event, drop func(*anymail.TrackingEvent) bool) (kept []anymail.Event) {
	for _, ev := range list {
		if !drop(ev.(*anymail.TrackingEvent)) {
			kept = append(kept, ev)
		}
	}
	return kept
}

func content(signed func(*anymail.Payload) ([][]byte, error)) func(anymail.KeySource) *courier {
	return func(keys anymail.KeySource) *courier { return signs(keys, signed) }
}

func proof(change func(*anymail.Proof)) func(anymail.KeySource) *courier {
	return func(keys anymail.KeySource) *courier {
		c := healthy(keys)
		if good := c.endpoint.Verifier; good != nil {
			c.endpoint.Verifier = anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
				proof, err := good.Verify(ctx, p)
				change(&proof)
				return proof, err
			})
		}
		return c
	}
}

var (
	anyone = anymail.VerifierFunc(func(context.Context, *anymail.Payload) (anymail.Proof, error) {
		return anymail.Proof{}, nil
	})
	anySignature = anymail.VerifierFunc(func(_ context.Context, p *anymail.Payload) (anymail.Proof, error) {
		if p.Header.Get("Courier-Signature") == "" {
			return anymail.Proof{}, anymail.Unauthenticated(anymail.Reason(http.StatusText(http.StatusUnauthorized)))
		}
		return anymail.Proof{Fingerprint: []byte(p.Header.Get("Courier-Signature"))}, nil
	})
)
