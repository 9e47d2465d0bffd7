package mailgun_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/mailgun"
	"github.com/goanymail/anymail/esp/mailgun/mailgunsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, mailgunsim.New()) }

// Made with: printf '%s%s' "$TIMESTAMP" "$TOKEN" | openssl dgst -sha256 -hmac "$KEY"
const (
	signingKey      = "0123456789abcdef0123456789abcdef"
	parentKey       = "parent-signing-key-demo"
	timestamp       = "1790000000"
	token           = "a1b2c3d4e5f60718293a4b5c6d7e8f901a2b3c4d5e6f708192"
	ownSignature    = "9913078461f4735a1f47083c9705935d703832b1ab4c410df492e416815b1667"
	parentSignature = "78eff933f48ee3027ae287a808c8098d7322ca275dc90bcd47c8541687061593"
)

var signedAt = time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)

// verifyRequest asks the verifier of an endpoint about a request.
func verifyRequest(t *testing.T, r simulator.Request, keys ...string) (anymail.Proof, error) {
	t.Helper()
	adapter := esptest.New(t, mailgun.New, mailgun.Config{SigningKeys: anymail.Keys(keys...)})
	for _, ep := range adapter.Endpoints() {
		if ep.Path == r.Endpoint {
			return ep.Verifier.Verify(context.Background(), &anymail.Payload{Header: r.Header, Body: r.Body})
		}
	}
	t.Fatalf("no endpoint %q", r.Endpoint)
	return anymail.Proof{}, nil
}

func signatureJSON(members string) simulator.Request {
	return simulator.JSON("tracking", []byte(`{"signature":{`+members+`},"event-data":{"event":"opened"}}`))
}

func TestSignature(t *testing.T) {
	const stamp = `"timestamp":"` + timestamp + `","token":"` + token + `"`
	form := func(fields string) simulator.Request {
		r := simulator.URLEncoded("inbound", nil)
		r.Body = []byte(fields)
		return r
	}
	tests := []struct {
		name    string
		request simulator.Request
		keys    []string
		key     int // that matched; -1 for none
	}{
		{"own", signatureJSON(stamp + `,"signature":"` + ownSignature + `"`), []string{signingKey}, 0},
		{"timestamp as a number", signatureJSON(`"timestamp":` + timestamp + `,"token":"` + token + `","signature":"` + ownSignature + `"`), []string{signingKey}, 0},
		{"second key of a rotation", signatureJSON(stamp + `,"signature":"` + ownSignature + `"`), []string{"another", signingKey}, 1},
		{"of the primary account", signatureJSON(stamp + `,"signature":"` + strings.Repeat("0", 64) + `","parent-signature":"` + parentSignature + `"`), []string{signingKey, parentKey}, 1},
		{"of the subaccount", signatureJSON(stamp + `,"signature":"` + ownSignature + `","parent-signature":"` + parentSignature + `"`), []string{signingKey}, 0},
		{"upper case", signatureJSON(stamp + `,"signature":"` + strings.ToUpper(ownSignature) + `"`), []string{signingKey}, 0},
		{"unreadable beside a good one", signatureJSON(stamp + `,"signature":"xyz","parent-signature":"` + parentSignature + `"`), []string{parentKey}, 0},
		{"form", form("timestamp=" + timestamp + "&token=" + token + "&signature=" + ownSignature), []string{signingKey}, 0},
		{"form with variables of the same names before", form("timestamp=noon&token=t&signature=s&timestamp=" + timestamp + "&token=" + token + "&signature=" + ownSignature), []string{signingKey}, 0},
		{"form of a subaccount", form("timestamp=" + timestamp + "&token=" + token + "&signature=00&parent-signature=" + parentSignature), []string{parentKey}, 0},

		{"wrong key", signatureJSON(stamp + `,"signature":"` + ownSignature + `"`), []string{"another"}, -1},
		{"no key", signatureJSON(stamp + `,"signature":"` + ownSignature + `"`), nil, -1},
		{"other time", signatureJSON(`"timestamp":"1790000001","token":"` + token + `","signature":"` + ownSignature + `"`), []string{signingKey}, -1},
		{"other token", signatureJSON(`"timestamp":"` + timestamp + `","token":"b` + token[1:] + `","signature":"` + ownSignature + `"`), []string{signingKey}, -1},
		{"time that is none", signatureJSON(`"timestamp":"+` + timestamp + `","token":"` + token + `","signature":"` + ownSignature + `"`), []string{signingKey}, -1},
		{"short signature", signatureJSON(stamp + `,"signature":"` + ownSignature[:62] + `"`), []string{signingKey}, -1},
		{"no signature", signatureJSON(stamp), []string{signingKey}, -1},
		{"no token", signatureJSON(`"timestamp":"` + timestamp + `","signature":"` + ownSignature + `"`), []string{signingKey}, -1},
		{"nothing", simulator.JSON("tracking", nil), []string{signingKey}, -1},
		{"not a form", form("%zz"), []string{signingKey}, -1},
		{"form with the signature before a variable", form("timestamp=" + timestamp + "&token=" + token + "&signature=" + ownSignature + "&signature=00"), []string{signingKey}, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			proof, err := verifyRequest(t, tt.request, tt.keys...)
			if tt.key < 0 {
				require.ErrorIs(t, err, anymail.ErrUnauthenticated)
				require.NotContains(t, err.Error(), token)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.key, proof.Key)
			require.Equal(t, signedAt, proof.SignedAt)
			require.NotEmpty(t, proof.Fingerprint)
		})
	}
}

// Of the two signatures of a subaccount's event one can be left out: that must
// not make the request look like another one.
func TestTokenCountsOnceWhateverSignature(t *testing.T) {
	const stamp = `"timestamp":"` + timestamp + `","token":"` + token + `"`
	first, err := verifyRequest(t, signatureJSON(stamp+`,"signature":"`+ownSignature+`"`), signingKey, parentKey)
	require.NoError(t, err)
	second, err := verifyRequest(t, signatureJSON(stamp+`,"parent-signature":"`+parentSignature+`"`), signingKey, parentKey)
	require.NoError(t, err)
	require.Equal(t, first.Fingerprint, second.Fingerprint)
}

// The body is not signed, so a client that has seen a signature could put it over
// another body.
func TestTokenIsTakenOnceForAnyBody(t *testing.T) {
	s := anymailtest.NewServer(t, mailgunsim.New())
	sample, _ := s.Simulator.Sample("delivered")
	first := s.Prepare(t, sample, simulator.NewParams())
	var signed, forged struct {
		Signature json.RawMessage `json:"signature"`
		Event     json.RawMessage `json:"event-data"`
	}
	require.NoError(t, json.Unmarshal(first.Body, &signed))
	second := s.Prepare(t, sample, simulator.NewParams())
	require.NoError(t, json.Unmarshal(second.Body, &forged))
	forged.Signature = signed.Signature
	var err error
	second.Body, err = json.Marshal(forged)
	require.NoError(t, err)

	status, _ := s.Post(t, first)
	require.Equal(t, http.StatusOK, status)
	require.Len(t, s.Take(), 1)
	status, _ = s.Post(t, second)
	require.Equal(t, http.StatusBadRequest, status)
	require.Empty(t, s.Take())
	require.ErrorIs(t, s.Rejections.All()[0].Err, anymail.ErrReplayed)
}

// Retries go on for 8 hours, perhaps with the first signature.
func TestWindow(t *testing.T) {
	sim := mailgunsim.New()
	s := anymailtest.NewServer(t, sim)
	for _, sample := range sim.Samples {
		for age, want := range map[time.Duration]int{8 * time.Hour: http.StatusOK, 10 * time.Hour: http.StatusBadRequest} {
			r := s.Address(t, sample.Make(simulator.NewParams()))
			require.NoError(t, sim.Sign(&r, s.Credential, time.Now().Add(-age)))
			status, _ := s.Post(t, r)
			require.Equal(t, want, status, "%s signed %v ago", sample.Name, age)
		}
	}
}

// 406 is what makes Mailgun never try again.
func TestNever406(t *testing.T) {
	s := anymailtest.NewServer(t, mailgunsim.New(), anymail.WithRejectStatus(http.StatusNotAcceptable))
	for _, sample := range s.Simulator.Samples {
		status, _ := s.Post(t, s.Address(t, sample.Make(simulator.NewParams())))
		require.Equal(t, http.StatusBadRequest, status, sample.Name)
	}
}

func TestNew(t *testing.T) {
	_, err := mailgun.New(mailgun.Config{SigningKeys: anymail.Keys("")})
	require.ErrorIs(t, err, anymail.ErrConfig)
}

// parse gives a request to the parser of an adapter without keys.
func parse(t testing.TB, r simulator.Request) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, mailgun.New, mailgun.Config{}), r)
}

func parseData(t testing.TB, data string) *anymail.TrackingEvent {
	t.Helper()
	events := parse(t, simulator.JSON("tracking", []byte(`{"signature":{},"event-data":`+data+`}`)))
	require.Len(t, events, 1)
	return events[0].(*anymail.TrackingEvent)
}

func parseForm(t testing.TB, endpoint, fields string) anymail.Event {
	t.Helper()
	r := simulator.URLEncoded(endpoint, nil)
	r.Body = []byte(fields)
	events := parse(t, r)
	require.Len(t, events, 1)
	return events[0]
}

func TestTracking(t *testing.T) {
	common := func(typ anymail.EventType, id string, at time.Time) anymail.Common {
		return anymail.Common{ESP: mailgun.ESP, Type: typ, ID: id, Timestamp: at}
	}
	at := time.Date(2026, 9, 21, 14, 13, 19, 123456000, time.UTC)
	tests := []struct {
		name string
		data string
		want anymail.TrackingEvent
	}{
		{
			name: "delivered",
			data: `{"event":"delivered","id":"id-1","timestamp":1789999999.123456,"recipient":"ada@example.com","tags":["welcome","eu"],
				"delivery-status":{"code":250,"description":"","enhanced-code":"2.0.0","message":"OK","mx-host":"mx.example.com"},
				"message":{"headers":{"to":"Ada <ada@example.com>","message-id":"20260921.1@mg.example.com"}},
				"storage":{"url":["https://storage.example.net/1"]},"user-variables":{"order":"42","vip":true,"n":9007199254740993,"list":[1,"x"]}}`,
			want: anymail.TrackingEvent{
				Common: common(anymail.EventDelivered, "id-1", at), MessageID: "<20260921.1@mg.example.com>", Recipient: "ada@example.com",
				Tags: []string{"welcome", "eu"}, MTAResponse: "OK",
				Metadata: anymail.Metadata{"order": "42", "vip": true, "n": json.Number("9007199254740993"), "list": []any{json.Number("1"), "x"}},
			},
		},
		{
			name: "accepted, with an empty array of variables and a time without fraction as text",
			data: `{"event":"accepted","id":"id-2","timestamp":"1790000000","recipient":"ada@example.com","tags":null,"user-variables":[],
				"storage":{"url":"https://storage.example.net/1"},"message":{"headers":{"message-id":"<m2@mg.example.com>"}}}`,
			want: anymail.TrackingEvent{Common: common(anymail.EventQueued, "id-2", signedAt), MessageID: "<m2@mg.example.com>", Recipient: "ada@example.com"},
		},
		{
			name: "rejected, which has no recipient of its own",
			data: `{"event":"rejected","id":"id-3","timestamp":1790000000,"reject":{"reason":"Sandbox domain","description":"Recipient not authorized"},
				"message":{"headers":{"to":"Ada <ada@example.com>","message-id":"m3"}}}`,
			want: anymail.TrackingEvent{
				Common: common(anymail.EventRejected, "id-3", signedAt), MessageID: "<m3>", Recipient: "ada@example.com",
				RejectReason: anymail.RejectOther, Description: "Recipient not authorized",
			},
		},
		{
			name: "rejected, to several: nobody knows which",
			data: `{"event":"rejected","id":"id-4","timestamp":1790000000,"reject":{"reason":"Domain disabled","description":""},"message":{"headers":{"to":"ada@example.com, bob@example.com"}}}`,
			want: anymail.TrackingEvent{Common: common(anymail.EventRejected, "id-4", signedAt), RejectReason: anymail.RejectOther, Description: "Domain disabled"},
		},
		{
			name: "opened",
			data: `{"event":"opened","id":"id-5","timestamp":1790000000,"recipient":"ada@example.com","ip":"192.0.2.77","geolocation":{"country":"DE","region":"BE","city":"Unknown"},
				"client-info":{"client-type":"browser","user-agent":"Mozilla/5.0 (demo)","bot":""},"message":{"headers":{"message-id":"m5"}}}`,
			want: anymail.TrackingEvent{
				Common: common(anymail.EventOpened, "id-5", signedAt), MessageID: "<m5>", Recipient: "ada@example.com", UserAgent: "Mozilla/5.0 (demo)",
				IP: netip.MustParseAddr("192.0.2.77"), Geo: anymail.Geo{Country: "DE", Region: "BE"},
			},
		},
		{
			name: "clicked by a bot with a name",
			data: `{"event":"clicked","id":"id-6","timestamp":1790000000,"recipient":"ada@example.com","url":"https://www.example.com/offer?a=1&b=2",
				"client-info":{"client-type":"browser","user-agent":"scan","bot":"generic","ip":"192.0.2.78"}}`,
			want: anymail.TrackingEvent{
				Common: common(anymail.EventClicked, "id-6", signedAt), Recipient: "ada@example.com", ClickURL: "https://www.example.com/offer?a=1&b=2",
				UserAgent: "scan", IP: netip.MustParseAddr("192.0.2.78"), Automated: anymail.Yes,
			},
		},
		{
			name: "opened by a robot without a name",
			data: `{"event":"opened","id":"id-7","timestamp":1790000000,"client-info":{"client-type":"robot"}}`,
			want: anymail.TrackingEvent{Common: common(anymail.EventOpened, "id-7", signedAt), Automated: anymail.Yes},
		},
		{
			name: "unknown event",
			data: `{"event":"list_member_uploaded","id":"id-8","timestamp":1790000000,"recipient":"ada@example.com"}`,
			want: anymail.TrackingEvent{Common: common(anymail.EventUnknown, "id-8", signedAt), Recipient: "ada@example.com"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := parseData(t, tt.data)
			anymailtest.Equal(t, &tt.want, got)
			require.JSONEq(t, tt.data, string(got.Raw))
		})
	}
}

func TestFailures(t *testing.T) {
	type outcome struct {
		Type        anymail.EventType
		Reason      anymail.RejectReason
		Bounce      anymail.Bounce
		Description string
		Response    string
	}
	bounce := func(category anymail.BounceCategory, code int, enhanced string) anymail.Bounce {
		return anymail.Bounce{Category: category, SMTPCode: code, EnhancedCode: enhanced}
	}
	tests := []struct {
		name string
		data string
		want outcome
	}{
		{
			"no such mailbox", `"severity":"permanent","reason":"bounce","delivery-status":{"code":550,"enhanced-code":"5.1.1","bounce-type":"hard","message":"5.1.1 The account does not exist","description":""}`,
			outcome{anymail.EventBounced, anymail.RejectInvalid, bounce(anymail.BounceHard, 550, "5.1.1"), "bounce", "5.1.1 The account does not exist"},
		},
		{
			"code as text, enhanced code in the answer alone", `"severity":"permanent","reason":"bounce","delivery-status":{"code":"550","message":"550 5.1.10 null MX"}`,
			outcome{anymail.EventBounced, anymail.RejectInvalid, bounce(anymail.BounceHard, 550, "5.1.10"), "bounce", "550 5.1.10 null MX"},
		},
		{
			"answer in the description alone", `"severity":"permanent","reason":"generic","delivery-status":{"code":550,"message":"","description":"550 5.1.1 gone"}`,
			outcome{anymail.EventBounced, anymail.RejectInvalid, bounce(anymail.BounceHard, 550, "5.1.1"), "550 5.1.1 gone", "550 5.1.1 gone"},
		},
		{
			"answer in the description, quoted", `"severity":"permanent","reason":"generic","delivery-status":{"description":"host mx.example.net[192.0.2.1] said: 550 5.7.1 No such user!"}`,
			outcome{anymail.EventBounced, anymail.RejectInvalid, bounce(anymail.BounceHard, 550, "5.7.1"), "host mx.example.net[192.0.2.1] said: 550 5.7.1 No such user!", "host mx.example.net[192.0.2.1] said: 550 5.7.1 No such user!"},
		},
		{
			"words in the description alone", `"severity":"permanent","reason":"generic","delivery-status":{"code":550,"message":"","description":"No such user"}`,
			outcome{anymail.EventBounced, anymail.RejectInvalid, bounce(anymail.BounceHard, 550, ""), "No such user", ""},
		},
		{
			"mailbox full", `"severity":"permanent","reason":"bounce","delivery-status":{"code":552,"enhanced-code":"5.2.2","bounce-type":"soft","message":"full"}`,
			outcome{anymail.EventBounced, anymail.RejectBounced, bounce(anymail.BounceSoft, 552, "5.2.2"), "bounce", "full"},
		},
		{
			"bounce that came back later", `"severity":"permanent","reason":"generic","flags":{"is-delayed-bounce":true},"delivery-status":{"code":550,"message":"returned"}`,
			outcome{anymail.EventBounced, anymail.RejectBounced, bounce(anymail.BounceHard, 550, ""), "generic", "returned"},
		},
		{
			"blocked, which stays a block", `"severity":"permanent","reason":"espblock","delivery-status":{"code":550,"enhanced-code":"5.7.1","bounce-type":"hard","message":"listed"}`,
			outcome{anymail.EventBounced, anymail.RejectBlocked, bounce(anymail.BounceBlock, 550, "5.7.1"), "espblock", "listed"},
		},
		{
			"blacklisted for now", `"severity":"temporary","reason":"blacklisted","delivery-status":{"code":421,"message":"421 4.7.0 later"}`,
			outcome{anymail.EventDeferred, "", bounce(anymail.BounceBlock, 421, "4.7.0"), "blacklisted", "421 4.7.0 later"},
		},
		{
			"given up", `"severity":"permanent","reason":"old","delivery-status":{"code":602,"message":"Too old","description":null}`,
			outcome{anymail.EventBounced, anymail.RejectTimedOut, bounce(anymail.BounceSoft, 0, ""), "Too old", ""},
		},
		{
			"could not connect", `"severity":"permanent","reason":"generic","delivery-status":{"code":499,"message":"connection timed out","description":""}`,
			outcome{anymail.EventBounced, anymail.RejectTimedOut, bounce(anymail.BounceSoft, 0, ""), "connection timed out", ""},
		},
		{
			"over quota for now", `"severity":"temporary","reason":"generic","delivery-status":{"code":452,"enhanced-code":"4.2.2","bounce-type":"soft","message":"4.2.2 over quota","description":null,"retry-seconds":600}`,
			outcome{anymail.EventDeferred, "", bounce(anymail.BounceSoft, 452, "4.2.2"), "generic", "4.2.2 over quota"},
		},
		{
			"suppressed after a bounce", `"severity":"permanent","reason":"suppress-bounce","delivery-status":{"code":605,"message":"","enhanced-code":"","description":"Not delivering to previously bounced address"}`,
			outcome{anymail.EventRejected, anymail.RejectBounced, anymail.Bounce{}, "Not delivering to previously bounced address", ""},
		},
		{
			"suppressed after a complaint, told by the code alone", `"severity":"permanent","reason":"new-word","delivery-status":{"code":607,"message":"Not delivering"}`,
			outcome{anymail.EventRejected, anymail.RejectSpam, anymail.Bounce{}, "Not delivering", ""},
		},
		{
			"unsubscribed", `"severity":"permanent","reason":"suppress-unsubscribe","delivery-status":{"code":606}`,
			outcome{anymail.EventRejected, anymail.RejectUnsubscribed, anymail.Bounce{}, "suppress-unsubscribe", ""},
		},
		{
			"list of poor quality", `"severity":"permanent","reason":"generic","delivery-status":{"code":625}`,
			outcome{anymail.EventRejected, anymail.RejectOther, anymail.Bounce{}, "generic", ""},
		},
		{
			"reason that is not known", `"severity":"permanent","reason":"whim","delivery-status":{"code":554,"message":"no"}`,
			outcome{anymail.EventBounced, anymail.RejectBounced, bounce(anymail.BounceUndetermined, 554, ""), "whim", "no"},
		},
		{
			"severity that is not known, refused for good", `"severity":"internal","delivery-status":{"code":554,"message":"no"}`,
			outcome{anymail.EventBounced, anymail.RejectBounced, bounce(anymail.BounceUndetermined, 554, ""), "", "no"},
		},
		{
			"severity that is missing, refused for now", `"delivery-status":{"code":450,"message":"busy"}`,
			outcome{anymail.EventDeferred, "", bounce(anymail.BounceSoft, 450, ""), "", "busy"},
		},
		{
			"neither severity nor code", `"reason":"generic"`,
			outcome{anymail.EventFailed, anymail.RejectOther, anymail.Bounce{}, "generic", ""},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := parseData(t, `{"event":"failed",`+tt.data+`}`)
			require.Equal(t, tt.want, outcome{got.Type, got.RejectReason, got.Bounce, got.Description, got.MTAResponse})
		})
	}
}

// The page says what the adapter does.
func TestPage(t *testing.T) {
	const permanent = `"event":"failed","severity":"permanent",`
	for words, data := range map[string]string{
		"accepted": `"event":"accepted"`, "rejected": `"event":"rejected"`, "delivered": `"event":"delivered"`, "opened": `"event":"opened"`,
		"clicked": `"event":"clicked"`, "unsubscribed": `"event":"unsubscribed"`, "complained": `"event":"complained"`, "anything else": `"event":"levitated"`,
		"severity temporary": `"event":"failed","severity":"temporary","reason":"generic"`,
		"code below 400":     `"event":"failed"`,
		"code from 400":      `"event":"failed","delivery-status":{"code":450}`,
		"code from 500":      `"event":"failed","delivery-status":{"code":554}`,
		"code 605":           permanent + `"delivery-status":{"code":605}`,
		"code 606":           permanent + `"delivery-status":{"code":606}`,
		"code 607":           permanent + `"delivery-status":{"code":607}`,
		"code 625":           permanent + `"delivery-status":{"code":625}`,
		"code 499 or 602":    permanent + `"delivery-status":{"code":499}`,
	} {
		espdoc.Row(t, mailgun.ESP, words, parseData(t, `{`+data+`}`))
	}
	for _, reason := range []string{
		"bounce", "delayed-bounce", "espblock", "blacklisted", "greylisted", "old", "generic",
		"suppress-bounce", "suppress-complaint", "suppress-unsubscribe", "hardfail",
	} {
		espdoc.Row(t, mailgun.ESP, reason, parseData(t, `{`+permanent+`"reason":"`+reason+`"}`))
	}
	for _, name := range []string{"bounced", "dropped", "blocked"} {
		espdoc.Row(t, mailgun.ESP, name, parseForm(t, "tracking", "event="+name).(*anymail.TrackingEvent))
	}
}

// Mailgun's id is unique within a day only, and is redelivered with another token.
func TestKey(t *testing.T) {
	keyOf := func(data string) string { return parseData(t, data).Key }
	first := keyOf(`{"event":"opened","id":"id-1","timestamp":1790000000.5}`)
	require.Equal(t, first, keyOf(`{"timestamp":1790000000.500,"id":"id-1","event":"opened","log-level":"info"}`))
	require.NotEqual(t, first, keyOf(`{"event":"opened","id":"id-1","timestamp":1790086400.5}`))
	require.NotEqual(t, first, keyOf(`{"event":"clicked","id":"id-1","timestamp":1790000000.5}`))
	require.NotEqual(t, first, keyOf(`{"event":"opened","id":"id-2","timestamp":1790000000.5}`))
	require.NotEqual(t, keyOf(`{"event":"opened"}`), keyOf(`{"event":"opened","url":""}`), "without an id the content makes it")
}

const signatureFields = "&timestamp=" + timestamp + "&token=" + token + "&signature=" + ownSignature

func TestLegacy(t *testing.T) {
	headers := "&message-headers=" + url.QueryEscape(`[["Subject","Hello"],["X-Mailgun-Tag","eu"],["X-Mailgun-Variables","{\"order\":\"42\",\"deep\":{\"n\":7}}"],["X-Mailgun-Variables","{\"vip\":true}"],["Message-Id","<m0@mg.example.com>"]]`)
	common := func(typ anymail.EventType) anymail.Common {
		return anymail.Common{ESP: mailgun.ESP, Type: typ, Timestamp: signedAt}
	}
	variables := anymail.Metadata{"order": "42", "deep": map[string]any{"n": json.Number("7")}, "vip": true}
	client := "&ip=192.0.2.77&country=DE&region=unknown&city=Berlin&user-agent=Mozilla%2F5.0&device-type=desktop&client-type=browser&client-name=Chrome&client-os=Linux"
	tests := []struct {
		name   string
		fields string
		want   anymail.TrackingEvent
	}{
		{
			"delivered", "event=delivered&recipient=ada%40example.com&domain=mg.example.com&Message-Id=%3Cm1%40mg.example.com%3E&order=42&vip=true" + headers,
			anymail.TrackingEvent{Common: common(anymail.EventDelivered), MessageID: "<m1@mg.example.com>", Recipient: "ada@example.com", Tags: []string{"eu"}, Metadata: variables},
		},
		{
			"bounced", "event=bounced&recipient=nobody%40example.com&Message-Id=%3Cm2%40mg.example.com%3E&code=550&error=5.1.1+no+such+user&notification=x" + headers,
			anymail.TrackingEvent{
				Common: common(anymail.EventBounced), MessageID: "<m2@mg.example.com>", Recipient: "nobody@example.com", Tags: []string{"eu"}, Metadata: variables,
				RejectReason: anymail.RejectInvalid, MTAResponse: "5.1.1 no such user", Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			"bounced, with an enhanced code as the code", "event=bounced&recipient=a%40example.com&code=5.2.2&notification=mailbox+full",
			anymail.TrackingEvent{
				Common: common(anymail.EventBounced), Recipient: "a@example.com", RejectReason: anymail.RejectBounced, MTAResponse: "mailbox full",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft, EnhancedCode: "5.2.2"},
			},
		},
		{
			"dropped after a bounce", "event=dropped&recipient=bob%40example.com&reason=hardfail&code=605&description=Not+delivering+to+previously+bounced+address&message-headers=%5B%5D&Message-Id=%3Cm4%3E",
			anymail.TrackingEvent{
				Common: common(anymail.EventRejected), MessageID: "<m4>", Recipient: "bob@example.com", RejectReason: anymail.RejectBounced,
				Description: "Not delivering to previously bounced address",
			},
		},
		{
			"dropped as too old, which is a bounce", "event=dropped&recipient=bob%40example.com&reason=old&code=499&description=Too+old",
			anymail.TrackingEvent{
				Common: common(anymail.EventBounced), Recipient: "bob@example.com", RejectReason: anymail.RejectTimedOut,
				Description: "Too old", Bounce: anymail.Bounce{Category: anymail.BounceSoft},
			},
		},
		{
			"dropped for somebody unsubscribed", "event=dropped&recipient=bob%40example.com&code=606",
			anymail.TrackingEvent{Common: common(anymail.EventRejected), Recipient: "bob@example.com", RejectReason: anymail.RejectUnsubscribed},
		},
		{
			"complained, whose message id stands in the headers", "event=complained&recipient=ada%40example.com&tag=welcome&tag=promo" + headers,
			anymail.TrackingEvent{
				Common: common(anymail.EventComplained), MessageID: "<m0@mg.example.com>", Recipient: "ada@example.com", RejectReason: anymail.RejectSpam,
				Tags: []string{"welcome", "promo"}, Metadata: variables,
			},
		},
		{
			"unsubscribed", "event=unsubscribed&recipient=ada%40example.com&message-id=m5&mailing-list=list%40mg.example.com&tag=*" + client,
			anymail.TrackingEvent{
				Common: common(anymail.EventUnsubscribed), MessageID: "<m5>", Recipient: "ada@example.com", RejectReason: anymail.RejectUnsubscribed,
				Tags: []string{"*"}, UserAgent: "Mozilla/5.0", IP: netip.MustParseAddr("192.0.2.77"), Geo: anymail.Geo{Country: "DE", City: "Berlin"},
			},
		},
		{
			"clicked by a robot", "event=clicked&url=https%3A%2F%2Fwww.example.com%2Foffer&recipient=ada%40example.com&message-id=m6&h=abc&client-type=robot",
			anymail.TrackingEvent{
				Common: common(anymail.EventClicked), MessageID: "<m6>", Recipient: "ada@example.com",
				ClickURL: "https://www.example.com/offer", Automated: anymail.Yes,
			},
		},
		{
			// url and code are no fields of an opened event.
			"opened, with variables called like fields of Mailgun's", "event=opened&recipient=ada%40example.com&message-id=m7" + client +
				"&h=0123abcd&order=42&timestamp=noon&token=coupon&url=https%3A%2F%2Fshop.example.com&code=SPRING&h=tall&event=wedding&country=Freedonia&recipient=the+bride",
			anymail.TrackingEvent{
				Common: common(anymail.EventOpened), MessageID: "<m7>", Recipient: "ada@example.com",
				UserAgent: "Mozilla/5.0", IP: netip.MustParseAddr("192.0.2.77"), Geo: anymail.Geo{Country: "DE", City: "Berlin"},
				Metadata: anymail.Metadata{
					"order": "42", "timestamp": "noon", "token": "coupon", "url": "https://shop.example.com", "code": "SPRING", "h": "tall",
					"event": "wedding", "country": "Freedonia", "recipient": "the bride",
				},
			},
		},
		{
			"one that is not known", "event=levitated&recipient=ada%40example.com&height=3",
			anymail.TrackingEvent{Common: common(""), Recipient: "ada@example.com", Metadata: anymail.Metadata{"height": "3"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := parseForm(t, "tracking", tt.fields+signatureFields)
			anymailtest.Equal(t, &tt.want, got)
			require.Equal(t, tt.fields+signatureFields, string(got.Base().Raw))
		})
	}
}

// Legacy events have no id. What can happen again is told apart by its time.
func TestLegacyKey(t *testing.T) {
	keyOf := func(fields string) string { return parseForm(t, "tracking", fields).Base().Key }
	bounced := "event=bounced&recipient=a%40example.com&Message-Id=%3Cm1%3E"
	require.Equal(t, keyOf(bounced+"&timestamp=1790000000&token=a&signature=b"), keyOf(bounced+"&timestamp=1790000600&token=c&signature=d"))
	opened := "event=opened&recipient=a%40example.com&message-id=m1"
	require.Equal(t, keyOf(opened+"&timestamp=1790000000&token=a&signature=b"), keyOf(opened+"&timestamp=1790000000&token=c&signature=d"))
	require.NotEqual(t, keyOf(opened+"&timestamp=1790000000"), keyOf(opened+"&timestamp=1790000600"))
	require.NotEqual(t, keyOf(opened+"&timestamp=1790000000&ip=192.0.2.1"), keyOf(opened+"&timestamp=1790000000&ip=192.0.2.2"))
	require.NotEqual(t, keyOf(opened+"&timestamp=1790000000&user-agent=a"), keyOf(opened+"&timestamp=1790000000&user-agent=b"))
	unsubscribed := "event=unsubscribed&recipient=a%40example.com&message-id=m1"
	require.NotEqual(t, keyOf(unsubscribed+"&timestamp=1790000000"), keyOf(unsubscribed+"&timestamp=1790000600"), "and in between subscribed again")
	require.NotEqual(t, keyOf(opened+"&timestamp=1790000000"), keyOf("event=clicked&recipient=a%40example.com&message-id=m1&timestamp=1790000000"))
}

// A URL that was set at the wrong place is reported, and Mailgun goes on trying.
func TestWrongEndpoint(t *testing.T) {
	sim := mailgunsim.New()
	for name, endpoint := range map[string]string{"route-forward": "tracking", "route-forward-mime": "tracking", "legacy-bounced": "inbound", "delivered": "inbound"} {
		s := anymailtest.NewServer(t, sim)
		sample, ok := sim.Sample(name)
		require.True(t, ok)
		r := sample.Make(simulator.NewParams())
		r.Endpoint = endpoint
		r = s.Address(t, r)
		require.NoError(t, sim.SignNow(&r, s.Credential))
		status, _ := s.Post(t, r)
		require.Contains(t, []int{http.StatusBadRequest, http.StatusUnsupportedMediaType}, status, name)
		require.Empty(t, s.Take(), name)
		require.NotNil(t, s.Rejections.All()[0].Payload, name)
	}
}

const messageHeaders = `[["X-Mailgun-Sflag","Yes"],["X-Mailgun-Sscore","6.4"],["X-Mailgun-Spf","SoftFail"],["X-Mailgun-Dkim-Check-Result","Pass"],
	["Received","from a by b"],["Received","from c by a"],["Message-Id","<in1@example.org>"],["Date","Mon, 21 Sep 2026 14:13:00 +0200"],
	["From","Grace <grace@example.org>"],["To","Help <help@mg.example.com>, other@mg.example.com"],["Cc","carl@example.org"],["Subject","Grüße"],["X-Mailgun-Spf","Pass"]]`

func receivedHeaders() anymail.Headers {
	return anymail.Headers{
		{Name: "X-Mailgun-Sflag", Value: "Yes"}, {Name: "X-Mailgun-Sscore", Value: "6.4"}, {Name: "X-Mailgun-Spf", Value: "SoftFail"},
		{Name: "X-Mailgun-Dkim-Check-Result", Value: "Pass"},
		{Name: "Received", Value: "from a by b"}, {Name: "Received", Value: "from c by a"}, {Name: "Message-Id", Value: "<in1@example.org>"},
		{Name: "Date", Value: "Mon, 21 Sep 2026 14:13:00 +0200"}, {Name: "From", Value: "Grace <grace@example.org>"},
		{Name: "To", Value: "Help <help@mg.example.com>, other@mg.example.com"}, {Name: "Cc", Value: "carl@example.org"}, {Name: "Subject", Value: "Grüße"},
		{Name: "X-Mailgun-Spf", Value: "Pass"},
	}
}

func TestInboundParsed(t *testing.T) {
	field := func(name, value string) simulator.Field { return simulator.Field{Name: name, Value: value} }
	r := simulator.Multipart("inbound",
		field("recipient", "help@mg.example.com"), field("sender", "bounce+1@example.org"), field("from", "Grace <grace@example.org>"), field("subject", "Grüße"),
		field("body-plain", "Hello\n> quoted"), field("body-html", "<p>Hello</p>"), field("body-html", "<p>again</p>"),
		field("stripped-text", "Hello"), field("stripped-html", "<p>stripped</p>"), field("message-headers", messageHeaders),
		// Header fields are form fields too: these were the sender's choice.
		field("Recipient", "forged@example.org"), field("Subject", "forged"), field("Body-Mime", "forged"), field("X-Mailgun-Sflag", "No"),
		field("attachment-count", "3"),
		field("content-id-map", `{"<img1@example.org>":"attachment-2","<img1@example.org>":"attachment-10"}`),
		simulator.Field{Name: "attachment-10", Filename: "also.png", ContentType: "image/png", Value: "c"},
		simulator.Field{Name: "attachment-1", Filename: "../../note.txt", ContentType: "text/plain; charset=utf-8", Value: "note\xff"},
		simulator.Field{Name: "attachment-2", Filename: "pic.png", ContentType: "image/png", Value: "\x89PNG\r\n\x1a\n"},
		field("attachment-3", "no file name"),
		field("timestamp", timestamp), field("token", token), field("signature", ownSignature),
	)
	score := 6.4
	want := &anymail.InboundEvent{
		Common: anymail.Common{ESP: mailgun.ESP, Type: anymail.EventInbound, Timestamp: signedAt},
		Message: anymail.InboundMessage{
			EnvelopeSender: "bounce+1@example.org", EnvelopeRecipient: "help@mg.example.com", EnvelopeRecipients: []string{"help@mg.example.com"},
			From:    []anymail.Address{{Name: "Grace", Address: "grace@example.org"}},
			To:      []anymail.Address{{Name: "Help", Address: "help@mg.example.com"}, {Address: "other@mg.example.com"}},
			CC:      []anymail.Address{{Address: "carl@example.org"}},
			Subject: "Grüße", Date: time.Date(2026, 9, 21, 12, 13, 0, 0, time.UTC), MessageID: "in1@example.org", Headers: receivedHeaders(),
			Text: "Hello\n> quoted", HTML: "<p>Hello</p>\n<p>again</p>", StrippedText: "Hello", StrippedHTML: "<p>stripped</p>",
			SpamDetected: anymail.Yes, SpamScore: &score, Authentication: anymail.Authentication{SPF: "softfail", DKIM: "pass"},
			Attachments: []anymail.Attachment{
				{Filename: "note.txt", ContentType: "text/plain", Params: map[string]string{"charset": "utf-8"}, Disposition: "attachment", Size: 5, Content: []byte("note\xff")},
				{Filename: "pic.png", ContentType: "image/png", Disposition: "inline", ContentID: "img1@example.org", Size: 8, Content: []byte("\x89PNG\r\n\x1a\n")},
				{ContentType: "application/octet-stream", Disposition: "attachment", Size: 12, Content: []byte("no file name")},
				{Filename: "also.png", ContentType: "image/png", Disposition: "inline", ContentID: "img1@example.org", Size: 1, Content: []byte("c")},
			},
		},
	}
	events := parse(t, r)
	require.Len(t, events, 1)
	anymailtest.Equal(t, want, events[0])
}

// Only Mailgun can write above the Received field that it adds. The sender's own
// fields of the same names say nothing.
func TestInboundVerdicts(t *testing.T) {
	const forged = `["X-Mailgun-Spf","Pass"],["X-Mailgun-Dkim-Check-Result","Pass"],["X-Mailgun-Sflag","No"],["X-Mailgun-Sscore","-5"],["Subject","Hi"]`
	score := func(f float64) *float64 { return &f }
	for headers, want := range map[string]anymail.InboundMessage{
		`["X-Mailgun-Dkim-Check-Result","Fail"],["X-Mailgun-Spf","Neutral"],["X-Mailgun-Sscore","1.7"],["X-Mailgun-Sflag","No"],["Received","from a by mxa.mailgun.org"],` + forged: {
			Authentication: anymail.Authentication{SPF: "neutral", DKIM: "fail"}, SpamDetected: anymail.No, SpamScore: score(1.7),
		},
		`["X-Mailgun-Sflag","Yes"],["RECEIVED","from a by mxa.mailgun.org"],` + forged:                                          {SpamDetected: anymail.Yes},
		`["X-Mailgun-Incoming","Yes"],["X-Envelope-From","<a@example.org>"],["Received","from a by mxa.mailgun.org"],` + forged: {}, // with the spam filter off
		`["Received","from a by 0123456789ab"],["X-Envelope-From","a@example.org"],["X-Mailgun-Incoming","Yes"],` + forged:      {},
		`["Received","from a"],` + forged + `,["X-Mailgun-Incoming","Yes"]`:                                                     {},
		forged: {},
	} {
		var mime strings.Builder
		var pairs [][2]string
		require.NoError(t, json.Unmarshal([]byte("["+headers+"]"), &pairs))
		for _, pair := range pairs {
			mime.WriteString(pair[0] + ": " + pair[1] + "\r\n")
		}
		for name, message := range map[string]string{
			"inbound":      "message-headers=" + url.QueryEscape("["+headers+"]"),
			"inbound_mime": "body-mime=" + url.QueryEscape(mime.String()+"\r\nHi\r\n"),
		} {
			// Each header field is a form field too.
			fields := "recipient=help%40mg.example.com&sender=a%40example.org&X-Mailgun-Spf=Pass&X-Mailgun-Sflag=No&" + message
			got := parseForm(t, name, fields+signatureFields).(*anymail.InboundEvent).Message
			require.Equal(t, want.Authentication, got.Authentication, "%s %s", name, headers)
			require.Equal(t, want.SpamDetected, got.SpamDetected, "%s %s", name, headers)
			require.Equal(t, want.SpamScore, got.SpamScore, "%s %s", name, headers)
		}
	}
}

// A request without a message in it is delivered as such.
func TestInboundFailed(t *testing.T) {
	keys := map[string]bool{}
	for _, fields := range []string{
		"recipient=help%40mg.example.com&sender=a%40example.org",
		"recipient=help%40mg.example.com&sender=a%40example.org&body-mime=",
		"recipient=help%40mg.example.com&sender=a%40example.org&message-headers=%5B%5D&body-plain=",
	} {
		got := parseForm(t, "inbound", fields+signatureFields).(*anymail.InboundEvent)
		require.False(t, keys[got.Key], "another one has this key")
		keys[got.Key] = true
		require.Equal(t, anymail.EventInboundFailed, got.Type, fields)
		require.Equal(t, "help@mg.example.com", got.Message.EnvelopeRecipient)
		require.Equal(t, signedAt, got.Timestamp)
		require.Equal(t, fields+signatureFields, string(got.Raw))
	}
}

// An unrecognized payload becomes an unknown event, or is refused.
func TestUnrecognized(t *testing.T) {
	adapter := esptest.New(t, mailgun.New, mailgun.Config{})
	for body, want := range map[string]int{
		`{"event-data":{}}`: 1, `{"event-data":null}`: 1, `{"event-data":{"event":"levitated"}}`: 1, `{"event-data":"opened"}`: 1,
		`[{"event-data":{"event":"levitated"}},{"hello":"world"},7]`: 3,
		`{}`: 0, `{"hello":"world"}`: 0, `[{}]`: 0, `[]`: 0, `null`: 0, `"opened"`: 0, ``: 0,
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
	for _, endpoint := range []string{"tracking", "inbound", "inbound_mime"} {
		for _, fields := range []url.Values{nil, {"hello": {"world"}}, {"signature": {"x"}, "subject": {"Hi"}}} {
			_, err := simulator.Parse(adapter, simulator.URLEncoded(endpoint, fields))
			require.ErrorIs(t, err, anymail.ErrMalformed, "%s %v", endpoint, fields)
		}
	}
}

// Tags may repeat. They are no variables.
func TestLegacyTags(t *testing.T) {
	for fields, want := range map[string][]string{
		"tag=a&tag=b":                                 {"a", "b"},
		"X-Mailgun-Tag=a&X-Mailgun-Tag=b":             {"a", "b"},
		"X-Mailgun-Tag=a&X-Mailgun-Tag=b&tag=c&tag=d": {"c", "d"},
		"X-Mailgun-Tag=a":                             {"a"},
	} {
		got := parseForm(t, "tracking", "event=delivered&recipient=ada%40example.com&order=42&"+fields+signatureFields).(*anymail.TrackingEvent)
		require.Equal(t, want, got.Tags, fields)
		require.Equal(t, anymail.Metadata{"order": "42"}, got.Metadata, fields)
	}
}

func TestInboundMinimal(t *testing.T) {
	got := parseForm(t, "inbound", "recipient=help%40mg.example.com&sender=&from=Grace+%3Cgrace%40example.org%3E&subject=Hi&body-plain=Hello"+signatureFields)
	want := &anymail.InboundEvent{
		Common: anymail.Common{ESP: mailgun.ESP, Type: anymail.EventInbound, Timestamp: signedAt},
		Message: anymail.InboundMessage{
			EnvelopeRecipient: "help@mg.example.com", EnvelopeRecipients: []string{"help@mg.example.com"}, From: []anymail.Address{{Name: "Grace", Address: "grace@example.org"}}, Subject: "Hi", Text: "Hello",
		},
	}
	anymailtest.Equal(t, want, got)
}

const rawMessage = "X-Mailgun-Sflag: No\r\nX-Mailgun-Sscore: -0.1\r\nReceived: from a by b\r\nFrom: Grace <grace@example.org>\r\nTo: help@mg.example.com\r\nSubject: Hi\r\nMessage-ID: <in2@example.org>\r\n\r\nHello\r\n"

func rawMessageEvent() *anymail.InboundEvent {
	score := -0.1
	return &anymail.InboundEvent{
		Common: anymail.Common{ESP: mailgun.ESP, Type: anymail.EventInbound, Timestamp: signedAt},
		Message: anymail.InboundMessage{
			EnvelopeSender: "bounce+1@example.org", EnvelopeRecipient: "help@mg.example.com", EnvelopeRecipients: []string{"help@mg.example.com"},
			From: []anymail.Address{{Name: "Grace", Address: "grace@example.org"}}, To: []anymail.Address{{Address: "help@mg.example.com"}},
			Subject: "Hi", MessageID: "in2@example.org", Text: "Hello\r\n",
			Headers: anymail.Headers{
				{Name: "X-Mailgun-Sflag", Value: "No"}, {Name: "X-Mailgun-Sscore", Value: "-0.1"},
				{Name: "Received", Value: "from a by b"}, {Name: "From", Value: "Grace <grace@example.org>"},
				{Name: "To", Value: "help@mg.example.com"}, {Name: "Subject", Value: "Hi"}, {Name: "Message-ID", Value: "<in2@example.org>"},
			},
			SpamDetected: anymail.No, SpamScore: &score, RawMIME: anymail.Raw(rawMessage),
		},
	}
}

// The raw message comes to URLs that end in "mime"; the fields count, though.
func TestInboundMIME(t *testing.T) {
	fields := "recipient=help%40mg.example.com&sender=bounce%2B1%40example.org&from=x&subject=x&body-mime=" + url.QueryEscape(rawMessage) + signatureFields
	for _, endpoint := range []string{"inbound_mime", "inbound"} {
		anymailtest.Equal(t, rawMessageEvent(), parseForm(t, endpoint, fields))
	}
}

const storedURL = "https://storage-demo.api.mailgun.net/v3/domains/mg.example.com/messages/k9"

func storedFields(messageURL string) string {
	return url.Values{
		"recipient": {"help@mg.example.com"}, "sender": {"bounce+1@example.org"}, "from": {"x"}, "subject": {"x"}, "domain": {"mg.example.com"},
		"body-plain": {"Hello"}, "stripped-text": {"Hello, stripped"}, "message-headers": {messageHeaders}, "message-url": {messageURL},
		"attachments": {`[{"url":"` + storedURL + `/attachments/0","content-type":"text/plain","name":"note.txt","size":4},
			{"url":"` + storedURL + `/attachments/1","content-type":"image/png","name":"pic.png","size":"8"},{"name":"more.png","content-type":"image/png","size":-1}]`},
		"content-id-map": {`{"<img1>":"` + storedURL + `/attachments/1","<img2>":"attachment-3"}`},
	}.Encode() + signatureFields
}

// roundTripper plays Mailgun's store.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}, Request: r}, nil
	}
}

func parseStored(t *testing.T, messageURL string, keys anymail.KeySource, store roundTripper) (*anymail.InboundEvent, error) {
	t.Helper()
	adapter := esptest.New(t, mailgun.New, mailgun.Config{APIKeys: keys, Client: &http.Client{Transport: store}})
	r := simulator.URLEncoded("inbound", nil)
	r.Body = []byte(storedFields(messageURL))
	events, err := simulator.Parse(adapter, r)
	if err != nil {
		return nil, err
	}
	require.Len(t, events, 1)
	return events[0].(*anymail.InboundEvent), nil
}

func storedAnswer() string {
	body, _ := json.Marshal(map[string]string{"body-mime": rawMessage, "recipients": "help@mg.example.com"})
	return string(body)
}

func TestStoredMessage(t *testing.T) {
	asked := 0
	store := roundTripper(func(r *http.Request) (*http.Response, error) {
		asked++
		require.Equal(t, http.MethodGet, r.Method)
		require.Equal(t, storedURL, r.URL.String())
		require.Equal(t, "message/rfc2822", r.Header.Get("Accept"))
		user, password, _ := r.BasicAuth()
		require.Equal(t, "api newest-key", user+" "+password)
		return answer(http.StatusOK, storedAnswer())(r)
	})
	got, err := parseStored(t, storedURL, anymail.Keys("newest-key", "older-key"), store)
	require.NoError(t, err)
	want := rawMessageEvent()
	want.Message.StrippedText = "Hello, stripped"
	anymailtest.Equal(t, want, got)
	require.Equal(t, 1, asked)
}

func storedWithout() *anymail.InboundEvent {
	score := 6.4
	return &anymail.InboundEvent{
		Common: anymail.Common{ESP: mailgun.ESP, Type: anymail.EventInbound, Timestamp: signedAt},
		Message: anymail.InboundMessage{
			EnvelopeSender: "bounce+1@example.org", EnvelopeRecipient: "help@mg.example.com", EnvelopeRecipients: []string{"help@mg.example.com"},
			From:    []anymail.Address{{Name: "Grace", Address: "grace@example.org"}},
			To:      []anymail.Address{{Name: "Help", Address: "help@mg.example.com"}, {Address: "other@mg.example.com"}},
			CC:      []anymail.Address{{Address: "carl@example.org"}},
			Subject: "Grüße", Date: time.Date(2026, 9, 21, 12, 13, 0, 0, time.UTC), MessageID: "in1@example.org", Headers: receivedHeaders(),
			Text: "Hello", StrippedText: "Hello, stripped",
			SpamDetected: anymail.Yes, SpamScore: &score, Authentication: anymail.Authentication{SPF: "softfail", DKIM: "pass"},
			Attachments: []anymail.Attachment{
				{Filename: "note.txt", ContentType: "text/plain", Disposition: "attachment", Size: 4},
				{Filename: "pic.png", ContentType: "image/png", Disposition: "inline", ContentID: "img1", Size: 8},
				{Filename: "more.png", ContentType: "image/png", Disposition: "inline", ContentID: "img2"},
			},
		},
	}
}

// Without a key, or when Mailgun has forgotten it, there is what the
// notification tells.
func TestStoredMessageOutOfReach(t *testing.T) {
	never := roundTripper(func(*http.Request) (*http.Response, error) {
		t.Error("asked without a key")
		return nil, errors.New("never")
	})
	got, err := parseStored(t, storedURL, nil, never)
	require.NoError(t, err)
	anymailtest.Equal(t, storedWithout(), got)
	got, err = parseStored(t, storedURL, anymail.Keys("key"), answer(http.StatusNotFound, ""))
	require.NoError(t, err)
	anymailtest.Equal(t, storedWithout(), got)
	_, err = parseStored(t, storedURL, anymail.Keys(), never)
	require.ErrorIs(t, err, anymail.ErrConfig, "a key is configured but there is none")
}

// What may be otherwise the next time makes Mailgun try again.
func TestStoredMessageLater(t *testing.T) {
	for name, store := range map[string]roundTripper{
		"down":         func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") },
		"out of order": answer(http.StatusInternalServerError, ""),
		"wrong key":    answer(http.StatusUnauthorized, ""),
		"parsed form":  answer(http.StatusOK, `{"body-plain":"Hello"}`),
		"no JSON":      answer(http.StatusOK, `Hello`),
	} {
		_, err := parseStored(t, storedURL, anymail.Keys("api-key"), store)
		require.ErrorIs(t, err, anymail.ErrUnavailable, name)
		require.NotContains(t, err.Error(), "api-key", name)
	}
	broken := anymail.KeyFunc(func(context.Context) ([]string, error) { return nil, errors.New("vault sealed") })
	_, err := parseStored(t, storedURL, broken, answer(http.StatusOK, storedAnswer()))
	require.ErrorIs(t, err, anymail.ErrUnavailable)
}

// The URL is not signed, so that it may lead anywhere: the key must not.
func TestStoredMessageElsewhere(t *testing.T) {
	for _, elsewhere := range []string{
		"https://attacker.example/v3/domains/x/messages/k9",
		"http://storage-demo.api.mailgun.net/k9",
		"https://mailgun.net.attacker.example/k9",
		"https://evil-mailgun.net/k9",
		"https://storage.api.mailgun.net@attacker.example/k9",
		"https://storage.api.mailgun.net:8443/k9",
		"https://127.0.0.1/k9",
		"file:///etc/passwd",
		"//attacker.example/k9",
	} {
		_, err := parseStored(t, elsewhere, anymail.Keys("api-key"), func(r *http.Request) (*http.Response, error) {
			t.Errorf("%s was asked", r.URL)
			return nil, errors.New("never")
		})
		require.ErrorIs(t, err, anymail.ErrMalformed, elsewhere)
	}
}

func TestStoredMessageTooLarge(t *testing.T) {
	sim := mailgunsim.New()
	s := anymailtest.NewServer(t, sim, anymail.WithLimits(anymail.Limits{Fetch: 100}))
	sample, _ := sim.Sample("route-store")
	status, _ := s.Post(t, s.Prepare(t, sample, simulator.NewParams()))
	require.Equal(t, http.StatusOK, status)
	events := s.Take()
	require.Len(t, events, 1)
	require.Equal(t, anymail.EventInbound, events[0].Base().Type)
	require.Empty(t, events[0].(*anymail.InboundEvent).Message.RawMIME)
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, mailgunsim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, mailgunsim.New(), "inbound") }

func FuzzInboundMIME(f *testing.F) { anymailtest.FuzzParser(f, mailgunsim.New(), "inbound_mime") }

func Example() {
	adapter, err := mailgun.New(mailgun.Config{
		SigningKeys: anymail.Keys("0123456789abcdef0123456789abcdef"), // Mailgun shows it under API Security
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := anymail.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Register("mailgun", adapter); err != nil {
		fmt.Println(err)
		return
	}
	err = d.Tracking.Connect("suppress", func(_ context.Context, ev *anymail.TrackingEvent) error {
		fmt.Println(ev.Recipient, "bounced:", ev.RejectReason)
		return nil
	}, anymail.ForTypes(anymail.EventBounced))
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/anymail/", http.StripPrefix("/anymail", d))
	fmt.Println("POST /anymail/mailgun/tracking/")
	// Output: POST /anymail/mailgun/tracking/
}
