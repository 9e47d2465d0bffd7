// Package mailchannelssim plays the MailChannels Email API, for tests and
// demonstrations.
package mailchannelssim

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/mailchannels"
	"github.com/goanymail/anymail/simulator"
)

// New returns MailChannels' simulator. A credential is a public key.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:           mailchannels.ESP,
		Title:         "MailChannels",
		NewCredential: newCredential,
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return mailchannels.New(mailchannels.Config{SigningKeys: simulator.Keys(trusted)})
		},
		Sign: sign,
		Samples: []simulator.Sample{
			sample("processed", "processed", anymail.EventSent, "", nil),
			sample("delivered", "delivered", anymail.EventDelivered, "", fields{"status": "250"}, simulator.Answered("250", anymail.Bounce{})),
			forTwo("delivered, two recipients", "delivered", anymail.EventDelivered),
			sample("soft-bounced", "soft-bounced", anymail.EventDeferred, "",
				fields{"status": "421", "reason": "4.7.0 try again later"}, simulator.Described("4.7.0 try again later"),
				simulator.Answered("421 4.7.0 try again later", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 421, EnhancedCode: "4.7.0"})),
			sample("hard-bounced", "hard-bounced", anymail.EventBounced, anymail.RejectBounced,
				fields{"status": "554", "reason": "5.2.1 mailbox disabled"}, simulator.Described("5.2.1 mailbox disabled"),
				simulator.Answered("554 5.2.1 mailbox disabled", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 554, EnhancedCode: "5.2.1"})),
			sample("hard-bounced, no such user", "hard-bounced", anymail.EventBounced, anymail.RejectInvalid,
				fields{"status": "550", "reason": "5.1.1 no such user"}, simulator.Described("5.1.1 no such user"),
				simulator.Answered("550 5.1.1 no such user", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"})),
			sample("hard-bounced, policy", "hard-bounced", anymail.EventBounced, anymail.RejectBlocked,
				fields{"status": "554", "reason": "5.7.1 not welcome here"}, simulator.Described("5.7.1 not welcome here"),
				simulator.Answered("554 5.7.1 not welcome here", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"})),
			sample("dropped", "dropped", anymail.EventRejected, anymail.RejectBlocked, fields{"reason": "recipient is suppressed"}, simulator.Described("recipient is suppressed")),
			sample("dropped, unsubscribed", "dropped", anymail.EventRejected, anymail.RejectUnsubscribed, fields{"reason": "recipient has unsubscribed"}, simulator.Described("recipient has unsubscribed")),
			sample("complained", "complained", anymail.EventComplained, anymail.RejectSpam, nil),
			sample("unsubscribed", "unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, nil),
			sample("open", "open", anymail.EventOpened, "", reader, read, simulator.Visited(agent, "", anymail.Unsaid)),
			sample("click", "click", anymail.EventClicked, "", clicked, read, simulator.Visited(agent, link, anymail.Unsaid)),
			sample("test", "test", anymail.EventUnknown, "", fields{"email": "test@mailchannels.com"}),
		},
		Batch: simulator.JoinArrays,
		Malformed: func(p simulator.Params) simulator.Request {
			return post(body("delivered", nil)(p), 7, body("open", reader)(p))
		},
	}
}

type fields map[string]any

const (
	agent = "Mozilla/5.0 (X11; Linux x86_64)"
	link  = "https://shop.example.org/orders/1701?from=mail"
)

var (
	reader  = fields{"user_agent": agent, "ip": "192.0.2.77"}
	clicked = fields{"user_agent": agent, "ip": "192.0.2.77", "url": link}
)

func read(ev *anymail.TrackingEvent) { ev.IP = netip.MustParseAddr("192.0.2.77") }

func body(event string, more fields) func(simulator.Params) fields {
	return func(p simulator.Params) fields {
		f := fields{
			"event": event, "email": p.Sender, "customer_handle": "acct1", "timestamp": p.Time.Unix(), "request_id": "r" + p.EventID,
			"smtp_id": "<" + p.MessageID + ">", "campaign_id": p.Tag, "recipients": []string{p.Recipient},
		}
		maps.Copy(f, more)
		return f
	}
}

func sample(name, event string, typ anymail.EventType, reason anymail.RejectReason, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			p.EventID, p.Metadata = "", nil // MailChannels has none
			return p.Event(typ, reason, changes...)
		},
		Make: func(p simulator.Params) simulator.Request { return post(body(event, more)(p)) },
	}
}

// forTwo is one element about two recipients.
func forTwo(name, event string, typ anymail.EventType) simulator.Sample {
	one := sample(name, event, typ, "", nil)
	bob := func(p simulator.Params) simulator.Params {
		p.Recipient = "bob@example.com"
		return p
	}
	return simulator.Sample{
		Name: name, Endpoint: one.Endpoint, Types: []anymail.EventType{typ, typ},
		Events: func(p simulator.Params) []anymail.Event { return append(one.Events(p), one.Events(bob(p))...) },
		Make: func(p simulator.Params) simulator.Request {
			return post(body(event, fields{"recipients": []string{p.Recipient, bob(p).Recipient}})(p))
		},
	}
}

func post(events ...any) simulator.Request {
	return simulator.JSON("tracking", simulator.MustJSON(events))
}

func newCredential() simulator.Credential {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(fmt.Sprintf("mailchannelssim: %v", err)) // only if there is no randomness
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		panic(fmt.Sprintf("mailchannelssim: %v", err)) // an Ed25519 key always has a form
	}
	return simulator.Credential{Config: base64.StdEncoding.EncodeToString(der), Private: private}
}

// sign signs as RFC 9421 has it: the digest of the body, and the parameters.
func sign(r *simulator.Request, c simulator.Credential, at time.Time) error {
	private, ok := c.Private.(ed25519.PrivateKey)
	if !ok {
		return errors.New("mailchannelssim: not a credential of this simulator")
	}
	sum := sha256.Sum256(r.Body)
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	params := fmt.Sprintf(`("content-digest");created=%d;alg="ed25519";keyid="mckey"`, at.Unix())
	signature := ed25519.Sign(private, []byte("\"content-digest\": "+digest+"\n\"@signature-params\": "+params))
	r.Header.Set("Content-Digest", digest)
	r.Header.Set("Signature-Input", "sig_1="+params)
	r.Header.Set("Signature", "sig_1=:"+base64.StdEncoding.EncodeToString(signature)+":")
	return nil
}
