package anymail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
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

// respond writes the answer and reports a refusal to log and hooks. The payload
// is nil unless it proved authentic.
func (ep *endpoint) respond(ctx context.Context, w http.ResponseWriter, from origin, payload *Payload, reply *Reply, err error) (status int) {
	header := w.Header()
	if err == nil {
		if reply == nil {
			reply = &Reply{}
		}
		if reply.ContentType != "" {
			header.Set("Content-Type", reply.ContentType)
		}
		status = max(reply.Status, http.StatusOK)
		w.WriteHeader(status)
		_, _ = w.Write(reply.Body) // a client that hung up retries
		return status
	}
	reason, kind := kindOf(err)
	challenged := ep.Challenge && errors.Is(err, errNoSecret)
	// Two things do not count as failures, since ESPs do them: to wait for a
	// challenge before sending a secret, and to retry what is signed well.
	if kind == ErrUnauthenticated && !challenged { //nolint:errorlint // not ErrReplayed, which wraps it
		ep.guard.failed(from.addr)
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
	ep.reportRejection(ctx, from, payload, status, reason, err)
	return status
}

// reportRejection tells the log and the hooks of a request that was not
// accepted.
func (ep *endpoint) reportRejection(ctx context.Context, from origin, authentic *Payload, status int, reason Reason, err error) {
	ep.settings.logger.LogAttrs(ctx, slog.LevelWarn, "anymail: request not accepted",
		slog.String("name", ep.info.Name), slog.String("esp", ep.info.ESP), slog.String("endpoint", ep.info.Endpoint),
		slog.Int("status", status), slog.String("remote", from.addr.String()), slog.String("error", clip(err.Error())))
	rejection := Rejection{
		Err:        &RequestError{ESP: ep.info.ESP, Name: ep.info.Name, Endpoint: ep.info.Endpoint, Reason: reason, Err: err},
		Status:     status,
		RemoteAddr: from.addr,
	}
	if authentic != nil {
		payload := *authentic
		payload.Header = payload.Header.Clone()
		payload.Header.Del("Authorization")
		rejection.Payload = &payload
	}
	ep.settings.hooks.rejected(ctx, rejection)
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
