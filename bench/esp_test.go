package bench

import (
	"bytes"
	"crypto/ecdsa"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	sparkpostevents "github.com/SparkPost/gosparkpost/events"
	mailgunsdk "github.com/mailgun/mailgun-go/v5"
	mailgunevents "github.com/mailgun/mailgun-go/v5/events"
	mailguntypes "github.com/mailgun/mailgun-go/v5/mtypes"
	resendsdk "github.com/resend/resend-go/v3"
	sns "github.com/robbiet480/go.sns"
	"github.com/sendgrid/sendgrid-go/helpers/eventwebhook"
	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/goanymail/anymail/esp/amazonses/amazonsessim"
	"github.com/goanymail/anymail/esp/mailgun/mailgunsim"
	"github.com/goanymail/anymail/esp/postmark/postmarksim"
	"github.com/goanymail/anymail/esp/resend/resendsim"
	"github.com/goanymail/anymail/esp/sendgrid/sendgridsim"
	"github.com/goanymail/anymail/esp/sparkpost/sparkpostsim"
	"github.com/goanymail/anymail/simulator"
)

var errMismatch = errors.New("signature mismatch")

type peer struct {
	name string
	run  func(*testing.B, *world)
}

// aws is what amazonsessim.New talks to.
var aws amazonsessim.AWS

// subjects are the requests that are measured: an ESP's, their floor, and the
// other Go libraries that process them.
var subjects = []struct {
	name    string
	sim     func() *simulator.Simulator
	n       int // different requests
	batch   int // events in each
	samples []string
	floor   func(*testing.B, *world)
	peers   []peer
}{
	{"Mailgun", mailgunsim.New, 1024, 1, []string{"clicked"}, mailgunFloor, []peer{{"mailgun-go", mailgunPeer}}},
	{"Resend", resendsim.New, 1024, 1, []string{"email.clicked"}, resendFloor, []peer{{"svix", svixPeer}, {"resend-go", resendPeer}}},
	{"SES", aws.Simulator, 256, 1, []string{"Click"}, sesFloor, []peer{{"go.sns", snsPeer}}},
	{"Postmark", postmarksim.New, 1024, 1, []string{"Click"}, postmarkFloor, nil},
	{"SendGrid", sendgridsim.New, 1024, 1, []string{"click"}, sendgridFloor, []peer{{"sendgrid-go", sendgridPeer}}},
	{"SendGrid1000", sendgridsim.New, 16, 1000, []string{"processed", "delivered", "open", "click"}, sendgridFloor, []peer{{"sendgrid-go", sendgridPeer}}},
	{"SparkPost1000", sparkpostsim.New, 16, 1000, []string{"injection", "delivery", "open", "click"}, sparkpostFloor, []peer{{"gosparkpost", sparkpostPeer}}},
}

// BenchmarkRequest measures a request from the Dispatcher's ServeHTTP to its
// receiver and back, next to the floor and the peers. It also measures the stages
// that the peers have too, verification and parsing.
func BenchmarkRequest(b *testing.B) {
	for _, s := range subjects {
		b.Run(s.name, func(b *testing.B) {
			w := newWorld(b, s.sim(), s.n, s.batch, s.samples...)
			b.Run("floor", func(b *testing.B) { s.floor(b, w) })
			b.Run("anymail", w.run)
			b.Run("stages", w.runStages)
			for _, p := range s.peers {
				b.Run(p.name, func(b *testing.B) { p.run(b, w) })
			}
		})
	}
}

// BenchmarkParallel measures the same requests from as many clients as there are
// processors: run it with -cpu 1,2.
func BenchmarkParallel(b *testing.B) {
	for _, s := range subjects {
		w := newWorld(b, s.sim(), s.n, s.batch, s.samples...)
		b.Run(s.name, w.runParallel)
	}
}

// mailgunPeer: mailgun-go verifies and parses. encoding/json decodes the envelope,
// as in its own example.
func mailgunPeer(b *testing.B, w *world) {
	client := mailgunsdk.NewMailgun("key")
	client.SetWebhookSigningKey(w.credential.Config)
	w.floor(b, func(_ int, body []byte) error {
		var payload mailguntypes.WebhookPayload
		if err := stdjson.Unmarshal(body, &payload); err != nil {
			return err
		}
		if verified, err := client.VerifyWebhookSignature(payload.Signature); err != nil || !verified {
			return errors.Join(err, errMismatch)
		}
		event, err := mailgunevents.ParseEvent(payload.EventData)
		if err != nil {
			return err
		}
		if event.GetName() != mailgunevents.EventClicked {
			return errors.New("another event")
		}
		return nil
	})
}

// svixPeer: svix verifies. It has no types for events: encoding/json decodes them.
func svixPeer(b *testing.B, w *world) {
	hook, err := svix.NewWebhook(w.credential.Config)
	require.NoError(b, err)
	w.floor(b, func(turn int, body []byte) error {
		if err := hook.Verify(body, w.requests[turn].Header); err != nil {
			return err
		}
		var event resendWebhook
		return stdjson.Unmarshal(body, &event)
	})
}

// resendPeer: resend-go verifies. It has no types for events either.
func resendPeer(b *testing.B, w *world) {
	hooks := resendsdk.NewClient("key").Webhooks
	w.floor(b, func(turn int, body []byte) error {
		header := w.requests[turn].Header
		if err := hooks.Verify(&resendsdk.VerifyWebhookOptions{
			Payload: string(body),
			Headers: resendsdk.WebhookHeaders{
				Id: header.Get("Svix-Id"), Timestamp: header.Get("Svix-Timestamp"), Signature: header.Get("Svix-Signature"),
			},
			WebhookSecret: w.credential.Config,
		}); err != nil {
			return err
		}
		var event resendWebhook
		return stdjson.Unmarshal(body, &event)
	})
}

// snsPeer: go.sns verifies. It fetches the certificate each time; a transport
// answers at once from memory.
func snsPeer(b *testing.B, w *world) {
	var first sns.Payload
	require.NoError(b, stdjson.Unmarshal(w.requests[0].Body, &first))
	answer, err := aws.RoundTrip(httptest.NewRequest(http.MethodGet, first.SigningCertURL, nil))
	require.NoError(b, err)
	certificate, err := io.ReadAll(answer.Body)
	require.NoError(b, err)
	before := http.DefaultTransport
	defer func() { http.DefaultTransport = before }()
	http.DefaultTransport = roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Body: io.NopCloser(bytes.NewReader(certificate))}, nil
	})
	w.floor(b, func(_ int, body []byte) error {
		var payload sns.Payload
		if err := stdjson.Unmarshal(body, &payload); err != nil {
			return err
		}
		if err := payload.VerifyPayload(); err != nil {
			return err
		}
		var record sesRecord
		return stdjson.Unmarshal([]byte(payload.Message), &record)
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// sparkpostPeer: gosparkpost parses. There is nothing to verify.
func sparkpostPeer(b *testing.B, w *world) {
	w.floor(b, func(_ int, body []byte) error {
		var events sparkpostevents.Events
		if err := stdjson.Unmarshal(body, &events); err != nil {
			return err
		}
		return count(w, len(events))
	})
}

// count checks that a peer has found all events.
func count(w *world, found int) error {
	if found != w.perRequest {
		return fmt.Errorf("%d events instead of %d", found, w.perRequest)
	}
	return nil
}

// sendgridPeer: sendgrid-go verifies. It has no types for events either.
func sendgridPeer(b *testing.B, w *world) {
	var key *ecdsa.PublicKey
	key, err := eventwebhook.ConvertPublicKeyBase64ToECDSA(w.credential.Config)
	require.NoError(b, err)
	w.floor(b, func(turn int, body []byte) error {
		header := w.requests[turn].Header
		ok, err := eventwebhook.VerifySignature(key, body, header.Get(eventwebhook.VerificationHTTPHeader), header.Get(eventwebhook.TimestampHTTPHeader))
		if err != nil || !ok {
			return errors.Join(err, errMismatch)
		}
		var events []sendgridEvent
		if err := stdjson.Unmarshal(body, &events); err != nil {
			return err
		}
		return count(w, len(events))
	})
}
