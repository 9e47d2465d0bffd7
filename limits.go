package anymail

import (
	"sync/atomic"
	"time"
)

// Defaults that an option or an [Endpoint] can change. Those of [Limits] are in
// its OrDefaults method.
const (
	// DefaultTimestampWindow is how far a signed timestamp may be from now.
	DefaultTimestampWindow = 5 * time.Minute
	// DefaultRejectStatus answers an unauthenticated request.
	DefaultRejectStatus = 400
	// DefaultMaxBody is the largest body in bytes.
	DefaultMaxBody = 16 << 20
	// DefaultMaxReading is how many bodies of requests that have proved nothing may
	// arrive at once.
	DefaultMaxReading = 1024
	// DefaultMaxInFlight is how many requests may be processed at once.
	DefaultMaxInFlight = 256
	// DefaultMaxMemory is how many bytes of memory the large bodies of all requests
	// may take together.
	DefaultMaxMemory = 512 << 20
	// DefaultMemoryStoreSize is how many completed (receiver, event) pairs a
	// [MemoryStore] remembers.
	DefaultMemoryStoreSize = 1 << 18
	// DefaultRateLimitAddresses is how many clients a [RateLimit] remembers.
	DefaultRateLimitAddresses = 1 << 16
)

// Limits bound what one request may cost. A field that is 0 or less leaves what
// an earlier option has set and so, in the end, the default.
type Limits struct {
	// Body is the largest body in bytes, after a gzip content encoding is
	// undone. Default: the endpoint's own, or [DefaultMaxBody].
	Body int64
	// BodyTime is how long the body may take to arrive at most. Default: 30 seconds.
	BodyTime time.Duration
	// BodyRate is how many bytes of the body must arrive per second, on average,
	// after the first 5 seconds. Default: 16 KiB.
	BodyRate int64
	// RequestTime is how long the whole request may take. Default: 60 seconds.
	RequestTime time.Duration
	// BatchEvents is how many events one payload may hold. Default: 20000.
	BatchEvents int
	// FormFields is how many fields or parts a form may have. Default: 1000.
	FormFields int
	// MIMEDepth is how deeply the parts of a received message may nest.
	// Default: 24.
	MIMEDepth int
	// MIMEParts is how many parts a received message may have. Default: 1000.
	MIMEParts int
	// MIMEHeaders is how many header fields of a received message are kept.
	// Default: 2000.
	MIMEHeaders int
	// Fetch is how many bytes an adapter may fetch from its ESP for one request,
	// in all. Default: 64 MiB.
	Fetch int64

	deferOver int // the encoded bytes over which attachments are deferred; 0 if none is
}

// DeferAttachments returns l with which parsers leave attachments undecoded that have
// more than a number of bytes of encoded content: see [Attachment].Deferred. A number
// of 0 or less defers none. [WithAttachmentStore] sets it for the requests of a
// Dispatcher.
func (l Limits) DeferAttachments(over int) Limits {
	l.deferOver = over
	return l
}

// DefersAttachment reports whether a parser leaves an attachment with so many bytes of
// encoded content undecoded.
func (l Limits) DefersAttachment(encoded int) bool {
	return l.deferOver > 0 && encoded > l.deferOver
}

// OrDefaults returns l with the default in each field that is 0 or less. A
// [Payload] that a Dispatcher makes has its defaults applied already.
func (l Limits) OrDefaults() Limits {
	return l.over(Limits{
		Body:        DefaultMaxBody,
		BodyTime:    30 * time.Second,
		BodyRate:    16 << 10,
		RequestTime: 60 * time.Second,
		BatchEvents: 20_000,
		FormFields:  1000,
		MIMEDepth:   24,
		MIMEParts:   1000,
		MIMEHeaders: 2000,
		Fetch:       64 << 20,
	})
}

// over returns l with what it leaves open taken from under.
func (l Limits) over(under Limits) Limits {
	return Limits{
		Body:        positiveOr(l.Body, under.Body),
		BodyTime:    positiveOr(l.BodyTime, under.BodyTime),
		BodyRate:    positiveOr(l.BodyRate, under.BodyRate),
		RequestTime: positiveOr(l.RequestTime, under.RequestTime),
		BatchEvents: positiveOr(l.BatchEvents, under.BatchEvents),
		FormFields:  positiveOr(l.FormFields, under.FormFields),
		MIMEDepth:   positiveOr(l.MIMEDepth, under.MIMEDepth),
		MIMEParts:   positiveOr(l.MIMEParts, under.MIMEParts),
		MIMEHeaders: positiveOr(l.MIMEHeaders, under.MIMEHeaders),
		Fetch:       positiveOr(l.Fetch, under.Fetch),
		deferOver:   positiveOr(l.deferOver, under.deferOver),
	}
}

func positiveOr[T int | int64 | time.Duration](value, byDefault T) T {
	if value > 0 {
		return value
	}
	return byDefault
}

// counter bounds how much of something is in use. A max of 0 means no bound.
type counter struct {
	max int64
	now atomic.Int64
}

// add counts one more and reports whether there is room for it.
func (c *counter) add() bool {
	if now := c.now.Add(1); c.max > 0 && now > c.max {
		c.now.Add(-1)
		return false
	}
	return true
}

func (c *counter) remove() { c.now.Add(-1) }
