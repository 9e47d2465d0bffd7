package anymail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// statusOf is the usual answer to an error of a kind: it makes an ESP retry what
// a retry can fix, and nothing else. An endpoint's MapStatus has the last word.
func statusOf(kind error, rejectStatus int) int {
	switch kind {
	case ErrMethodNotAllowed: //nolint:errorlint // kinds are not wrapped
		return http.StatusMethodNotAllowed
	case ErrUnauthenticated, ErrReplayed:
		return rejectStatus
	case ErrForbidden:
		return http.StatusForbidden
	case ErrRateLimited:
		return http.StatusTooManyRequests
	case ErrTooLarge:
		return http.StatusRequestEntityTooLarge
	case ErrUnsupportedMedia:
		return http.StatusUnsupportedMediaType
	case ErrMalformed:
		return http.StatusBadRequest
	case ErrUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError // a receiver, a panic, any other error
}

const retryAfterSeconds = 5

// respond writes the answer, and reports to log and hooks. The payload is nil
// if the body was not read.
func (ep *endpoint) respond(ctx context.Context, w http.ResponseWriter, r *http.Request, v *visit, payload *Payload, reply *Reply, result RequestResult) (status int) {
	header, err := w.Header(), result.Err
	if err == nil {
		if reply == nil {
			reply = &Reply{}
		}
		maps.Copy(header, reply.header)
		if reply.ContentType != "" {
			header.Set("Content-Type", reply.ContentType)
		}
		status = max(reply.Status, http.StatusOK)
		w.WriteHeader(status)
		_, _ = w.Write(reply.Body) //nolint:gosec // an echo is text/plain with nosniff; a client that hung up retries
		ep.reportAccepted(ctx, r, v.id, status, result)
		return status
	}
	reason, kind := kindOf(err)
	challenged := ep.Challenge && errors.Is(err, errNoSecret)
	// Two things do not count as failures, since ESPs do them: to wait for a
	// challenge before sending a secret, and to retry what is signed well.
	if kind == ErrUnauthenticated && !challenged || errors.Is(err, errSlowBody) { //nolint:errorlint // not ErrReplayed, which wraps it
		ep.guard.failed(v.from.addr)
	}
	status = statusOf(kind, ep.settings.rejectStatus)
	switch {
	case status == http.StatusMethodNotAllowed:
		header.Set("Allow", allowedMethods(ep.Probes))
	case challenged:
		status = http.StatusUnauthorized
		header.Set("WWW-Authenticate", `Basic realm="anymail", charset="UTF-8"`)
	}
	if ep.MapStatus != nil {
		status = ep.MapStatus(status)
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		header.Set("Retry-After", strconv.Itoa(retryAfterSeconds))
	}
	http.Error(w, http.StatusText(status), status)
	ep.reportRejection(ctx, r, v, payload, status, challenged, reason, err)
	return status
}

// identify returns the attributes that tell which endpoint a log line is about.
func (ep *endpoint) identify(status int) []slog.Attr {
	return append(make([]slog.Attr, 0, 11), // with room for what the callers add
		slog.String("name", ep.info.Name), slog.String("esp", ep.info.ESP), slog.String("endpoint", ep.info.Endpoint),
		slog.Int("status", status))
}

// reportAccepted logs what became of a request that was answered with success. A
// received message that no receiver wants is a warning: its ESP does not keep it.
func (ep *endpoint) reportAccepted(ctx context.Context, r *http.Request, id requestID, status int, result RequestResult) {
	level, text, delivery := slog.LevelDebug, "anymail: request accepted", result.Delivery
	switch {
	case delivery.Unreceived > 0 && slices.ContainsFunc(result.Events, func(ev Event) bool { return ev.Kind() == KindInbound }):
		level, text = slog.LevelWarn, "anymail: no receiver is connected for a received message, and it is dropped; connect one to Inbound, and check its filters"
	case result.Repeated:
		text = "anymail: request repeated, nothing to run"
	case len(result.Events) == 0:
		text = "anymail: request without events"
	}
	if !ep.settings.logger.Enabled(ctx, level) {
		return
	}
	attrs := append(ep.identify(status), slog.String("method", r.Method), slog.Int("events", len(result.Events)),
		slog.Int("completed", delivery.Completed), slog.Int("duplicates", delivery.Duplicates),
		slog.Int("queued", delivery.Queued), slog.Int("unreceived", delivery.Unreceived), id.attr())
	ep.settings.logger.LogAttrs(ctx, level, text, attrs...)
}

// reportSlowness warns of an answer that came when the ESP had given up on the
// attempt, so that it retries though everything was done.
func (ep *endpoint) reportSlowness(ctx context.Context, r *http.Request, id requestID, took time.Duration) {
	gone := r.Context().Err() != nil
	if (ep.Patience == 0 || took <= ep.Patience) && !gone {
		return
	}
	ep.settings.logger.LogAttrs(ctx, slog.LevelWarn, "anymail: the answer was late: the ESP had hung up or does not wait so long, and retries; a queue in front of the receivers answers at once",
		slog.String("name", ep.info.Name), slog.String("esp", ep.info.ESP), slog.String("endpoint", ep.info.Endpoint),
		slog.Duration("took", took.Round(time.Millisecond)), slog.Duration("patience", ep.Patience), slog.Bool("hung_up", gone), id.attr())
}

// reportRejection tells the log and the hooks of a request that was not
// accepted: everything that is not secret.
func (ep *endpoint) reportRejection(ctx context.Context, r *http.Request, v *visit, received *Payload, status int, challenged bool, reason Reason, err error) {
	logged := ep.settings.logger.Enabled(ctx, slog.LevelWarn)
	wanted := ep.settings.hooks.wantRejections()
	if !logged && !wanted {
		return
	}
	ignored, why := ep.guard.ignoredHeaders(r)
	url, _, _ := strings.Cut(ep.url(r, v.from), "?")
	if logged {
		remote := r.RemoteAddr // without a port, that of a Unix socket
		if v.from.addr.IsValid() {
			remote = v.from.addr.String()
		}
		attrs := append(ep.identify(status), slog.String("remote", remote), slog.String("url", clip(url)), slog.String("error", clip(err.Error())))
		if len(ignored) > 0 {
			attrs = append(attrs, slog.String("ignored_headers", strings.Join(ignored, ", ")+": "+why))
		}
		ep.settings.logger.LogAttrs(ctx, slog.LevelWarn, "anymail: request not accepted", append(attrs, v.id.attr())...)
	}
	if !wanted {
		return // a copy of the headers would cost more than the rest of a refusal
	}
	rejection := Rejection{
		Err:            &RequestError{ESP: ep.info.ESP, Name: ep.info.Name, Endpoint: ep.info.Endpoint, Reason: reason, Err: err},
		Status:         status,
		URL:            url,
		RemoteAddr:     v.from.addr,
		RequestID:      v.id.String(),
		IgnoredHeaders: ignored,
		Challenged:     challenged,
		Received:       Received{At: ep.settings.now(), Method: r.Method},
	}
	rejection.Received.Header, rejection.Received.Removed = withoutSecrets(r.Header, ep.SecretHeaders)
	if received != nil {
		rejection.Received.At, rejection.Received.Body = received.ReceivedAt, received.Body
		if received.Body == nil {
			rejection.Received.Body = []byte{} // it was read, and is empty
		}
	}
	if received != nil && received.authentic {
		payload := *received
		payload.Header = rejection.Received.Header
		rejection.Payload = &payload
	}
	ep.settings.hooks.rejected(ctx, rejection)
}

// notFound answers a request that matches no endpoint, and logs which one it may
// have been meant for.
func (d *Dispatcher) notFound(w http.ResponseWriter, r *http.Request) {
	http.NotFound(w, r)
	d.settings.logger.LogAttrs(r.Context(), slog.LevelWarn, "anymail: no endpoint at this path",
		slog.String("method", r.Method), slog.String("path", clip(r.URL.Path)), slog.String("hint", d.suggest(r.URL.Path)), newRequestID(r.Header).attr())
}

// suggest says which path would have matched instead of a path that does not. Any
// client can ask for such a path, so it lists the endpoints only if they are few.
func (d *Dispatcher) suggest(path string) string {
	const most = 10 // of what is registered, in one line
	segments := strings.Split(strings.Trim(path, "/"), "/")
	for i := 1; i < len(segments) && i < most; i++ {
		name, endpoint := segments[i], strings.Join(segments[i+1:], "/")
		if other := d.account(name); other != nil && other.endpoint(endpoint) != nil {
			return fmt.Sprintf("/%s would match: remove the prefix, with http.StripPrefix for example", clip(strings.Join(segments[i:], "/")))
		}
	}
	served := d.served.Load()
	var known []string
	list := func(of *account) {
		for _, ep := range of.endpoints {
			known = append(known, "/"+ep.info.Name+"/"+ep.info.Endpoint)
		}
	}
	if served <= most {
		d.accounts.Range(func(_, of any) bool { list(of.(*account)); return true })
	} else if of := d.account(segments[0]); of != nil {
		list(of)
	} else if of := d.account(strings.ToLower(segments[0])); of != nil {
		list(of)
	}
	if known == nil {
		return fmt.Sprintf("no adapter is registered under this name; %d endpoints are registered", served)
	}
	slices.Sort(known)
	return "registered: " + strings.Join(known, ", ")
}

// allowedMethods is the value of an Allow header.
func allowedMethods(probes []string) string {
	return strings.Join(append([]string{http.MethodPost, http.MethodHead}, probes...), ", ")
}

// clip bounds the text of a log line: a thousand failures of one batch are one
// line, and it stays readable. The hooks get all of them.
func clip(text string) string {
	const enough = 4 << 10
	if len(text) <= enough {
		return text
	}
	return fmt.Sprintf("%s ... and %d bytes more", strings.ToValidUTF8(text[:enough], ""), len(text)-enough)
}
