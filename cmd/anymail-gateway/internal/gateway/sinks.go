package gateway

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
	"github.com/goanymail/anymail/verify"
)

// sink accepts events. An event for which deliver returns nil is safe there.
type sink interface {
	deliver(ctx context.Context, ev anymail.Event) error
	// Check returns why the sink cannot work: nothing answers, or there is no
	// stream, topic or exchange. It delivers nothing. Its context has a deadline.
	Check(ctx context.Context) error
	io.Closer
}

// output is a sink with its configuration.
type output struct {
	Sink
	sink sink
	dir  *attachmentDir // nil for none
}

// openSinks makes all sinks. Each connects with its first event, so that the
// gateway accepts events even if a broker is down.
func openSinks(list []Sink, stdout io.Writer) (outputs []*output, err error) {
	for i, s := range list {
		o := &output{Sink: s}
		switch s.Type {
		case sinkStdout:
			o.sink = newLines(stdout, s.Timeout)
		case sinkWebhook:
			o.sink = newWebhook(s)
		default:
			o.sink = &topic{Sink: s}
		}
		outputs = append(outputs, o)
		if s.Attachments.Directory != "" {
			if o.dir, err = openAttachments(s.Attachments); err != nil {
				return outputs, fmt.Errorf("sinks[%d].attachments.directory: %w", i, err)
			}
		}
	}
	return outputs, nil
}

func (o *output) deliver(ctx context.Context, ev anymail.Event) error {
	ev, err := o.reduced(ev, o.dir)
	if err != nil {
		return err
	}
	return o.sink.deliver(ctx, ev)
}

// Check returns why the sink cannot work, or nil.
func (o *output) Check(ctx context.Context) error {
	err := o.sink.Check(ctx)
	if err == nil && o.dir != nil {
		err = o.dir.Check()
	}
	return err
}

func (o *output) Close() error {
	err := o.sink.Close()
	if o.dir != nil {
		err = errors.Join(err, o.dir.Close())
	}
	return err
}

// connect connects the sinks as receivers.
func connect(signals *anymail.Signals, outputs []*output) error {
	var errs []error
	for _, o := range outputs {
		filters := o.filters()
		if o.wants(anymail.KindTracking) {
			errs = append(errs, signals.Tracking.Connect(o.Name, func(ctx context.Context, ev *anymail.TrackingEvent) error { return o.deliver(ctx, ev) }, filters...))
		}
		if o.wants(anymail.KindInbound) {
			errs = append(errs, signals.Inbound.Connect(o.Name, func(ctx context.Context, ev *anymail.InboundEvent) error { return o.deliver(ctx, ev) }, filters...))
		}
	}
	return errors.Join(errs...)
}

func (s *Sink) wants(kind anymail.Kind) bool {
	if len(s.Kinds) == 0 {
		return true
	}
	for _, name := range s.Kinds {
		if name == string(kind) {
			return true
		}
	}
	return false
}

func (s *Sink) filters() []anymail.Filter {
	var filters []anymail.Filter
	if len(s.ESPs) > 0 {
		names := make([]string, len(s.ESPs))
		for i, name := range s.ESPs {
			names[i] = strings.ReplaceAll(name, "_", "")
		}
		filters = append(filters, anymail.ForESP(names...))
	}
	if len(s.Types) > 0 {
		types := make([]anymail.EventType, len(s.Types))
		for i, name := range s.Types {
			types[i] = anymail.EventType(name)
		}
		filters = append(filters, anymail.ForTypes(types...))
	}
	return filters
}

// lines writes the JSON form, one event a line.
type lines struct {
	out     io.Writer
	timeout time.Duration
	turn    chan struct{} // holds one value while no line is written
}

func newLines(out io.Writer, timeout time.Duration) *lines {
	l := &lines{out: out, timeout: timeout, turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

// deliver waits for a reader up to the timeout. It leaves a line that it has begun
// to be written later, and the event is redelivered.
func (l *lines) deliver(ctx context.Context, ev anymail.Event) error {
	line, err := json.Marshal(ev)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	stuck := func() error {
		return anymail.Because(anymail.ErrUnavailable, "standard output is blocked", ctx.Err())
	}
	select {
	case <-l.turn:
	case <-ctx.Done():
		return stuck()
	}
	done := make(chan error, 1)
	go func() {
		_, err := l.out.Write(append(line, '\n'))
		l.turn <- struct{}{}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return stuck()
	}
}

// Check returns an error if a line is blocked.
func (l *lines) Check(ctx context.Context) error {
	select {
	case <-l.turn:
		l.turn <- struct{}{}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (*lines) Close() error { return nil }

// webhook posts the JSON form, signed by Standard Webhooks.
//
// Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
type webhook struct {
	url      string
	secrets  anymail.KeyRing // empty for no signature
	headers  atomic.Pointer[http.Header]
	client   http.Client
	now      func() time.Time
	answered atomic.Bool // the last call had an answer
}

func newWebhook(s Sink) *webhook {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is documented to be one
	transport.MaxIdleConnsPerHost = 64
	w := &webhook{url: s.URL, now: time.Now, client: http.Client{
		Timeout:   s.Timeout,
		Transport: transport,
		// A POST must not become a GET to another URL.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	w.configure(s)
	return w
}

// configure sets what may change without a restart.
func (w *webhook) configure(s Sink) {
	w.secrets.Set(s.Secrets...)
	headers := http.Header{}
	for name, values := range s.Headers {
		headers[http.CanonicalHeaderKey(name)] = values
	}
	w.headers.Store(&headers)
}

func (w *webhook) deliver(ctx context.Context, ev anymail.Event) error {
	body, err := json.Marshal(ev)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("no request can be made of the URL")
	}
	id, at := messageID(ev), strconv.FormatInt(w.now().Unix(), 10)
	signature, err := w.sign(ctx, id+"."+at+".", body)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "anymail-gateway")
	maps.Copy(req.Header, *w.headers.Load())
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", at)
	if signature != "" {
		req.Header.Set("Webhook-Signature", signature)
	}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(req.Header))

	resp, err := w.client.Do(req)
	if !errors.Is(ctx.Err(), context.Canceled) {
		w.answered.Store(err == nil)
	}
	if err != nil {
		var about *url.Error
		if errors.As(err, &about) { // it quotes the URL, which may contain a secret
			err = about.Err
		}
		return anymail.Because(anymail.ErrUnavailable, "webhook", err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection is reused
	switch {
	case resp.StatusCode == http.StatusRequestEntityTooLarge:
		return durable.Permanent(fmt.Errorf("webhook answered 413: the event has %d bytes", len(body)))
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return fmt.Errorf("webhook answered %d", resp.StatusCode)
	}
	return nil
}

// Check tries to connect unless the last call had an answer, which spares the
// destination's log.
func (w *webhook) Check(ctx context.Context) error {
	if w.answered.Load() {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, w.url, nil)
	if err != nil {
		return errors.New("no request can be made of the URL")
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return errors.New("no answer")
	}
	_ = resp.Body.Close() // any answer will do
	w.answered.Store(true)
	return nil
}

// messageID returns an id that is the same in every attempt. It has no full stop,
// which would make the signed text ambiguous.
func messageID(ev anymail.Event) string {
	base := ev.Base()
	if strings.ContainsFunc(base.Key, func(r rune) bool { return r <= ' ' || r > '~' || r == '.' }) {
		return anymail.EventKey(base.ESP, base.Key)
	}
	return base.Key
}

// sign signs with every secret, so that the destination can change secrets. Without
// a secret it returns "".
func (w *webhook) sign(ctx context.Context, prefix string, body []byte) (string, error) {
	secrets, err := w.secrets.Keys(ctx)
	if err != nil {
		return "", err
	}
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		key, err := verify.DecodeWebhookSecret(secret)
		if err != nil {
			return "", errors.New("secret is not base64")
		}
		mac := hmac.New(sha256.New, key)
		_, _ = io.WriteString(mac, prefix)
		_, _ = mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signatures, " "), nil
}

func (w *webhook) Close() error {
	w.client.CloseIdleConnections()
	return nil
}
