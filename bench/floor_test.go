package bench

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

// The floor of an ESP is the work that no program can avoid: the cryptography,
// with a parsed key and a decoded signature, and one typed decode of the same
// bytes, of the fields that the adapter reads, by the same JSON library with the
// same options.

var lenient = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// floor measures step with one request after another.
func (w *world) floor(b *testing.B, step func(turn int, body []byte) error) {
	b.Helper()
	b.SetBytes(int64(len(w.requests[0].Body)))
	b.ReportAllocs()
	b.ResetTimer()
	defer reportCPU(b)()
	for i := range b.N {
		turn := i % len(w.requests)
		if err := step(turn, w.requests[turn].Body); err != nil {
			b.Fatal(err)
		}
	}
}

// keyed compares a keyed hash of parts. It reuses the hash.
type keyed struct {
	hash hash.Hash
	sum  [sha256.Size]byte
}

func newKeyed(secret []byte) *keyed { return &keyed{hash: hmac.New(sha256.New, secret)} }

func (k *keyed) matches(mac []byte, parts ...[]byte) bool {
	k.hash.Reset()
	for _, part := range parts {
		k.hash.Write(part)
	}
	return hmac.Equal(mac, k.hash.Sum(k.sum[:0]))
}

func unbase64(b testing.TB, text string) []byte {
	b.Helper()
	decoded, err := base64.StdEncoding.DecodeString(text)
	require.NoError(b, err)
	return decoded
}

type mailgunWebhook struct {
	Signature struct {
		Timestamp string `json:"timestamp"`
		Token     string `json:"token"`
		Signature string `json:"signature"`
	} `json:"signature"`
	Event struct {
		Event     string            `json:"event"`
		ID        string            `json:"id"`
		Timestamp float64           `json:"timestamp"`
		Severity  string            `json:"severity"`
		Reason    string            `json:"reason"`
		Recipient string            `json:"recipient"`
		Tags      []string          `json:"tags"`
		Variables map[string]string `json:"user-variables"`
		URL       string            `json:"url"`
		IP        string            `json:"ip"`
		Place     struct {
			Country string `json:"country"`
			Region  string `json:"region"`
			City    string `json:"city"`
		} `json:"geolocation"`
		Client struct {
			UserAgent string `json:"user-agent"`
			IP        string `json:"ip"`
			Type      string `json:"client-type"`
			Bot       string `json:"bot"`
		} `json:"client-info"`
		Status struct {
			Code        int    `json:"code"`
			Enhanced    string `json:"enhanced-code"`
			Message     string `json:"message"`
			Description string `json:"description"`
		} `json:"delivery-status"`
		Message struct {
			Headers struct {
				MessageID string `json:"message-id"`
				To        string `json:"to"`
			} `json:"headers"`
		} `json:"message"`
	} `json:"event-data"`
}

func mailgunFloor(b *testing.B, w *world) {
	key := newKeyed([]byte(w.credential.Config))
	w.floor(b, func(_ int, body []byte) error {
		var hook mailgunWebhook
		if err := json.Unmarshal(body, &hook, lenient); err != nil {
			return err
		}
		var mac [sha256.Size]byte
		if _, err := hex.Decode(mac[:], []byte(hook.Signature.Signature)); err != nil {
			return err
		}
		if !key.matches(mac[:], []byte(hook.Signature.Timestamp), []byte(hook.Signature.Token)) {
			return errMismatch
		}
		return nil
	})
}

type resendWebhook struct {
	Type      string `json:"type"`
	CreatedAt string `json:"created_at"`
	Data      struct {
		EmailID string            `json:"email_id"`
		To      []string          `json:"to"`
		Tags    map[string]string `json:"tags"`
		Headers []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"headers"`
		Bounce struct {
			Type    string `json:"type"`
			SubType string `json:"subType"`
			Message string `json:"message"`
		} `json:"bounce"`
		Click struct {
			Link      string `json:"link"`
			IP        string `json:"ipAddress"`
			UserAgent string `json:"userAgent"`
		} `json:"click"`
	} `json:"data"`
}

func resendFloor(b *testing.B, w *world) {
	key := newKeyed(w.credential.Private.([]byte))
	dot := []byte(".")
	var ids, times, macs [][]byte
	for _, r := range w.requests {
		ids = append(ids, []byte(r.Header.Get("Svix-Id")))
		times = append(times, []byte(r.Header.Get("Svix-Timestamp")))
		macs = append(macs, unbase64(b, r.Header.Get("Svix-Signature")[len("v1,"):]))
	}
	w.floor(b, func(turn int, body []byte) error {
		if !key.matches(macs[turn], ids[turn], dot, times[turn], dot, body) {
			return errMismatch
		}
		var hook resendWebhook
		return json.Unmarshal(body, &hook, lenient)
	})
}

type snsNotification struct {
	Type, TopicArn, Subject, Message, Timestamp               string
	MessageID                                                 string `json:"MessageId"`
	SignatureVersion, Signature, SigningCertURL, SubscribeURL string
}

type sesRecord struct {
	EventType string `json:"eventType"`
	Mail      struct {
		Timestamp   string   `json:"timestamp"`
		Source      string   `json:"source"`
		MessageID   string   `json:"messageId"`
		Destination []string `json:"destination"`
		Headers     []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"headers"`
		Tags map[string][]string `json:"tags"`
	} `json:"mail"`
	Click struct {
		Timestamp  string `json:"timestamp"`
		Link       string `json:"link"`
		IPAddress  string `json:"ipAddress"`
		UserAgent  string `json:"userAgent"`
		IsBotEvent string `json:"isBotEvent"`
	} `json:"click"`
}

// sesFloor verifies a text of the same length with a key of the same size. The
// signed text, a selection of the values, is made before.
func sesFloor(b *testing.B, w *world) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(b, err)
	var sns snsNotification
	require.NoError(b, json.Unmarshal(w.requests[0].Body, &sns, lenient))
	text := []byte(sns.Message + sns.MessageID + sns.Subject + sns.Timestamp + sns.TopicArn + sns.Type)
	digest := sha256.Sum256(text)
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	require.NoError(b, err)
	w.floor(b, func(_ int, body []byte) error {
		digest := sha256.Sum256(text)
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature); err != nil {
			return err
		}
		var hook snsNotification
		if err := json.Unmarshal(body, &hook, lenient); err != nil {
			return err
		}
		var record sesRecord
		return json.Unmarshal([]byte(hook.Message), &record, lenient)
	})
}

type sendgridEvent struct {
	Event          string   `json:"event"`
	Email          string   `json:"email"`
	Timestamp      int64    `json:"timestamp"`
	EventID        string   `json:"sg_event_id"`
	MessageID      string   `json:"sg_message_id"`
	SMTPID         string   `json:"smtp-id"`
	Category       []string `json:"category"`
	Type           string   `json:"type"`
	Classification string   `json:"bounce_classification"`
	Reason         string   `json:"reason"`
	Response       string   `json:"response"`
	Status         string   `json:"status"`
	Attempt        string   `json:"attempt"`
	GroupID        int64    `json:"asm_group_id"`
	URL            string   `json:"url"`
	UserAgent      string   `json:"useragent"`
	IP             string   `json:"ip"`
	MachineOpen    bool     `json:"sg_machine_open"`

	Order string `json:"order"` // the sender's custom argument
}

const (
	sendgridSignature = "X-Twilio-Email-Event-Webhook-Signature"
	sendgridTimestamp = "X-Twilio-Email-Event-Webhook-Timestamp"
)

func sendgridKey(b testing.TB, w *world) *ecdsa.PublicKey {
	b.Helper()
	return parseKey(b, unbase64(b, w.credential.Config)).(*ecdsa.PublicKey)
}

func sendgridFloor(b *testing.B, w *world) {
	key := sendgridKey(b, w)
	var times, signatures [][]byte
	for _, r := range w.requests {
		times = append(times, []byte(r.Header.Get(sendgridTimestamp)))
		signatures = append(signatures, unbase64(b, r.Header.Get(sendgridSignature)))
	}
	h := sha256.New()
	w.floor(b, func(turn int, body []byte) error {
		h.Reset()
		h.Write(times[turn])
		h.Write(body)
		if !ecdsa.VerifyASN1(key, h.Sum(nil), signatures[turn]) {
			return errMismatch
		}
		var events []sendgridEvent
		if err := json.Unmarshal(body, &events, lenient); err != nil {
			return err
		}
		return count(w, len(events))
	})
}

type sparkpostRecord struct {
	Type         string            `json:"type"`
	EventID      string            `json:"event_id"`
	Timestamp    string            `json:"timestamp"`
	Transmission string            `json:"transmission_id"`
	Recipient    string            `json:"rcpt_to"`
	RawRecipient string            `json:"raw_rcpt_to"`
	Campaign     string            `json:"campaign_id"`
	Tags         []string          `json:"rcpt_tags"`
	Metadata     map[string]string `json:"rcpt_meta"`
	BounceClass  string            `json:"bounce_class"`
	ErrorCode    string            `json:"error_code"`
	Reason       string            `json:"reason"`
	RawReason    string            `json:"raw_reason"`
	TargetURL    string            `json:"target_link_url"`
	UserAgent    string            `json:"user_agent"`
	Agent        struct {
		Proxy      bool `json:"is_proxy"`
		Prefetched bool `json:"is_prefetched"`
	} `json:"user_agent_parsed"`
	IP  string `json:"ip_address"`
	Geo struct {
		Country string `json:"country"`
		Region  string `json:"region"`
		City    string `json:"city"`
	} `json:"geo_ip"`
}

// sparkpostFloor only decodes: SparkPost signs nothing.
func sparkpostFloor(b *testing.B, w *world) {
	w.floor(b, func(_ int, body []byte) error {
		var events []struct {
			Msys struct {
				Message     *sparkpostRecord `json:"message_event"`
				Track       *sparkpostRecord `json:"track_event"`
				Generation  *sparkpostRecord `json:"gen_event"`
				Unsubscribe *sparkpostRecord `json:"unsubscribe_event"`
			} `json:"msys"`
		}
		return json.Unmarshal(body, &events, lenient)
	})
}

type postmarkEvent struct {
	RecordType, MessageID, Recipient, Email, Description, Details, Tag string
	ID                                                                 int64
	Type                                                               string
	Metadata                                                           map[string]string
	DeliveredAt, BouncedAt, ReceivedAt, ChangedAt                      string
	OriginalLink, UserAgent                                            string
	Geo                                                                struct{ IP, CountryISOCode, Region, City string }
}

// postmarkFloor only decodes: Postmark signs nothing.
func postmarkFloor(b *testing.B, w *world) {
	w.floor(b, func(_ int, body []byte) error {
		var event postmarkEvent
		return json.Unmarshal(body, &event, lenient)
	})
}
