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
	"mime"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
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

	// What is lost of an event, or misread.
	{"loses the event id", each(func(ev *anymail.TrackingEvent) { ev.ID = "" }), []string{"events/delivered"}},
	{"loses the time", each(func(ev *anymail.TrackingEvent) { ev.Timestamp = time.Time{} }), []string{"events/delivered"}},
	{"loses the message id", each(func(ev *anymail.TrackingEvent) { ev.MessageID = "" }), []string{"events/delivered"}},
	{"loses the recipient", each(func(ev *anymail.TrackingEvent) { ev.Recipient = "" }), []string{"events/delivered"}},
	{"cuts the recipient at a plus", each(func(ev *anymail.TrackingEvent) {
		if local, rest, found := strings.Cut(ev.Recipient, "+"); found {
			_, domain, _ := strings.Cut(rest, "@")
			ev.Recipient = local + "@" + domain
		}
	}), []string{"events/delivered"}},
	{"takes the sender for the recipient", each(func(ev *anymail.TrackingEvent) { ev.Recipient = "news@example.org" }), []string{"events/delivered"}},
	{"loses the tags", each(func(ev *anymail.TrackingEvent) { ev.Tags = nil }), []string{"events/delivered"}},
	{"splits tags at blanks", each(func(ev *anymail.TrackingEvent) { ev.Tags = strings.Fields(strings.Join(ev.Tags, " ")) }), []string{"events/delivered"}},
	{"loses the metadata", each(func(ev *anymail.TrackingEvent) { ev.Metadata = nil }), []string{"events/delivered"}},
	{"keeps one pair of the metadata", each(func(ev *anymail.TrackingEvent) {
		for name := range ev.Metadata {
			if name != "order" {
				delete(ev.Metadata, name)
			}
		}
	}), []string{"events/delivered"}},
	{"reads text as Latin-1", each(func(ev *anymail.TrackingEvent) {
		for i, tag := range ev.Tags {
			ev.Tags[i] = strings.Map(func(r rune) rune { return min(r, 255) }, tag)
		}
	}), []string{"events/delivered"}},
	{"loses the link", each(func(ev *anymail.TrackingEvent) { ev.ClickURL = "" }), []string{"events/clicked"}},
	{"loses the query of the link", each(func(ev *anymail.TrackingEvent) { ev.ClickURL, _, _ = strings.Cut(ev.ClickURL, "?") }), []string{"events/clicked"}},
	{"loses the user agent", each(func(ev *anymail.TrackingEvent) { ev.UserAgent = "" }), []string{"events/clicked"}},
	{"loses the address", each(func(ev *anymail.TrackingEvent) { ev.IP = netip.Addr{} }), []string{"events/clicked"}},
	{"loses the place", each(func(ev *anymail.TrackingEvent) { ev.Geo = anymail.Geo{} }), []string{"events/clicked"}},
	{"does not see robots", each(func(ev *anymail.TrackingEvent) { ev.Automated = anymail.Unsaid }), []string{"events/clicked"}},
	{"takes people for robots", each(func(ev *anymail.TrackingEvent) { ev.Automated = -ev.Automated }), []string{"events/clicked"}},
	{"loses the description", each(func(ev *anymail.TrackingEvent) { ev.Description = "" }), []string{"events/bounced"}},
	{"loses the answer", each(func(ev *anymail.TrackingEvent) { ev.MTAResponse = "" }), []string{"events/bounced"}},
	{"loses the reason", each(func(ev *anymail.TrackingEvent) { ev.RejectReason = "" }), []string{"events/bounced"}},
	{"loses the category", each(func(ev *anymail.TrackingEvent) { ev.Bounce.Category = "" }), []string{"events/bounced"}},
	{"takes every bounce for a soft one", each(func(ev *anymail.TrackingEvent) {
		if ev.Type == anymail.EventBounced {
			ev.Bounce.Category = anymail.BounceSoft
		}
	}), []string{"events/bounced"}},
	{"loses the reply code", each(func(ev *anymail.TrackingEvent) { ev.Bounce.SMTPCode = 0 }), []string{"events/bounced"}},
	{"loses the enhanced code", each(func(ev *anymail.TrackingEvent) { ev.Bounce.EnhancedCode = "" }), []string{"events/bounced"}},
	{"takes a deferral for a bounce", each(func(ev *anymail.TrackingEvent) {
		if ev.Type == anymail.EventDeferred {
			ev.Type, ev.RejectReason, ev.Bounce.Category = anymail.EventBounced, anymail.RejectOther, anymail.BounceSoft
		}
	}), []string{"events/deferred"}},
	{"has the same event for what it does not know", each(func(ev *anymail.TrackingEvent) {
		if ev.Type == "" {
			*ev = anymail.TrackingEvent{Common: anymail.Common{Raw: ev.Raw}}
		}
	}), []string{"events/teleported"}},
	{"makes the key of type and message", each(func(ev *anymail.TrackingEvent) {
		ev.Key = anymail.EventKey("courier", string(ev.Type), ev.MessageID, ev.Recipient)
	}), []string{"keys"}},
	{"takes a missing time for now", parser(func(p *anymail.Payload) ([]anymail.Event, error) {
		list, err := parse(p)
		for _, ev := range list {
			if !bytes.Contains(ev.Base().Raw, []byte(`"time"`)) {
				ev.Base().Timestamp = time.Now().UTC()
			}
		}
		return list, err
	}), []string{"times"}},
	{"reads times as local ones", each(func(ev *anymail.TrackingEvent) {
		if !ev.Timestamp.IsZero() {
			_, offset := time.Now().Zone()
			ev.Timestamp = ev.Timestamp.Add(time.Duration(offset) * time.Second)
		}
	}), []string{"times"}},

	// What is lost of a message.
	{"loses the envelope's sender", mails(func(m *anymail.InboundMessage) { m.EnvelopeSender = "" }), []string{"events/mail"}},
	{"loses the envelope's recipient", mails(func(m *anymail.InboundMessage) { m.EnvelopeRecipient, m.EnvelopeRecipients = "", nil }), []string{"events/mail"}},
	{"loses who wrote a message", mails(func(m *anymail.InboundMessage) { m.From = nil }), []string{"events/mail"}},
	{"loses names", mails(func(m *anymail.InboundMessage) { m.From[0].Name = "" }), []string{"events/mail"}},
	{"loses whom a message is for", mails(func(m *anymail.InboundMessage) { m.To = nil }), []string{"events/mail"}},
	{"loses the subject", mails(func(m *anymail.InboundMessage) { m.Subject = "" }), []string{"events/mail"}},
	{"does not decode the subject", mails(func(m *anymail.InboundMessage) { m.Subject = mime.QEncoding.Encode("UTF-8", m.Subject) }), []string{"events/mail"}},
	{"loses the date", mails(func(m *anymail.InboundMessage) { m.Date = time.Time{} }), []string{"events/mail"}},
	{"reads a date without its offset", mails(func(m *anymail.InboundMessage) { m.Date = m.Date.Add(2 * time.Hour) }), []string{"events/mail"}},
	{"loses the Message-ID", mails(func(m *anymail.InboundMessage) { m.MessageID = "" }), []string{"events/mail"}},
	{"leaves brackets around the Message-ID", mails(func(m *anymail.InboundMessage) { m.MessageID = "<" + m.MessageID + ">" }), []string{"events/mail"}},
	{"loses header fields", mails(func(m *anymail.InboundMessage) { m.Headers = nil }), []string{"events/mail"}},
	{"keeps the last of repeated fields", mails(func(m *anymail.InboundMessage) { m.Headers = m.Headers[1:] }), []string{"events/mail"}},
	{"loses the text", mails(func(m *anymail.InboundMessage) { m.Text = "" }), []string{"events/mail"}},
	{"loses the HTML", mails(func(m *anymail.InboundMessage) { m.HTML = "" }), []string{"events/mail"}},
	{"loses attachments", mails(func(m *anymail.InboundMessage) { m.Attachments = nil }), []string{"events/mail"}},
	{"loses inline parts", mails(func(m *anymail.InboundMessage) { m.Attachments = m.Attachments[1:] }), []string{"events/mail"}},
	{"loses what is in an attachment", mails(func(m *anymail.InboundMessage) { m.Attachments[1].Content = nil }), []string{"events/mail"}},
	{"loses the name of a file", mails(func(m *anymail.InboundMessage) { m.Attachments[1].Filename = "" }), []string{"events/mail"}},
	{"loses the id of a picture", mails(func(m *anymail.InboundMessage) { m.Attachments[0].ContentID = "" }), []string{"events/mail"}},
	{"loses the type of a file", mails(func(m *anymail.InboundMessage) { m.Attachments[0].ContentType = "application/octet-stream" }), []string{"events/mail"}},
	{"loses the verdict on spam", mails(func(m *anymail.InboundMessage) { m.SpamDetected = anymail.Unsaid }), []string{"events/mail"}},
	{"loses the score", mails(func(m *anymail.InboundMessage) { m.SpamScore = nil }), []string{"events/mail"}},
	{"loses what the ESP found out about the sender", mails(func(m *anymail.InboundMessage) { m.Authentication = anymail.Authentication{} }), []string{"events/mail"}},
	{"loses the source", mails(func(m *anymail.InboundMessage) { m.RawMIME = nil }), []string{"events/mail"}},
	{"loses a whole message", mails(func(m *anymail.InboundMessage) { *m = anymail.InboundMessage{} }), []string{"events/mail"}},

	// How a signature is read.
	{"accepts something after a signature", verifies(func(h *verify.HMAC) {
		h.Signatures = verify.SignatureHeader("Courier-Signature", func(text string) ([]byte, error) { return verify.Hex(text[:min(len(text), 64)]) })
	}), []string{"headers/delivered"}},
	{"reads the first of two signatures", verifies(func(h *verify.HMAC) { h.Signatures = one(func(list []string) string { return list[0] }) }), []string{"headers/delivered"}},
	{"reads the last of two signatures", verifies(func(h *verify.HMAC) { h.Signatures = one(func(list []string) string { return list[len(list)-1] }) }), []string{"headers/delivered"}},
	{"accepts a request without its time", verifies(func(h *verify.HMAC) {
		signed, at := h.Content, h.SignedAt
		h.Content = func(p *anymail.Payload) ([][]byte, error) {
			if p.Header.Get("Courier-Time") == "" {
				return [][]byte{[]byte(fmt.Sprint(time.Now().Unix()) + "."), p.Body}, nil
			}
			return signed(p)
		}
		h.SignedAt = func(p *anymail.Payload) (time.Time, error) {
			if p.Header.Get("Courier-Time") == "" {
				return time.Time{}, nil
			}
			return at(p)
		}
	}), []string{"headers/delivered"}},
	{"accepts a signature for 30 days", endpoint(func(ep *anymail.Endpoint) { ep.Window = 30 * 24 * time.Hour }), []string{"stale/delivered"}},
	{"signs in its simulator as its adapter wrongly verifies", content(func(p *anymail.Payload) ([][]byte, error) {
		return [][]byte{p.Body, []byte("." + p.Header.Get("Courier-Time"))}, nil
	}), []string{"vectors"}},
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
		t.Run(fault.name, func(t *testing.T) {
			for _, test := range fault.seen {
				conformance.RunGroup(t, sim(fault.make), test)
			}
		})
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
	mail     func(*anymail.InboundMessage)            // breaks a message
}

func (*courier) ESP() string                     { return "courier" }
func (c *courier) Endpoints() []anymail.Endpoint { return []anymail.Endpoint{c.endpoint, c.inbound()} }

func (c *courier) inbound() anymail.Endpoint {
	ep := c.endpoint
	ep.Path = "inbound"
	ep.Parser = anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
		list, err := parseMail(p)
		for _, ev := range list {
			if m := &ev.(*anymail.InboundEvent).Message; c.mail != nil && m.RawMIME != nil {
				c.mail(m)
			}
		}
		return list, err
	})
	return ep
}

func healthy(keys anymail.KeySource) *courier {
	return signs(keys, verify.HeadersAndBody(".", "Courier-Time"))
}

func signs(keys anymail.KeySource, content func(*anymail.Payload) ([][]byte, error)) *courier {
	c := &courier{signed: content, endpoint: anymail.Endpoint{
		Path:   "tracking",
		Parser: anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) { return parse(p) }),
	}}
	if keys != nil {
		c.endpoint.Verifier = scheme(keys, content).Verifier()
	}
	return c
}

func scheme(keys anymail.KeySource, content verify.Content) verify.HMAC {
	return verify.HMAC{
		Keys:       keys,
		Signatures: verify.HexHeader("Courier-Signature"),
		Content:    content,
		SignedAt:   verify.UnixHeader("Courier-Time"),
	}
}

type event struct {
	ID      string        `json:"id"`
	Event   string        `json:"event"`
	Time    wire.Unix     `json:"time"`
	Message string        `json:"message"`
	To      string        `json:"to"`
	Labels  wire.Strings  `json:"labels"`
	Details wire.Metadata `json:"details"`
	Why     string        `json:"why"`
	Answer  string        `json:"answer"`
	Link    string        `json:"link"`
	Agent   string        `json:"agent"`
	Address string        `json:"address"`
	City    string        `json:"city"`
	Robot   *bool         `json:"robot"`
}

// mail is a received message: its source, and what Courier says about it.
type mail struct {
	ID     string      `json:"id"`
	Time   wire.Unix   `json:"time"`
	Source wire.Source `json:"source"`
	From   string      `json:"from"`
	To     string      `json:"to"`
	SPF    string      `json:"spf"`
	Score  wire.Number `json:"score"`
	Spam   wire.Text   `json:"spam"`
}

var types = map[string]wire.Outcome{
	"delivered": {Type: anymail.EventDelivered},
	"timeless":  {Type: anymail.EventOpened},
	"clicked":   {Type: anymail.EventClicked},
	"deferred":  {Type: anymail.EventDeferred},
	"bounced":   {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
}

func parse(p *anymail.Payload) ([]anymail.Event, error) {
	return wire.Batch(p, func(w *event, ev *anymail.TrackingEvent) {
		types[w.Event].Apply(ev)
		ev.ID, ev.Timestamp, ev.MessageID, ev.Recipient = w.ID, w.Time.Time, w.Message, w.To
		ev.Tags, ev.Metadata, ev.Description = w.Labels, w.Details.Event(), w.Why
		ev.ClickURL, ev.UserAgent, ev.IP, ev.Geo.City = w.Link, w.Agent, wire.Addr(w.Address), w.City
		if w.Robot != nil {
			ev.Automated = anymail.TriOf(*w.Robot)
		}
		wire.Answer(ev, w.Answer)
	})
}

func parseMail(p *anymail.Payload) ([]anymail.Event, error) {
	return inbound.Parse(p, func(w *mail, ev *anymail.InboundEvent) {
		ev.ID, ev.Timestamp = w.ID, w.Time.Time
		m := &ev.Message
		if !w.Source.Empty() {
			*m = rawmime.ParseText(w.Source.Decode(p), "", "", p.Limits)
		}
		m.EnvelopeSender, m.Authentication.SPF, m.SpamScore, m.SpamDetected = w.From, w.SPF, w.Score.Pointer(), wire.AnyOf(w.Spam)
		inbound.SetEnvelopeRecipients(m, w.To)
	})
}

func sim(adapter func(anymail.KeySource) *courier) *simulator.Simulator {
	body := func(name string, p simulator.Params) []byte {
		w := map[string]any{
			"id": p.EventID, "event": name, "time": p.Time.Unix(), "message": p.MessageID, "to": p.Recipient,
			"labels": []string{p.Tag}, "details": p.Metadata,
		}
		switch name {
		case "timeless":
			delete(w, "time")
		case "clicked":
			w["link"], w["agent"], w["address"], w["city"], w["robot"] = "https://example.com/?a=1", "Mozilla/5.0", "192.0.2.7", "London", false
		case "bounced":
			w["why"], w["answer"] = "refused", "554 5.0.0 no"
		}
		// A blank after each colon, so that a raw that was written anew differs.
		return bytes.ReplaceAll(simulator.MustJSON(w), []byte(`":`), []byte(`": `))
	}
	sample := func(name string, typ anymail.EventType, reason anymail.RejectReason, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
		return simulator.Sample{
			Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason, Untimed: name == "timeless",
			Events: func(p simulator.Params) []anymail.Event { return p.Event(typ, reason, changes...) },
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
			sample("timeless", anymail.EventOpened, "", func(ev *anymail.TrackingEvent) { ev.Timestamp = time.Time{} }),
			sample("clicked", anymail.EventClicked, "", simulator.Visited("Mozilla/5.0", "https://example.com/?a=1", anymail.No), func(ev *anymail.TrackingEvent) {
				ev.IP, ev.Geo.City = netip.MustParseAddr("192.0.2.7"), "London"
			}),
			sample("deferred", anymail.EventDeferred, "", func(ev *anymail.TrackingEvent) { ev.Bounce.Category = anymail.BounceSoft }),
			sample("bounced", anymail.EventBounced, anymail.RejectBounced, simulator.Described("refused"),
				simulator.Answered("554 5.0.0 no", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 554, EnhancedCode: "5.0.0"})),
			sample("teleported", anymail.EventUnknown, ""),
			{
				Name: "mail", Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, TakesMIME: true,
				Events: func(p simulator.Params) []anymail.Event {
					return p.Received(func(ev *anymail.InboundEvent) {
						m, score := &ev.Message, 1.5
						m.EnvelopeSender, m.EnvelopeRecipient, m.EnvelopeRecipients = p.Sender, "help@example.org", []string{"help@example.org"}
						m.Authentication.SPF, m.SpamScore, m.SpamDetected = "pass", &score, anymail.No
					})
				},
				Make: func(p simulator.Params) simulator.Request {
					return simulator.JSON("inbound", simulator.MustJSON(map[string]any{
						"id": p.EventID, "time": p.Time.Unix(), "source": string(p.MIME), "from": p.Sender, "to": "help@example.org",
						"spf": "pass", "score": 1.5, "spam": false,
					}))
				},
			},
		},
		// printf '1790000000.[]' | openssl dgst -sha256 -hmac courier-key
		Vectors: []simulator.Vector{{
			Source: "openssl dgst -sha256 -hmac", Credential: "courier-key", At: time.Unix(1790000000, 0),
			Request: simulator.Request{Endpoint: "tracking", Body: []byte("[]"), Header: http.Header{
				"Courier-Time": {"1790000000"}, "Courier-Signature": {"8103306d18f822d65cae5e6937f9639bf16a9862bcd2481f18344de27f04914f"},
			}},
		}},
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

// mails breaks each received message.
func mails(change func(*anymail.InboundMessage)) func(anymail.KeySource) *courier {
	return func(keys anymail.KeySource) *courier {
		c := healthy(keys)
		c.mail = change
		return c
	}
}

// verifies changes how signatures are read.
func verifies(change func(*verify.HMAC)) func(anymail.KeySource) *courier {
	return func(keys anymail.KeySource) *courier {
		c := healthy(keys)
		if keys != nil {
			h := scheme(keys, c.signed)
			change(&h)
			c.endpoint.Verifier = h.Verifier()
		}
		return c
	}
}

// one reads one of several signature headers.
func one(choose func([]string) string) verify.Signatures {
	return func(p *anymail.Payload) ([][]byte, error) {
		list := p.Header.Values("Courier-Signature")
		if len(list) == 0 {
			return nil, anymail.Unauthenticated(verify.ReasonMissing)
		}
		signature, err := verify.Hex(choose(list))
		return [][]byte{signature}, err
	}
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
