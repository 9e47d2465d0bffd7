package sendgrid_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/sendgrid"
	"github.com/goanymail/anymail/esp/sendgrid/sendgridsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, sendgridsim.New()) }

// Made with: printf '%s%s' "$TIMESTAMP" "$BODY" | openssl dgst -sha256 -sign key.pem | base64
const (
	publicKey  = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEh1PyWco9tHTu94ftMJNTNyMCUTn1mL+kXgF3ijd72Lzq+RRbLf2jRrYkbTCe48fgsCAP3SrGrLf3ejcATatGxw=="
	timestamp  = "1790000000"
	signedBody = `[{"email":"ada@example.com","timestamp":1790000000,"smtp-id":"<demo-1@geopod-ismtpd-1>","event":"processed","sg_event_id":"evt-1","sg_message_id":"demo-1.recvd-1.0"}]` + "\r\n"
	signature  = "MEUCIQDdcpy8kWvJzoVntjf/Nn2O2O6nM4tTmPO5QsBwFkxImAIgGZ7QiAQtNMcHaui8RSd3MhVsTbTdkjL+xB9tdxYt69o="
)

func verifyWith(t *testing.T, config sendgrid.Config, endpoint string, header http.Header, body string) (anymail.Proof, error) {
	t.Helper()
	adapter := esptest.New(t, sendgrid.New, config)
	for _, ep := range adapter.Endpoints() {
		if ep.Path == endpoint {
			return ep.Verifier.Verify(context.Background(), &anymail.Payload{Header: header, Body: []byte(body)})
		}
	}
	t.Fatalf("no endpoint %q", endpoint)
	return anymail.Proof{}, nil
}

func signed(timestamp, signature string) http.Header {
	return http.Header{
		"X-Twilio-Email-Event-Webhook-Timestamp": {timestamp},
		"X-Twilio-Email-Event-Webhook-Signature": {signature},
	}
}

func inPEM(t *testing.T, key string) string {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestSignature(t *testing.T) {
	other := sendgridsim.New().NewCredential().Config
	repeated := signed(timestamp, signature)
	repeated.Add("X-Twilio-Email-Event-Webhook-Timestamp", timestamp)
	tests := []struct {
		name   string
		keys   []string
		header http.Header
		body   string
		key    int // that matched; -1 for none
	}{
		{"base64 DER", []string{publicKey}, signed(timestamp, signature), signedBody, 0},
		{"PEM", []string{inPEM(t, publicKey)}, signed(timestamp, signature), signedBody, 0},
		{"with line breaks", []string{publicKey[:64] + "\n" + publicKey[64:] + "\n"}, signed(timestamp, signature), signedBody, 0},
		{"second key of a rotation", []string{other, publicKey}, signed(timestamp, signature), signedBody, 1},

		{"body without its last line break", []string{publicKey}, signed(timestamp, signature), strings.TrimSpace(signedBody), -1},
		{"other time", []string{publicKey}, signed("1790000001", signature), signedBody, -1},
		{"border moved into the body", []string{publicKey}, signed(timestamp[:9], signature), timestamp[9:] + signedBody, 0},
		{"other key", []string{other}, signed(timestamp, signature), signedBody, -1},
		{"no keys", nil, signed(timestamp, signature), signedBody, -1},
		{"no signature", []string{publicKey}, http.Header{"X-Twilio-Email-Event-Webhook-Timestamp": {timestamp}}, signedBody, -1},
		{"no time", []string{publicKey}, http.Header{"X-Twilio-Email-Event-Webhook-Signature": {signature}}, signedBody, -1},
		{"time twice", []string{publicKey}, repeated, signedBody, -1},
		{"no base64", []string{publicKey}, signed(timestamp, "%%"), signedBody, -1},
		{"signature cut off", []string{publicKey}, signed(timestamp, signature[:92]), signedBody, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, endpoint := range []string{"tracking", "inbound"} {
				config := sendgrid.Config{TrackingSigningKeys: anymail.Keys(tt.keys...), InboundSigningKeys: anymail.Keys(tt.keys...)}
				proof, err := verifyWith(t, config, endpoint, tt.header, tt.body)
				if tt.key < 0 {
					require.ErrorIs(t, err, anymail.ErrUnauthenticated)
					continue
				}
				require.NoError(t, err)
				require.Equal(t, tt.key, proof.Key)
				require.NotEmpty(t, proof.Fingerprint)
				if tt.header.Get("X-Twilio-Email-Event-Webhook-Timestamp") == timestamp {
					require.Equal(t, at, proof.SignedAt)
				} else { // what is left of it is out of any window
					require.Less(t, proof.SignedAt.Year(), 1976)
				}
			}
		})
	}
}

func TestNew(t *testing.T) {
	edKey, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(edKey)
	require.NoError(t, err)
	for name, key := range map[string]string{"empty": "", "no key": "SG.api-key", "other kind": base64.StdEncoding.EncodeToString(der)} {
		_, err := sendgrid.New(sendgrid.Config{TrackingSigningKeys: anymail.Keys(key)})
		require.ErrorIs(t, err, anymail.ErrConfig, name)
		_, err = sendgrid.New(sendgrid.Config{InboundSigningKeys: anymail.Keys(publicKey, key)})
		require.ErrorIs(t, err, anymail.ErrConfig, name)
		if key != "" {
			require.NotContains(t, err.Error(), key)
		}
	}
}

// A key pair of each kind protects its own endpoint alone.
func TestEndpointsHaveTheirOwnKeys(t *testing.T) {
	for _, endpoint := range []string{"tracking", "inbound"} {
		config := sendgrid.Config{TrackingSigningKeys: anymail.Keys(publicKey)}
		if endpoint == "inbound" {
			config = sendgrid.Config{InboundSigningKeys: anymail.Keys(publicKey)}
		}
		adapter := esptest.New(t, sendgrid.New, config)
		for _, ep := range adapter.Endpoints() {
			require.Equal(t, ep.Path == endpoint, ep.Verifier != nil, ep.Path)
		}
	}
}

func TestBearerToken(t *testing.T) {
	check := func(_ context.Context, token string) error {
		switch token {
		case "good":
			return nil
		case "later":
			return anymail.Because(anymail.ErrUnavailable, "token server", nil)
		}
		return anymail.Because(anymail.ErrUnauthenticated, "unknown token", errors.New(token))
	}
	withToken := func(header http.Header, values ...string) http.Header {
		header = header.Clone()
		if header == nil {
			header = http.Header{}
		}
		header["Authorization"] = values
		return header
	}
	bySignature := signed(timestamp, signature)
	token, both := sendgrid.Config{TrackingTokenCheck: check}, sendgrid.Config{TrackingTokenCheck: check, TrackingSigningKeys: anymail.Keys(publicKey)}
	tests := []struct {
		name   string
		config sendgrid.Config
		header http.Header
		want   error
	}{
		{"good", token, withToken(nil, "Bearer good"), nil},
		{"scheme in lower case", token, withToken(nil, "bearer good"), nil},
		{"wrong", token, withToken(nil, "Bearer wrong"), anymail.ErrUnauthenticated},
		{"cannot tell", token, withToken(nil, "Bearer later"), anymail.ErrUnavailable},
		{"none", token, http.Header{}, anymail.ErrUnauthenticated},
		{"empty", token, withToken(nil, "Bearer "), anymail.ErrUnauthenticated},
		{"other scheme", token, withToken(nil, "Basic good"), anymail.ErrUnauthenticated},
		{"twice", token, withToken(nil, "Bearer good", "Bearer good"), anymail.ErrUnauthenticated},
		{"with a signature", both, withToken(bySignature, "Bearer good"), nil},
		{"signature alone", both, bySignature, anymail.ErrUnauthenticated},
		{"token alone", both, withToken(nil, "Bearer good"), anymail.ErrUnauthenticated},
		{"wrong token with a signature", both, withToken(bySignature, "Bearer wrong"), anymail.ErrUnauthenticated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, endpoint := range []string{"tracking", "inbound"} {
				config := tt.config
				config.InboundTokenCheck, config.InboundSigningKeys = config.TrackingTokenCheck, config.TrackingSigningKeys
				proof, err := verifyWith(t, config, endpoint, tt.header, signedBody)
				if tt.want == nil {
					require.NoError(t, err)
					require.Equal(t, config.TrackingSigningKeys != nil, proof.Fingerprint != nil, "the signature is taken once")
					continue
				}
				require.ErrorIs(t, err, tt.want)
				require.NotContains(t, err.Error(), "wrong")
			}
		})
	}
}

// Retries go on for a day, and for three with messages, perhaps with the first
// signature.
func TestWindow(t *testing.T) {
	sim := sendgridsim.New()
	s := anymailtest.NewServer(t, sim)
	for _, tt := range []struct {
		sample string
		age    time.Duration
		want   int
	}{
		{"delivered", 24 * time.Hour, http.StatusOK}, {"delivered", 26 * time.Hour, http.StatusBadRequest},
		{"inbound-raw", 72 * time.Hour, http.StatusOK}, {"inbound-raw", 74 * time.Hour, http.StatusServiceUnavailable},
	} {
		sample, _ := sim.Sample(tt.sample)
		r := s.Address(t, sample.Make(simulator.NewParams()))
		require.NoError(t, sim.Sign(&r, s.Credential, time.Now().Add(-tt.age)))
		status, _ := s.Post(t, r)
		require.Equal(t, tt.want, status, "%s signed %v ago", tt.sample, tt.age)
	}
}

// A 4xx loses a message for good, but not events.
func TestInboundIsNotLost(t *testing.T) {
	sim := sendgridsim.New()
	for name, tt := range map[string]struct {
		options []anymail.Option
		change  func(*simulator.Request)
		want    int // for events
	}{
		"address":      {[]anymail.Option{anymail.WithAllowedAddresses(netip.MustParsePrefix("203.0.113.0/24"))}, nil, http.StatusForbidden},
		"size":         {[]anymail.Option{anymail.WithLimits(anymail.Limits{Body: 10})}, nil, http.StatusRequestEntityTooLarge},
		"signature":    {nil, func(r *simulator.Request) { r.Body = append(r.Body, '\n') }, http.StatusBadRequest},
		"content type": {nil, func(r *simulator.Request) { r.Header.Set("Content-Type", "text/plain") }, http.StatusUnsupportedMediaType},
	} {
		s := anymailtest.NewServer(t, sim, tt.options...)
		for sampleName, want := range map[string]int{"inbound-parsed": http.StatusServiceUnavailable, "delivered": tt.want} {
			sample, _ := sim.Sample(sampleName)
			r := s.Prepare(t, sample, simulator.NewParams())
			if tt.change != nil {
				tt.change(&r)
			}
			status, _ := s.Post(t, r)
			require.Equal(t, want, status, "%s of %s", name, sampleName)
		}
	}
}

var at = time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)

// parse gives a request to the parser of an adapter.
func parse(t testing.TB, config sendgrid.Config, r simulator.Request) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, sendgrid.New, config), r)
}

func parseEvent(t testing.TB, config sendgrid.Config, body string) *anymail.TrackingEvent {
	t.Helper()
	events := parse(t, config, simulator.JSON("tracking", []byte(body)))
	require.Len(t, events, 1)
	return events[0].(*anymail.TrackingEvent)
}

func TestTracking(t *testing.T) {
	common := func(typ anymail.EventType, id string) anymail.Common {
		return anymail.Common{ESP: sendgrid.ESP, Type: typ, ID: id, Timestamp: at}
	}
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "processed, with categories and custom arguments of every type",
			body: `{"email":"ada@example.com","timestamp":1790000000,"smtp-id":"<demo-1@geopod-ismtpd-1>","event":"processed","category":["welcome","eu"],
				"sg_event_id":"ev01","sg_message_id":"demo-1.recvd-aa-1-0.0","pool":{"name":"main","id":7},"send_at":1790000000,"marketing_campaign_id":12,
				"order":"42","n":9007199254740993,"vip":true,"none":null,"deep":{"a":[1,"x"]},"gr\u00fc\u00dfe":"hallo"}`,
			want: anymail.TrackingEvent{
				Common: common(anymail.EventQueued, "ev01"), MessageID: "demo-1", Recipient: "ada@example.com", Tags: []string{"welcome", "eu"},
				Metadata: anymail.Metadata{
					"order": "42", "n": json.Number("9007199254740993"), "vip": true, "none": nil, "grüße": "hallo",
					"deep": map[string]any{"a": []any{json.Number("1"), "x"}},
				},
			},
		},
		{
			name: "processed, as in the documentation's sample of reserved keys",
			body: `{"email":"ada@example.com","timestamp":"1790000000","event":"Processed","category":[],"customerAccountNumber":"55555"}`,
			want: anymail.TrackingEvent{
				Common: common(anymail.EventQueued, ""), Recipient: "ada@example.com", Metadata: anymail.Metadata{"customerAccountNumber": "55555"},
			},
		},
		{
			name: "deferred, with the answer as response, one category, a time as text",
			body: `{"email":"ada@example.com","timestamp":"1790000000","event":"deferred","category":"welcome","ip":"192.0.2.10","sg_event_id":"ev02",
				"sg_message_id":"demo-1.recvd-aa-1-0.0","response":"451 4.7.1 try again later","attempt":"3","tls":0,"domain":"example.com"}`,
			want: anymail.TrackingEvent{
				Common: common(anymail.EventDeferred, "ev02"), MessageID: "demo-1", Recipient: "ada@example.com", Tags: []string{"welcome"},
				Metadata:    anymail.Metadata{"domain": "example.com"}, // SendGrid's or the sender's
				MTAResponse: "451 4.7.1 try again later", Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.7.1"},
			},
		},
		{
			name: "deferred, with the answer as reason, as documented",
			body: `{"email":"ada@example.com","timestamp":1790000000,"event":"deferred","reason":"421 busy","attempt":3}`,
			want: anymail.TrackingEvent{
				Common: common(anymail.EventDeferred, ""), Recipient: "ada@example.com",
				MTAResponse: "421 busy", Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 421},
			},
		},
		{
			name: "delivered from an address of SendGrid's, which is not the reader's",
			body: `{"email":"ada@example.com","timestamp":1790000000,"event":"delivered","ip":"192.0.2.10","tls":1,"cert_err":0,"sg_event_id":"ev03",
				"sg_message_id":"demo-1.recvd-aa-1-0.0","response":"250 2.0.0 OK"}`,
			want: anymail.TrackingEvent{Common: common(anymail.EventDelivered, "ev03"), MessageID: "demo-1", Recipient: "ada@example.com", MTAResponse: "250 2.0.0 OK"},
		},
		{
			name: "open by a machine",
			body: `{"email":"ada@example.com","timestamp":1790000000,"event":"open","sg_machine_open":true,"sg_content_type":"html","useragent":"Mozilla/5.0",
				"ip":"192.0.2.77","sg_event_id":"ev09","sg_message_id":"demo-1.recvd-aa-1-0.0","sg_template_id":"d-1","sg_template_name":"x"}`,
			want: anymail.TrackingEvent{
				Common: common(anymail.EventOpened, "ev09"), MessageID: "demo-1", Recipient: "ada@example.com",
				UserAgent: "Mozilla/5.0", IP: netip.MustParseAddr("192.0.2.77"), Automated: anymail.Yes,
			},
		},
		{
			name: "open by somebody",
			body: `{"email":"ada@example.com","timestamp":1790000000,"event":"open","sg_machine_open":false}`,
			want: anymail.TrackingEvent{Common: common(anymail.EventOpened, ""), Recipient: "ada@example.com", Automated: anymail.No},
		},
		{
			name: "open, nobody knows by whom",
			body: `{"email":"ada@example.com","timestamp":1790000000,"event":"open"}`,
			want: anymail.TrackingEvent{Common: common(anymail.EventOpened, ""), Recipient: "ada@example.com"},
		},
		{
			name: "click",
			body: `{"email":"ada@example.com","timestamp":1790000000,"event":"click","url":"https://www.example.com/offer?a=1\u0026b=2","url_offset":{"index":0,"type":"html"},
				"useragent":"Mozilla/5.0 (demo)","ip":"192.0.2.77","sg_event_id":"ev10","sg_message_id":"demo-1.recvd-aa-1-0.0"}`,
			want: anymail.TrackingEvent{
				Common: common(anymail.EventClicked, "ev10"), MessageID: "demo-1", Recipient: "ada@example.com", ClickURL: "https://www.example.com/offer?a=1&b=2",
				UserAgent: "Mozilla/5.0 (demo)", IP: netip.MustParseAddr("192.0.2.77"),
			},
		},
		{
			name: "spam report",
			body: `{"email":"ada@example.com","timestamp":1790000000,"event":"spamreport","sg_event_id":"ev11","sg_message_id":"demo-1.recvd-aa-1-0.0"}`,
			want: anymail.TrackingEvent{Common: common(anymail.EventComplained, "ev11"), MessageID: "demo-1", Recipient: "ada@example.com", RejectReason: anymail.RejectSpam},
		},
		{
			name: "unsubscribe",
			body: `{"email":"ada@example.com","timestamp":1790000000,"event":"unsubscribe"}`,
			want: anymail.TrackingEvent{Common: common(anymail.EventUnsubscribed, ""), Recipient: "ada@example.com", RejectReason: anymail.RejectUnsubscribed},
		},
		{
			name: "group unsubscribe, whose URL is not a click",
			body: `{"email":"ada@example.com","timestamp":1790000000,"event":"group_unsubscribe","asm_group_id":10,"url":"https://www.example.com/unsub","useragent":"Mozilla","ip":"192.0.2.77"}`,
			want: anymail.TrackingEvent{
				Common: common(anymail.EventUnsubscribed, ""), Recipient: "ada@example.com", RejectReason: anymail.RejectUnsubscribed,
				UserAgent: "Mozilla", IP: netip.MustParseAddr("192.0.2.77"),
			},
		},
		{
			name: "group resubscribe",
			body: `{"email":"ada@example.com","timestamp":1790000000,"event":"group_resubscribe","asm_group_id":10}`,
			want: anymail.TrackingEvent{Common: common(anymail.EventSubscribed, ""), Recipient: "ada@example.com"},
		},
		{
			name: "account event",
			body: `{"event":"account_status_change","type":"compliance_suspend","timestamp":1790000000,"sg_event_id":"ev15"}`,
			want: anymail.TrackingEvent{Common: common("", "ev15"), Description: "compliance_suspend"},
		},
		{
			name: "unknown event",
			body: `{"email":"ada@example.com","timestamp":1790000000,"event":"levitated","height":3}`,
			want: anymail.TrackingEvent{Common: common("", ""), Recipient: "ada@example.com", Metadata: anymail.Metadata{"height": json.Number("3")}},
		},
		{
			name: "custom arguments with the names of members that this event does not have",
			body: `{"email":"ada@example.com","timestamp":1790000000,"event":"delivered","url":5,"status":["x"],"useragent":{},"type":7,"reason":true}`,
			want: anymail.TrackingEvent{
				Common: common(anymail.EventDelivered, ""), Recipient: "ada@example.com",
				Metadata: anymail.Metadata{
					"url": json.Number("5"), "status": []any{"x"}, "useragent": map[string]any{}, "type": json.Number("7"), "reason": true,
				},
			},
		},
		{
			name: "custom arguments with names that SendGrid may use",
			body: `{"email":"ada@example.com","timestamp":1790000000,"event":"open","campaign_id":"c1","campaign_version":"2","template":"welcome","template_id":"t1",
				"domain":"example.com","from":"berlin","pool":"north","ip_pool":"warm","post_type":"digest","phase_id":"3","newsletter":"weekly","tls":"1.3",
				"send_at":"noon","type":"welcome","status":"vip"}`,
			want: anymail.TrackingEvent{
				Common: common(anymail.EventOpened, ""), Recipient: "ada@example.com",
				Metadata: anymail.Metadata{
					"campaign_id": "c1", "campaign_version": "2", "template": "welcome", "template_id": "t1", "domain": "example.com", "from": "berlin",
					"pool": "north", "ip_pool": "warm", "post_type": "digest", "phase_id": "3", "newsletter": "weekly", "tls": "1.3", "send_at": "noon",
					"type": "welcome", "status": "vip",
				},
			},
		},
		{
			name: "members whose values show that they are SendGrid's",
			body: `{"email":"ada@example.com","timestamp":1790000000,"event":"bounce","type":"bounce","reason":"","status":"","pool":{"name":"north","id":7},"tls":1,
				"newsletter":{"newsletter_id":"1"},"send_at":1790000000,"marketing_campaign_name":"x","mc_stats":"singlesend","order":"42"}`,
			want: anymail.TrackingEvent{
				Common: common(anymail.EventBounced, ""), Recipient: "ada@example.com", RejectReason: anymail.RejectBounced,
				Bounce: anymail.Bounce{Category: anymail.BounceHard}, Metadata: anymail.Metadata{"order": "42"},
			},
		},
		{
			name: "time in milliseconds",
			body: `{"email":"ada@example.com","timestamp":1790000000000,"event":"open"}`,
			want: anymail.TrackingEvent{Common: common(anymail.EventOpened, ""), Recipient: "ada@example.com"},
		},
		{
			name: "time in milliseconds, as text",
			body: `{"email":"ada@example.com","timestamp":"1790000000000","event":"delivered"}`,
			want: anymail.TrackingEvent{Common: common(anymail.EventDelivered, ""), Recipient: "ada@example.com"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, body := range []string{tt.body, " [ " + tt.body + " ]\r\n"} {
				got := parseEvent(t, sendgrid.Config{}, body)
				anymailtest.Equal(t, &tt.want, got)
				require.Equal(t, tt.body, string(got.Raw))
			}
		})
	}
}

func TestBounces(t *testing.T) {
	type outcome struct {
		Reason anymail.RejectReason
		Bounce anymail.Bounce
	}
	bounce := func(category anymail.BounceCategory, code int, enhanced string) anymail.Bounce {
		return anymail.Bounce{Category: category, SMTPCode: code, EnhancedCode: enhanced}
	}
	tests := []struct {
		members string
		want    outcome
	}{
		{
			`"type":"bounce","bounce_classification":"Invalid Address","reason":"550 5.1.1 no such user","status":"5.1.1"`,
			outcome{anymail.RejectInvalid, bounce(anymail.BounceHard, 550, "5.1.1")},
		},
		{
			`"type":"bounce","bounce_classification":"Invalid Address","reason":"no such domain","status":"5.0.0"`,
			outcome{anymail.RejectInvalid, bounce(anymail.BounceHard, 0, "5.0.0")},
		},
		{
			`"type":"bounce","bounce_classification":"Mailbox Unavailable","reason":"552 full","status":"5.2.2"`,
			outcome{anymail.RejectBounced, bounce(anymail.BounceSoft, 552, "5.2.2")},
		},
		{
			`"type":"bounce","bounce_classification":"Technical","reason":"554 no"`,
			outcome{anymail.RejectBounced, bounce(anymail.BounceSoft, 554, "")},
		},
		{
			`"type":"bounce","bounce_classification":"Technical Failure","reason":""`,
			outcome{anymail.RejectBounced, bounce(anymail.BounceSoft, 0, "")},
		},
		{
			`"type":"bounce","bounce_classification":"Frequency or Volume Too High"`,
			outcome{anymail.RejectBlocked, bounce(anymail.BounceBlock, 0, "")},
		},
		{
			`"type":"bounce","bounce_classification":"Reputation"`,
			outcome{anymail.RejectBlocked, bounce(anymail.BounceBlock, 0, "")},
		},
		{
			`"type":"bounce","bounce_classification":"Content"`,
			outcome{anymail.RejectSpam, bounce(anymail.BounceBlock, 0, "")},
		},
		{
			`"type":"bounce","bounce_classification":"Unclassified","reason":"550 returned later","status":"5.0.0"`,
			outcome{anymail.RejectBounced, bounce(anymail.BounceHard, 550, "5.0.0")},
		},
		{
			`"reason":"550 5.1.1 no such user","status":""`,
			outcome{anymail.RejectInvalid, bounce(anymail.BounceHard, 550, "5.1.1")},
		},
		{
			`"type":"blocked","bounce_classification":"Mailbox Unavailable","reason":"550 5.2.1 not now","status":"5.2.1"`,
			outcome{anymail.RejectBlocked, bounce(anymail.BounceBlock, 550, "5.2.1")},
		},
		{
			`"type":"blocked","bounce_classification":"Reputation","reason":"554 5.7.1 refused","status":"5.7.1"`,
			outcome{anymail.RejectBlocked, bounce(anymail.BounceBlock, 554, "5.7.1")},
		},
		{
			`"type":"blocked"`,
			outcome{anymail.RejectBlocked, bounce(anymail.BounceBlock, 0, "")},
		},
		{
			`"type":"expired","bounce_classification":"Technical","reason":"unable to get mx info"`,
			outcome{anymail.RejectTimedOut, bounce(anymail.BounceSoft, 0, "")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.members, func(t *testing.T) {
			got := parseEvent(t, sendgrid.Config{}, `[{"event":"bounce","ip":"192.0.2.10",`+tt.members+`}]`)
			require.Equal(t, anymail.EventBounced, got.Type)
			require.Equal(t, tt.want, outcome{got.RejectReason, got.Bounce})
			require.False(t, got.IP.IsValid(), "the address is SendGrid's")
		})
	}
	got := parseEvent(t, sendgrid.Config{}, `{"event":"bounce","bounce_classification":"Content","reason":"554 spam"}`)
	require.Equal(t, "Content", got.Description)
	require.Equal(t, "554 spam", got.MTAResponse)
}

// https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event#dropped
func TestDropped(t *testing.T) {
	for members, want := range map[string]anymail.RejectReason{
		`"reason":"Bounced Address","status":"5.0.0"`:           anymail.RejectBounced,
		`"reason":"bounced address","type":"blocked"`:           anymail.RejectBounced,
		`"reason":"Unsubscribed Address"`:                       anymail.RejectUnsubscribed,
		`"reason":"Spam Reporting Address"`:                     anymail.RejectSpam,
		`"reason":"Spam Content (if Spam Checker app enabled)"`: anymail.RejectBlocked,
		`"reason":"Invalid"`:                                    anymail.RejectInvalid,
		`"reason":"Invalid SMTPAPI header"`:                     anymail.RejectOther,
		`"reason":"Recipient List over Package Quota"`:          anymail.RejectOther,
		`"reason":"a new one"`:                                  anymail.RejectOther,
		`"type":"bounce"`:                                       anymail.RejectBounced,
		`"type":"blocked"`:                                      anymail.RejectBlocked,
		`"type":"expired"`:                                      anymail.RejectTimedOut,
		`"sg_event_id":"e1"`:                                    anymail.RejectOther,
	} {
		got := parseEvent(t, sendgrid.Config{}, `{"event":"dropped",`+members+`}`)
		require.Equal(t, anymail.EventRejected, got.Type, members)
		require.Equal(t, want, got.RejectReason, members)
		require.Zero(t, got.Bounce, members)
	}
	require.Equal(t, "Bounced Address", parseEvent(t, sendgrid.Config{}, `{"event":"dropped","reason":"Bounced Address"}`).Description)
}

// The page says what the adapter does.
func TestPage(t *testing.T) {
	for words, members := range map[string]string{
		"processed": `"event":"processed"`, "deferred": `"event":"deferred"`, "delivered": `"event":"delivered"`,
		"open": `"event":"open"`, "click": `"event":"click"`, "spamreport": `"event":"spamreport"`, "unsubscribe": `"event":"unsubscribe"`,
		"group_unsubscribe": `"event":"group_unsubscribe"`, "group_resubscribe": `"event":"group_resubscribe"`,
		"account_status_change": `"event":"account_status_change"`, "anything else": `"event":"levitated"`,
		"bounce":                        `"event":"bounce"`,
		"type blocked":                  `"event":"bounce","type":"blocked"`,
		"Content, of type blocked":      `"event":"bounce","bounce_classification":"Content","type":"blocked"`,
		"type expired":                  `"event":"bounce","type":"expired"`,
		"classified Invalid Address":    `"event":"bounce","bounce_classification":"Invalid Address"`,
		"Mailbox Unavailable":           `"event":"bounce","bounce_classification":"Mailbox Unavailable"`,
		"Technical":                     `"event":"bounce","bounce_classification":"Technical"`,
		"Technical Failure":             `"event":"bounce","bounce_classification":"Technical Failure"`,
		"classified Reputation":         `"event":"bounce","bounce_classification":"Reputation"`,
		"Frequency or Volume Too High":  `"event":"bounce","bounce_classification":"Frequency or Volume Too High"`,
		"classified Content":            `"event":"bounce","bounce_classification":"Content"`,
		"dropped: Bounced Address":      `"event":"dropped","reason":"Bounced Address"`,
		"dropped: Unsubscribed Address": `"event":"dropped","reason":"Unsubscribed Address"`,
		"Spam Reporting Address":        `"event":"dropped","reason":"Spam Reporting Address"`,
		"Spam Content":                  `"event":"dropped","reason":"Spam Content"`,
		"dropped: Invalid":              `"event":"dropped","reason":"Invalid"`,
		"dropped, of type bounce":       `"event":"dropped","type":"bounce"`,
		"dropped, of type blocked":      `"event":"dropped","type":"blocked"`,
		"dropped, of type expired":      `"event":"dropped","type":"expired"`,
		"dropped for another reason":    `"event":"dropped","reason":"Invalid SMTPAPI header"`,
	} {
		espdoc.Row(t, sendgrid.ESP, words, parseEvent(t, sendgrid.Config{}, `{`+members+`}`))
	}
}

func TestMessageID(t *testing.T) {
	withID := sendgrid.Config{MessageIDFrom: "anymail_id"}
	tests := []struct {
		name    string
		config  sendgrid.Config
		members string
		want    string
	}{
		{"of the send API", sendgrid.Config{}, `"sg_message_id":"aBcD-1_x.recvd-6d5f-1-0.0","smtp-id":"<other@example.org>"`, "aBcD-1_x"},
		{"without servers", sendgrid.Config{}, `"sg_message_id":"aBcD-1_x"`, "aBcD-1_x"},
		{"bounce that came back", sendgrid.Config{}, `"smtp-id":"<aBcD-1_x@geopod-ismtpd-canary-0>"`, "aBcD-1_x"},
		{"as they were once", sendgrid.Config{}, `"smtp-id":"<14c5d75ce93.dfd.64b469@ismtpd-555>"`, "14c5d75ce93"},
		{"Message-ID of the sender's", sendgrid.Config{}, `"smtp-id":"<2026.0921@mail.example.org>"`, "2026.0921@mail.example.org"},
		{"a filter's name", sendgrid.Config{}, `"sg_message_id":"filter0042p1.1234.5717FB8127.0","smtp-id":"<aBcD-1_x@ismtpd0006p1sjc2.sendgrid.net>"`, "aBcD-1_x"},
		{"a filter's name and a Message-ID of the sender's", sendgrid.Config{}, `"sg_message_id":"filter0042p1las1.1234.5717FB8127.0","smtp-id":"<2026.0921@mail.example.org>"`, "2026.0921@mail.example.org"},
		{"another filter's name", sendgrid.Config{}, `"sg_message_id":"filterdrecv-p3las1-5b6f7bd8c-x2x8n-18-5F.0","smtp-id":"<aBcD-1_x@geopod-ismtpd-1-0>"`, "aBcD-1_x"},
		{"a filter's name alone", sendgrid.Config{}, `"sg_message_id":"filter0042p1.1234.5717FB8127.0"`, ""},
		{"an id that begins like a filter's name", sendgrid.Config{}, `"sg_message_id":"filterX_vQUidhSh7sCzkv.recvd-1.0","smtp-id":"<other@example.org>"`, "filterX_vQUidhSh7sCzkv"},
		{"none", sendgrid.Config{}, `"order":"42"`, ""},
		{"custom argument not asked for", sendgrid.Config{}, `"anymail_id":"u-1","sg_message_id":"a.b"`, "a"},
		{"custom argument", withID, `"anymail_id":"u-1","sg_message_id":"a.b"`, "u-1"},
		{"custom argument that is a number", withID, `"anymail_id":17,"sg_message_id":"a.b"`, "17"},
		{"custom argument that is missing", withID, `"sg_message_id":"a.b"`, "a"},
		{"custom argument that is empty", withID, `"anymail_id":"","sg_message_id":"a.b"`, "a"},
		{"custom argument that is no id", withID, `"anymail_id":["u"],"sg_message_id":"a.b"`, "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, parseEvent(t, tt.config, `[{"event":"delivered",`+tt.members+`}]`).MessageID)
		})
	}
}

// Events that can happen once have the same key when they are redelivered with
// another sg_event_id; opens and clicks are told apart by it.
func TestKey(t *testing.T) {
	s := anymailtest.NewServer(t, sendgridsim.New(), anymail.WithoutReplayCheck())
	keys := func(body string) []string {
		s.Take()
		r := s.Address(t, simulator.JSON("tracking", []byte(body)))
		require.NoError(t, s.Simulator.SignNow(&r, s.Credential))
		status, _ := s.Post(t, r)
		require.Equal(t, http.StatusOK, status)
		var keys []string
		for _, ev := range s.Take() {
			keys = append(keys, ev.Base().Key)
		}
		return keys
	}
	const members = `"email":"ada@example.com","timestamp":1790000000,"sg_message_id":"a.b"`
	for _, event := range []string{"processed", "deferred", "delivered", "bounce", "dropped", "spamreport", "unsubscribe", "group_unsubscribe", "group_resubscribe"} {
		require.Len(t, keys(`{"event":"`+event+`","sg_event_id":"first",`+members+`}`), 1, event)
		require.Empty(t, keys(`{"sg_event_id":"second","event":"`+event+`",`+members+`}`), "%s was run again", event)
	}
	for _, event := range []string{"open", "click"} {
		require.Len(t, keys(`{"event":"`+event+`","sg_event_id":"first",`+members+`}`), 1, event)
		require.Len(t, keys(`{"event":"`+event+`","sg_event_id":"second",`+members+`}`), 1, event)
		require.Empty(t, keys(`{"event":"`+event+`","sg_event_id":"second",`+members+`}`), "%s was run again", event)
	}
	var different []string
	for _, other := range []string{
		`"attempt":"1"`, `"attempt":"2"`, `"attempt":"2","response":"452 full"`, `"attempt":"2","email":"bob@example.com"`,
		`"attempt":"2","timestamp":1790000001`, `"attempt":"2","sg_message_id":"a.c"`, `"attempt":"2","asm_group_id":3`,
	} {
		different = append(different, `{"event":"deferred",`+members+`,`+other+`}`)
	}
	require.Len(t, keys(`[`+strings.Join(different, ",")+`]`), len(different))
	// Without the id of a message there is nothing else to tell them apart by.
	for _, id := range []string{`"sg_event_id":"first"`, `"sg_event_id":"second"`, `"order":1`, `"order":2`} {
		require.Len(t, keys(`{"event":"dropped","email":"ada@example.com","timestamp":1790000000,"reason":"Invalid",`+id+`}`), 1, id)
	}
}

// batch is a body of n events such as SendGrid posts.
func batch(n int) []byte {
	var b bytes.Buffer
	b.WriteByte('[')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"email":"user%d@example.com","timestamp":%d,"smtp-id":"<demo-%d@geopod-ismtpd-1>","event":"click","category":["welcome","eu"],`+
			`"sg_event_id":"event-%d","sg_message_id":"demo-%d.recvd-aa-1-0.0","url":"https://www.example.com/offer?a=%d","url_offset":{"index":0,"type":"html"},`+
			`"useragent":"Mozilla/5.0 (demo)","ip":"192.0.2.77","order":"o-%d","vip":true}`+"\r\n", i, 1790000000+i, i, i, i, i, i)
	}
	b.WriteString("]\r\n")
	return b.Bytes()
}

func TestLargeBatch(t *testing.T) {
	const n = 10_000
	body := bytes.Replace(batch(n), []byte(`"email":"user5000@example.com"`), []byte(`"email":{"not":"an address"}`), 1)
	sim := sendgridsim.New()
	s := anymailtest.NewServer(t, sim)
	r := s.Address(t, simulator.JSON("tracking", body))
	require.NoError(t, sim.SignNow(&r, s.Credential))
	status, _ := s.Post(t, r)
	require.Equal(t, http.StatusOK, status)
	events := s.Take()
	require.Len(t, events, n)
	keys := map[string]bool{}
	for i, ev := range events {
		got := ev.(*anymail.TrackingEvent)
		keys[got.Key] = true
		if i == 5000 {
			require.Equal(t, anymail.EventUnknown, got.Type)
			require.Contains(t, string(got.Raw), "not")
			continue
		}
		require.Equal(t, anymail.EventClicked, got.Type)
		require.Equal(t, fmt.Sprintf("user%d@example.com", i), got.Recipient)
		require.Equal(t, anymail.Metadata{"order": fmt.Sprintf("o-%d", i), "vip": true}, got.Metadata)
	}
	require.Len(t, keys, n)
}

func BenchmarkBatch1000(b *testing.B) {
	adapter, err := sendgrid.New(sendgrid.Config{})
	if err != nil {
		b.Fatal(err)
	}
	body := batch(1000)
	parser := adapter.Endpoints()[0].Parser
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		events, err := parser.ParseEvents(context.Background(), &anymail.Payload{Body: body})
		if err != nil || len(events) != 1000 {
			b.Fatal(len(events), err)
		}
	}
}

func field(name, value string) simulator.Field { return simulator.Field{Name: name, Value: value} }

const receivedHeaders = "Received: by mx.example.net; Mon, 21 Sep 2026 14:13:00 +0000\nReceived: from a.example.org\nFrom: Grace <grace@example.org>\n" +
	"To: Help <help@parse.example.com>\nCc: carl@example.org\nSubject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\nMessage-ID: <in1@example.org>\nDate: Mon, 21 Sep 2026 16:13:00 +0200\n" +
	"Content-Type: multipart/mixed; boundary=x\n"

func TestInboundParsed(t *testing.T) {
	r := simulator.Multipart("inbound",
		field("headers", receivedHeaders), field("dkim", "{@example.org : pass}"), field("to", "x"), field("from", "x"), field("subject", "x"),
		field("text", "Gr\xfc\xdfe"), field("html", `<p>Ж <img src="cid:img1"></p>`),
		field("envelope", `{"to":["help@parse.example.com","other@parse.example.com"],"from":"bounce@example.org"}`), field("sender_ip", "192.0.2.25"),
		field("charsets", `{"to":"UTF-8","from":"UTF-8","subject":"UTF-8","html":"UTF-8","text":"iso-8859-1"}`),
		field("SPF", "SoftFail"), field("spam_score", "0.4"), field("spam_report", "Content analysis details: (0.4 points, 5.0 required)"),
		field("attachments", "4"),
		field("attachment-info", `{"attachment1":{"filename":"note.txt","name":"note.txt","type":"text/plain"},"attachment2":{"filename":"pic.png","name":"pic.png","type":"image/png","content-id":"img1"},
			"attachment3":{"filename":"Grüße.pdf","type":"application/pdf"}}`),
		field("content-ids", `{"img1":"attachment2","img10":"attachment10"}`),
		simulator.Field{Name: "attachment10", Filename: "ten.gif", ContentType: "image/gif", Value: "GIF"},
		simulator.Field{Name: "attachment1", Filename: "../note.txt", ContentType: "text/plain", Value: "note\xff"},
		simulator.Field{Name: "attachment2", Filename: "pic.png", ContentType: "image/png", Value: "\x89PNG\r\n\x1a\n"},
		field("attachment3", "%PDF"),
	)
	score := 0.4
	want := &anymail.InboundEvent{
		Common: anymail.Common{ESP: sendgrid.ESP, Type: anymail.EventInbound},
		Message: anymail.InboundMessage{
			EnvelopeSender: "bounce@example.org", EnvelopeRecipient: "help@parse.example.com",
			EnvelopeRecipients: []string{"help@parse.example.com", "other@parse.example.com"},
			From:               []anymail.Address{{Name: "Grace", Address: "grace@example.org"}}, To: []anymail.Address{{Name: "Help", Address: "help@parse.example.com"}},
			CC: []anymail.Address{{Address: "carl@example.org"}}, Subject: "Grüße", Date: at.Add(-20 * time.Second), MessageID: "in1@example.org",
			Headers: anymail.Headers{
				{Name: "Received", Value: "by mx.example.net; Mon, 21 Sep 2026 14:13:00 +0000"}, {Name: "Received", Value: "from a.example.org"},
				{Name: "From", Value: "Grace <grace@example.org>"}, {Name: "To", Value: "Help <help@parse.example.com>"}, {Name: "Cc", Value: "carl@example.org"},
				{Name: "Subject", Value: "Grüße"}, {Name: "Message-ID", Value: "<in1@example.org>"}, {Name: "Date", Value: "Mon, 21 Sep 2026 16:13:00 +0200"},
				{Name: "Content-Type", Value: "multipart/mixed; boundary=x"},
			},
			Text: "Grüße", HTML: `<p>Ж <img src="cid:img1"></p>`, SpamScore: &score,
			Authentication: anymail.Authentication{SPF: "softfail", DKIM: "pass"},
			Attachments: []anymail.Attachment{
				{Filename: "note.txt", ContentType: "text/plain", Disposition: "attachment", Size: 5, Content: []byte("note\xff")},
				{Filename: "pic.png", ContentType: "image/png", Disposition: "inline", ContentID: "img1", Size: 8, Content: []byte("\x89PNG\r\n\x1a\n")},
				{Filename: "Grüße.pdf", ContentType: "application/pdf", Disposition: "attachment", Size: 4, Content: []byte("%PDF")},
				{Filename: "ten.gif", ContentType: "image/gif", Disposition: "inline", ContentID: "img10", Size: 3, Content: []byte("GIF")},
			},
		},
	}
	events := parse(t, sendgrid.Config{}, r)
	require.Len(t, events, 1)
	anymailtest.Equal(t, want, events[0])
	require.Equal(t, r.Body, []byte(events[0].Base().Raw))
}

// An attachment whose part has a malformed header is not lost.
func TestInboundMalformedPart(t *testing.T) {
	for header, filename := range map[string]string{
		`name="attachment1"; filename="a "b" c.pdf"`:     "info.pdf",
		`name="attachment1"; filename=my report.pdf`:     "info.pdf",
		`name="attachment1"; filename="a.pdf`:            "info.pdf",
		`name="attachment1"; filename=""`:                "info.pdf",
		`name="attachment2"; filename="a "b" c.pdf"`:     "a _b_ c.pdf",
		`name="attachment2"; filename=a.pdf; filename=b`: "a.pdf",
		`nam="attachment2"; filename="a.pdf"`:            "a.pdf",
	} {
		r := simulator.Request{Endpoint: "inbound", Header: http.Header{"Content-Type": {"multipart/form-data; boundary=xYzZY"}}}
		for name, value := range map[string]string{
			"headers": "From: Ada <ada@example.com>\nSubject: Hi\n", "text": "hello",
			"attachment-info": `{"attachment1":{"filename":"info.pdf","name":"info.pdf","type":"application/pdf"}}`,
		} {
			r.Body = append(r.Body, "--xYzZY\r\nContent-Disposition: form-data; name=\""+name+"\"\r\n\r\n"+value+"\r\n"...)
		}
		r.Body = append(r.Body, "--xYzZY\r\nContent-Disposition: form-data; "+header+"\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n--xYzZY--\r\n"...)
		m := parse(t, sendgrid.Config{}, r)[0].(*anymail.InboundEvent).Message
		require.Equal(t, "hello", m.Text)
		require.Equal(t, []anymail.Attachment{{Filename: filename, ContentType: "application/pdf", Disposition: "attachment", Size: 4, Content: []byte("%PDF")}}, m.Attachments, header)
	}
}

// Without headers there are the fields, each in a charset of its own.
func TestInboundCharsets(t *testing.T) {
	r := simulator.Multipart("inbound",
		field("from", "J\xfcrgen <juergen@example.org>"), field("to", "\xf0\xd2\xc9\xd7\xc5\xd4 <help@parse.example.com>"), field("subject", "\x82\xb1\x82\xf1\x82\xc9\x82\xbf\x82\xcd"),
		field("text", "caf\xe9 \x80"), field("html", "Grüße"), field("envelope", `{"to":["help@parse.example.com"],"from":""}`),
		field("charsets", `{"from":"iso-8859-1","to":"koi8-r","subject":"shift_jis","text":"windows-1252","html":"no-such-charset"}`),
	)
	want := &anymail.InboundEvent{
		Common: anymail.Common{ESP: sendgrid.ESP, Type: anymail.EventInbound},
		Message: anymail.InboundMessage{
			EnvelopeRecipient: "help@parse.example.com", EnvelopeRecipients: []string{"help@parse.example.com"}, From: []anymail.Address{{Name: "Jürgen", Address: "juergen@example.org"}},
			To: []anymail.Address{{Name: "Привет", Address: "help@parse.example.com"}}, Subject: "こんにちは", Text: "café €", HTML: "Grüße",
		},
	}
	events := parse(t, sendgrid.Config{}, r)
	require.Len(t, events, 1)
	anymailtest.Equal(t, want, events[0])
}

func TestInboundRaw(t *testing.T) {
	const message = "From: Grace <grace@example.org>\r\nTo: help@parse.example.com\r\nSubject: Hi\r\nMessage-ID: <in2@example.org>\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe\r\n"
	r := simulator.Multipart("inbound",
		field("email", message), field("to", "x"), field("from", "x"), field("subject", "x"), field("sender_ip", "192.0.2.25"),
		field("envelope", `{"to":["help@parse.example.com"],"from":"bounce@example.org"}`), field("charsets", `{"to":"UTF-8","from":"UTF-8","subject":"UTF-8"}`),
		field("dkim", "none"), field("SPF", "softfail"),
	)
	want := &anymail.InboundEvent{
		Common: anymail.Common{ESP: sendgrid.ESP, Type: anymail.EventInbound},
		Message: anymail.InboundMessage{
			EnvelopeSender: "bounce@example.org", EnvelopeRecipient: "help@parse.example.com", EnvelopeRecipients: []string{"help@parse.example.com"},
			From: []anymail.Address{{Name: "Grace", Address: "grace@example.org"}}, To: []anymail.Address{{Address: "help@parse.example.com"}},
			Subject: "Hi", MessageID: "in2@example.org", Text: "Grüße\r\n",
			Headers: anymail.Headers{
				{Name: "From", Value: "Grace <grace@example.org>"}, {Name: "To", Value: "help@parse.example.com"}, {Name: "Subject", Value: "Hi"},
				{Name: "Message-ID", Value: "<in2@example.org>"}, {Name: "Content-Type", Value: "text/plain; charset=iso-8859-1"},
			},
			Authentication: anymail.Authentication{SPF: "softfail", DKIM: "none"},
			RawMIME:        anymail.Raw(message),
		},
	}
	events := parse(t, sendgrid.Config{}, r)
	require.Len(t, events, 1)
	anymailtest.Equal(t, want, events[0])
}

// One message to several addresses names them all.
func TestInboundEnvelopeRecipients(t *testing.T) {
	for envelope, want := range map[string][]string{
		`{"to":["b@in.example.com","c@in.example.com"],"from":"a@example.org"}`:  {"b@in.example.com", "c@in.example.com"},
		`{"to":["b@in.example.com",7,"","c@in.example.com","b@in.example.com"]}`: {"b@in.example.com", "c@in.example.com"},
		`{"to":"b@in.example.com"}`: {"b@in.example.com"},
		`{"to":[]}`:                 nil,
	} {
		events := parse(t, sendgrid.Config{}, simulator.Multipart("inbound", field("headers", "Subject: Hi\n"), field("envelope", envelope)))
		got := events[0].(*anymail.InboundEvent).Message
		require.Equal(t, want, got.EnvelopeRecipients, envelope)
		if want != nil {
			require.Equal(t, want[0], got.EnvelopeRecipient)
		}
	}
}

// No member of the envelope costs another.
func TestInboundEnvelope(t *testing.T) {
	for envelope, want := range map[string]anymail.InboundMessage{
		`{"to":["help@parse.example.com"],"from":"bounce@example.org"}`:           {EnvelopeSender: "bounce@example.org", EnvelopeRecipient: "help@parse.example.com"},
		`{"to":"help@parse.example.com","from":null}`:                             {EnvelopeRecipient: "help@parse.example.com"},
		`{"from":["bounce@example.org"],"to":["help@parse.example.com"]}`:         {EnvelopeSender: "bounce@example.org", EnvelopeRecipient: "help@parse.example.com"},
		`{"from":{"email":"bounce@example.org"},"to":["help@parse.example.com"]}`: {EnvelopeRecipient: "help@parse.example.com"},
		`{"from":7,"to":[null,{"a":1},"help@parse.example.com"],"size":{}}`:       {EnvelopeRecipient: "help@parse.example.com"},
		`{"to":7,"from":"bounce@example.org"}`:                                    {EnvelopeSender: "bounce@example.org"},
		`["help@parse.example.com"]`:                                              {},
		`gone`:                                                                    {},
	} {
		events := parse(t, sendgrid.Config{}, simulator.Multipart("inbound", field("headers", "Subject: Hi\n"), field("envelope", envelope)))
		require.Len(t, events, 1)
		got := events[0].(*anymail.InboundEvent).Message
		require.Equal(t, want.EnvelopeSender, got.EnvelopeSender, envelope)
		require.Equal(t, want.EnvelopeRecipient, got.EnvelopeRecipient, envelope)
	}
}

// An authentic request with a message that cannot be read is an event.
func TestInboundFailed(t *testing.T) {
	keys := map[string]bool{}
	for name, fields := range map[string][]simulator.Field{
		"no message": {field("envelope", `{"to":["help@parse.example.com"],"from":"a@example.org"}`), field("SPF", "pass")},
		"empty":      {field("email", ""), field("envelope", `{"to":["help@parse.example.com"],"from":"a@example.org"}`)},
	} {
		r := simulator.Multipart("inbound", fields...)
		events := parse(t, sendgrid.Config{}, r)
		require.Len(t, events, 1)
		got := events[0].(*anymail.InboundEvent)
		require.False(t, keys[got.Key], "another one has this key")
		keys[got.Key] = true
		require.Equal(t, anymail.EventInboundFailed, got.Type, name)
		require.Equal(t, "help@parse.example.com", got.Message.EnvelopeRecipient, name)
		require.Equal(t, r.Body, []byte(got.Raw), name)
	}
}

// An unrecognized payload becomes an unknown event, or is refused.
func TestUnrecognized(t *testing.T) {
	adapter := esptest.New(t, sendgrid.New, sendgrid.Config{})
	for body, want := range map[string]int{
		`{}`: 1, `{"hello":"world"}`: 1, `{"events":[{"event":"open"}]}`: 1, `[{}]`: 1, `[null,7]`: 2, `[]`: 0, `null`: 0, `"open"`: 0, ``: 0,
	} {
		events, err := simulator.Parse(adapter, simulator.JSON("tracking", []byte(body)))
		require.Len(t, events, want, body)
		if want == 0 {
			require.ErrorIs(t, err, anymail.ErrMalformed, body)
		}
		for _, ev := range events {
			require.Equal(t, anymail.EventUnknown, ev.Base().Type, body)
			require.Contains(t, body, string(ev.Base().Raw))
		}
	}
	for _, fields := range [][]simulator.Field{nil, {field("hello", "world")}, {field("from", "a@example.org"), field("text", "Hi")}} {
		_, err := simulator.Parse(adapter, simulator.Multipart("inbound", fields...))
		require.ErrorIs(t, err, anymail.ErrMalformed)
	}
}

func TestInboundDKIM(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "",
		"none":                  "none",
		"{@example.org : pass}": "pass",
		"{@example.org : fail, @example.com : pass}":    "pass",
		"{@example.org : fail, @example.com : neutral}": "fail",
		"{@example.org : PASS}, {@example.com : fail}":  "pass",
	} {
		events := parse(t, sendgrid.Config{}, simulator.Multipart("inbound", field("headers", "Subject: Hi\n"), field("dkim", text)))
		require.Equal(t, want, events[0].(*anymail.InboundEvent).Message.Authentication.DKIM, text)
	}
}

// The event webhook's URL and that of Inbound Parse, the wrong way round.
func TestWrongEndpoint(t *testing.T) {
	sim := sendgridsim.New()
	for name, tt := range map[string]struct {
		endpoint string
		want     int
	}{
		"inbound-raw": {"tracking", http.StatusUnsupportedMediaType},
		"delivered":   {"inbound", http.StatusServiceUnavailable},
	} {
		s := anymailtest.NewServer(t, sim)
		sample, _ := sim.Sample(name)
		r := sample.Make(simulator.NewParams())
		r.Endpoint = tt.endpoint
		r = s.Address(t, r)
		require.NoError(t, sim.SignNow(&r, s.Credential))
		status, _ := s.Post(t, r)
		require.Equal(t, tt.want, status, name)
		require.Empty(t, s.Take(), name)
		require.NotNil(t, s.Rejections.All()[0].Payload, name)
	}
	adapter, err := sendgrid.New(sendgrid.Config{})
	require.NoError(t, err)
	_, err = simulator.Parse(adapter, simulator.Multipart("inbound", field("event", "delivered")))
	require.ErrorIs(t, err, anymail.ErrMalformed)
}

// FuzzVerifier: nothing but the signed body verifies.
func FuzzVerifier(f *testing.F) {
	credential := sendgridsim.New().NewCredential()
	key := credential.Private.(*ecdsa.PrivateKey)
	require.NotNil(f, key)
	adapter, err := sendgrid.New(sendgrid.Config{TrackingSigningKeys: anymail.Keys(credential.Config)})
	require.NoError(f, err)
	verifier := adapter.Endpoints()[0].Verifier
	f.Add(timestamp, signature, []byte(signedBody))
	f.Add("", "", []byte(nil))
	f.Add("1790000000.5", "MAYCAQECAQE=", []byte("[]"))
	f.Fuzz(func(t *testing.T, timestamp, signature string, body []byte) {
		_, err := verifier.Verify(context.Background(), &anymail.Payload{Header: signed(timestamp, signature), Body: body})
		require.ErrorIs(t, err, anymail.ErrUnauthenticated)
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, sendgridsim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, sendgridsim.New(), "inbound") }

func Example() {
	adapter, err := sendgrid.New(sendgrid.Config{
		// The Verification Key that SendGrid shows in the webhook's settings.
		TrackingSigningKeys: anymail.Keys("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEh1PyWco9tHTu94ftMJNTNyMCUTn1mL+kXgF3ijd72Lzq+RRbLf2jRrYkbTCe48fgsCAP3SrGrLf3ejcATatGxw=="),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// Inbound Parse is not signed here, so a shared secret has to protect it.
	d, err := anymail.New(anymail.WithSharedSecret("sendgrid:correct-horse-battery-staple"))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Register("sendgrid", adapter); err != nil {
		fmt.Println(err)
		return
	}
	err = d.Inbound.Connect("tickets", func(_ context.Context, ev *anymail.InboundEvent) error {
		fmt.Println(ev.Message.From, ev.Message.Subject)
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/anymail/", http.StripPrefix("/anymail", d))
	fmt.Println("POST /anymail/sendgrid/tracking/ and /anymail/sendgrid/inbound/")
	// Output: POST /anymail/sendgrid/tracking/ and /anymail/sendgrid/inbound/
}
