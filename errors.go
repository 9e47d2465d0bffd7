package anymail

import (
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
)

// The kinds of failure, for [errors.Is]. Every error that a Dispatcher reports
// wraps one of them, unless an adapter panicked ([*PanicError]) or returned an
// error of its own.
var (
	// ErrMethodNotAllowed: the method is neither POST nor a probe of the ESP.
	ErrMethodNotAllowed = errors.New("method not allowed")
	// ErrUnauthenticated: the request did not prove that it comes from the ESP.
	ErrUnauthenticated = errors.New("not authenticated")
	// ErrReplayed: the request is authentic but stale, or was completed before.
	// It is an ErrUnauthenticated as well.
	ErrReplayed = fmt.Errorf("replayed: %w", ErrUnauthenticated)
	// ErrForbidden: the source address is not allowed.
	ErrForbidden = errors.New("source address not allowed")
	// ErrRateLimited: too many requests.
	ErrRateLimited = errors.New("too many requests")
	// ErrTooLarge: the body, or a part of it, is over a limit.
	ErrTooLarge = errors.New("over a limit")
	// ErrUnsupportedMedia: an authentic request of the wrong content type.
	ErrUnsupportedMedia = errors.New("unsupported content type")
	// ErrMalformed: an authentic payload that cannot be decoded.
	ErrMalformed = errors.New("malformed payload")
	// ErrUnavailable: the server is overloaded or shutting down, or cannot reach
	// what it depends on. The answer makes the ESP retry.
	ErrUnavailable = errors.New("unavailable")
	// ErrReceiver: a receiver failed.
	ErrReceiver = errors.New("receiver failed")
	// ErrConfig: a setting of a Dispatcher or an adapter is invalid.
	ErrConfig = errors.New("configuration")
)

// RequestError tells why a request was not answered with success. It never holds
// a secret or a part of the payload.
type RequestError struct {
	ESP      string // the adapter's canonical name
	Name     string // the name that the adapter is registered under
	Endpoint string // the endpoint's path, for example "tracking"
	Reason   Reason // may be empty
	Err      error  // see the Err variables
}

// Error implements error.
func (e *RequestError) Error() string {
	var b strings.Builder
	b.WriteString("anymail: ")
	b.WriteString(e.Name)
	if e.ESP != e.Name {
		b.WriteString(" (" + e.ESP + ")")
	}
	if e.Endpoint != "" {
		b.WriteString("/" + e.Endpoint)
	}
	b.WriteString(": " + e.Err.Error())
	return b.String()
}

// Unwrap returns Err.
func (e *RequestError) Unwrap() error { return e.Err }

// Reason is a constant phrase that tells why a request was refused, for example
// "signature mismatch". It holds nothing of the request, so that it can be the
// label of a metric.
type Reason string

// reasonError is one of the Err variables with a reason and a cause.
type reasonError struct {
	kind   error
	reason Reason
	cause  error
}

func (e *reasonError) Error() string {
	s := e.kind.Error() + ": " + string(e.reason)
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

func (e *reasonError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.kind}
	}
	return []error{e.kind, e.cause}
}

// Because returns an error of a kind (one of the Err variables of this package)
// with a reason and a cause, which may be nil. Adapters and verifiers use it.
// Neither reason nor cause may hold a secret.
func Because(kind error, reason Reason, cause error) error {
	return &reasonError{kind, reason, cause}
}

// Unauthenticated is Because(ErrUnauthenticated, reason, nil).
func Unauthenticated(reason Reason) error {
	return &reasonError{kind: ErrUnauthenticated, reason: reason}
}

// Malformed is Because(ErrMalformed, reason, cause).
func Malformed(reason Reason, cause error) error {
	return &reasonError{ErrMalformed, reason, cause}
}

// ConfigError tells which setting is invalid, and why. It is an [ErrConfig] and
// never holds a secret.
type ConfigError struct {
	// Setting names the option, field or argument, for example
	// "WithSharedSecret[0]" or "postmark.Config.HeaderValues[1]".
	Setting string
	// Err tells the rule that it breaks.
	Err error
}

// Error implements error.
func (e *ConfigError) Error() string {
	return configPrefix + e.Setting + ": " + strings.ReplaceAll(e.Err.Error(), configPrefix, "")
}

const configPrefix = "anymail: configuration: "

// Unwrap returns ErrConfig and Err.
func (e *ConfigError) Unwrap() []error { return []error{ErrConfig, e.Err} }

// Misconfigured returns a [*ConfigError]. Format and args are those of
// [fmt.Errorf]; they must not hold a secret.
func Misconfigured(setting, format string, args ...any) error {
	return &ConfigError{Setting: setting, Err: fmt.Errorf(format, args...)}
}

// kinds are the Err variables that decide an answer.
var kinds = []error{
	ErrMethodNotAllowed, ErrUnauthenticated, ErrReplayed, ErrForbidden, ErrRateLimited, ErrTooLarge,
	ErrUnsupportedMedia, ErrMalformed, ErrUnavailable, ErrReceiver, ErrConfig,
}

// kindOf returns the Err variable that decides the answer to err, with the reason
// given with it, or nil if err wraps none. [errors.Is] cannot decide it: the
// error of a receiver, a queue or a key source may itself wrap an Err variable,
// for example from a client that it uses. So the outer error counts before the
// one that it wraps, and the first before the others that are joined to it.
func kindOf(err error) (reason Reason, kind error) {
	if slices.Contains(kinds, err) {
		return "", err
	}
	var inner []error
	switch e := err.(type) { //nolint:errorlint // this walks the tree itself
	case *reasonError:
		inner, reason = e.Unwrap(), e.reason
	case interface{ Unwrap() error }:
		inner = []error{e.Unwrap()}
	case interface{ Unwrap() []error }:
		inner = e.Unwrap()
	}
	for _, err := range inner {
		if innermost, kind := kindOf(err); kind != nil {
			return cmp.Or(reason, innermost), kind
		}
	}
	return reason, nil
}

// ReasonOf returns why a request was refused, for the label of a metric: the
// reason given with the error that decides the answer, or else the text of the
// Err variable that it is. It returns "internal error" if err wraps none of them.
func ReasonOf(err error) Reason {
	reason, kind := kindOf(err)
	if reason == "" && kind == nil {
		return "internal error"
	}
	return cmp.Or(reason, Reason(kind.Error()))
}

// ReceiverError tells which receiver failed on which event. It is an
// [ErrReceiver] and wraps the receiver's error, or a [*PanicError].
type ReceiverError struct {
	Receiver string
	ESP      string
	Type     EventType
	Key      string
	Err      error
}

// Error implements error.
func (e *ReceiverError) Error() string {
	return fmt.Sprintf("receiver %q on %s %s event %s: %v", e.Receiver, e.ESP, e.Type, e.Key, e.Err)
}

// Unwrap returns ErrReceiver and Err.
func (e *ReceiverError) Unwrap() []error { return []error{ErrReceiver, e.Err} }

// PanicError is the panic of a receiver or an adapter as an error.
type PanicError struct {
	Value any
	Stack []byte
}

// Error implements error. It leaves out the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// recoverPanic calls f and returns its error, or its panic as a [*PanicError].
func recoverPanic(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}
