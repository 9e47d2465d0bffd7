package amazonses

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/wire"
)

// receipt is what SES says about how it received a message.
// https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html
type receipt struct {
	Recipients   wire.Strings `json:"recipients"` // those of the envelope that the rule matches
	SpamVerdict  verdict      `json:"spamVerdict"`
	SPFVerdict   verdict      `json:"spfVerdict"`
	DKIMVerdict  verdict      `json:"dkimVerdict"`
	DMARCVerdict verdict      `json:"dmarcVerdict"`
	Action       struct {
		Type       string `json:"type"`
		Encoding   string `json:"encoding"`
		BucketName string `json:"bucketName"`
		ObjectKey  string `json:"objectKey"`
	} `json:"action"`
}

type verdict struct {
	Status string `json:"status"`
}

// results are the words of RFC 8601. GRAY is SES's word for a domain without a
// policy and a message without a signature.
var results = map[string]string{"PASS": "pass", "FAIL": "fail", "GRAY": "none", "PROCESSING_FAILED": "temperror"}

var spam = map[string]anymail.Tri{"PASS": anymail.No, "FAIL": anymail.Yes}

// commonHeaders are used if there are no headers.
type commonHeaders struct {
	From       wire.Strings `json:"from"`
	Sender     wire.Strings `json:"sender"`
	To         wire.Strings `json:"to"`
	CC         wire.Strings `json:"cc"`
	BCC        wire.Strings `json:"bcc"`
	ReplyTo    wire.Strings `json:"replyTo"`
	ReturnPath wire.Strings `json:"returnPath"`
	Date       wire.Strings `json:"date"`
	MessageID  wire.Strings `json:"messageId"`
	Subject    wire.Strings `json:"subject"`
}

func (c *commonHeaders) headers() (headers anymail.Headers) {
	for _, h := range []struct {
		name   string
		values wire.Strings
	}{
		{"Return-Path", c.ReturnPath}, {"From", c.From}, {"Sender", c.Sender}, {"Reply-To", c.ReplyTo}, {"To", c.To},
		{"Cc", c.CC}, {"Bcc", c.BCC}, {"Subject", c.Subject}, {"Date", c.Date}, {"Message-ID", c.MessageID},
	} {
		if len(h.values) > 0 {
			headers = append(headers, anymail.Header{Name: h.name, Value: strings.Join(h.values, ", ")})
		}
	}
	return headers
}

func (c *commonHeaders) empty() bool { return len(c.headers()) == 0 }

// received makes the event of a received message.
func (a *Adapter) received(ctx context.Context, p *anymail.Payload, n notification, w *record) (*anymail.InboundEvent, error) {
	ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound, ID: w.Mail.MessageID, Timestamp: w.Mail.Timestamp.Time}}
	if ev.ID == "" {
		ev.ID = n.id
	}
	content, err := a.content(ctx, p, w)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, anymail.ErrTooLarge):
		ev.Type = anymail.EventInboundFailed // a retry would not help
	case err != nil:
		return nil, err
	}
	m := &ev.Message
	switch {
	case len(content) > 0:
		*m = rawmime.Parse(content, p.Limits)
	case w.Content != "" || content != nil || len(w.Mail.Headers) == 0 && w.Mail.CommonHeaders.Value.empty():
		ev.Type = anymail.EventInboundFailed // not base64, an empty object, or nothing at all
		fallthrough
	default:
		headers := w.Mail.Headers.Message()
		if len(headers) == 0 {
			headers = w.Mail.CommonHeaders.Value.headers()
		}
		for i := range headers {
			headers[i].Value = inbound.DecodeHeader(headers[i].Value)
		}
		inbound.SetHeaders(m, headers)
	}
	m.EnvelopeSender = bare(w.Mail.Source)
	recipients := make([]string, len(w.Receipt.Recipients))
	for i, recipient := range w.Receipt.Recipients {
		recipients[i] = bare(recipient)
	}
	inbound.SetEnvelopeRecipients(m, recipients...)
	if len(content) == 0 {
		// A rule may have several actions that notify. The event without
		// content is not the same as the one with it.
		ev.Key = anymail.EventKey(ESP, ev.ID, string(ev.Type), m.EnvelopeRecipient, w.Receipt.Action.Type)
	}
	m.SpamDetected = spam[w.Receipt.SpamVerdict.Status]
	m.Authentication = anymail.Authentication{
		SPF:   results[w.Receipt.SPFVerdict.Status],
		DKIM:  results[w.Receipt.DKIMVerdict.Status],
		DMARC: results[w.Receipt.DMARCVerdict.Status],
	}
	return ev, nil
}

// content returns the message itself: from the notification (SNS action), or from
// the object that it names (S3 action). It is nil for other actions, which do not
// pass the message on.
func (a *Adapter) content(ctx context.Context, p *anymail.Payload, w *record) ([]byte, error) {
	action := w.Receipt.Action
	switch {
	case w.Content != "" && strings.EqualFold(action.Encoding, "base64"):
		return inbound.DecodeBase64(w.Content), nil
	case w.Content != "":
		return []byte(w.Content), nil
	case !strings.EqualFold(action.Type, "S3"):
		return nil, nil
	case a.config.Objects == nil:
		return nil, anymail.Misconfigured("amazonses.Config.Objects", "must be set: a message is in S3")
	case !slices.Contains(a.config.Buckets, action.BucketName):
		return nil, anymail.Misconfigured("amazonses.Config.Buckets", "must name the bucket: a message is in another one")
	}
	object, err := a.config.Objects.GetObject(ctx, action.BucketName, action.ObjectKey)
	if err != nil {
		return nil, objectError(err)
	}
	defer object.Close()
	most := cmp.Or(p.Limits.Fetch, 64<<20)
	content, err := p.ReadAll(object, -1, most)
	switch {
	case err != nil:
		return nil, objectError(err)
	case int64(len(content)) > most:
		return nil, anymail.Because(anymail.ErrTooLarge, "message in S3", fmt.Errorf("the limit is %d bytes", most))
	}
	return content, nil
}

func objectError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return anymail.Because(anymail.ErrUnavailable, "message in S3", err)
}
