package anymail

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"
)

// readBody reads the body within the limits and with what the intake grants. The
// body of a request that has proved nothing holds a place meanwhile.
func (v *visit) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	limits := &v.ep.limits
	if r.ContentLength > limits.Body {
		return nil, Because(ErrTooLarge, "declared body", nil)
	}
	zipped := false
	switch strings.ToLower(strings.Join(r.Header.Values("Content-Encoding"), ",")) {
	case "", "identity":
	case "gzip", "x-gzip": // two names of one (RFC 9110, 8.4.1.3)
		zipped = true
	default:
		return nil, Because(ErrUnsupportedMedia, "content encoding", nil)
	}
	if r.ContentLength == 0 {
		if r.PostForm != nil {
			return nil, errBodyRead
		}
		return nil, nil
	}
	body, err := v.receiveBody(http.MaxBytesReader(w, r.Body, limits.Body), r.ContentLength)
	if err != nil {
		return nil, bodyError(err)
	}
	if len(body) == 0 && (r.ContentLength > 0 || r.PostForm != nil) {
		return nil, errBodyRead
	}
	_ = v.control.SetReadDeadline(time.Time{}) // the work has its own limit
	if zipped {
		return v.inflate(body, limits.Body)
	}
	return body, nil
}

// receiveBody reads a body of a declared length, or -1.
func (v *visit) receiveBody(body io.Reader, declared int64) ([]byte, error) {
	if !v.proved {
		if err := v.beginArrival(); err != nil {
			return nil, err
		}
		defer v.endArrival()
	}
	most := v.ep.limits.Body
	got, err := readAll(&arriving{body, v, 0}, declared, most, func(size int64) error {
		if v.bytes > 0 {
			return nil // granted for the whole body
		}
		if declared < 0 {
			size = most
		}
		return v.waitForMemory(size)
	})
	if err == nil {
		v.settleMemory(int64(len(got)))
	}
	return got, err
}

// arriving reads the body of a visit.
type arriving struct {
	body  io.Reader
	visit *visit
	total int64
}

func (a *arriving) Read(b []byte) (int, error) {
	n, err := a.body.Read(b)
	if a.total += int64(n); n > 0 {
		a.visit.progress(a.total)
	}
	return n, err
}

// readAll reads r to its end, which is an error beyond most bytes. It expects a
// number of bytes, or does not know it if that is negative, and calls grow before
// it allocates a buffer of more than smallBody.
func readAll(r io.Reader, expect, most int64, grow func(size int64) error) ([]byte, error) {
	buf := make([]byte, 0, min(max(expect, 511)+1, smallBody))
	for {
		if len(buf) > smallBody {
			runtime.Gosched() // a request of a few microseconds goes first
		}
		n, err := r.Read(buf[len(buf):min(cap(buf), len(buf)+64<<10)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > most:
			return nil, Because(ErrTooLarge, "body", nil)
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return nil, err
		}
		if len(buf) == cap(buf) {
			size := 4 * int64(cap(buf))
			if size > 1<<20 {
				size = 2 * int64(cap(buf)) // a copy costs less than memory that is not needed
			}
			size = min(size, most+1)
			if expect >= int64(len(buf)) {
				size = min(expect, most) + 1 // one more, to see the end
			}
			if size > smallBody {
				if err := grow(size); err != nil {
					return nil, err
				}
			}
			buf = append(make([]byte, 0, size), buf...)
		}
	}
}

// inflate decompresses gzip. It counts what it allocates, and only a few large
// bodies are decompressed at a time, so that processors are left for others.
func (v *visit) inflate(zipped []byte, most int64) ([]byte, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		return nil, Malformed("body", err)
	}
	// The last four bytes are the size, if the sender does not lie. A byte of
	// deflate stands for 1032 bytes at most.
	expect := int64(binary.LittleEndian.Uint32(zipped[len(zipped)-4:]))
	if expect > min(most, 1032*int64(len(zipped))) {
		expect = -1
	}
	begun, count := false, v.counted()
	body, err := readAll(unzipped, expect, most, func(size int64) error {
		if v != nil && !begun {
			if err := v.ep.d.intake.beginInflating(v.ctx); err != nil {
				return err
			}
			begun = true
		}
		return count(size)
	})
	if begun {
		v.ep.d.intake.endInflating()
	}
	var known *reasonError
	if err != nil && !errors.As(err, &known) {
		err = Malformed("body", err)
	}
	return body, err
}

// counted returns a function that counts a buffer that grows to a size.
func (v *visit) counted() func(size int64) error {
	var held int64
	return func(size int64) error {
		more := size - held
		held = size
		if v == nil { // a Payload that no Dispatcher made
			return nil
		}
		return v.addMemory(more)
	}
}

// Gunzip decompresses data to at most Limits.Body bytes. A Verifier uses it for
// what the ESP compresses other than by Content-Encoding: what it allocates counts
// like the body. It returns [ErrMalformed], [ErrTooLarge], or [ErrUnavailable] if
// the server is short of memory.
func (p *Payload) Gunzip(data []byte) ([]byte, error) {
	return p.visit.inflate(data, p.Limits.OrDefaults().Body)
}

// ReadAll reads what an adapter fetches for the payload: it expects a number of
// bytes, or -1 if that is not known, and accepts at most another number. What it
// allocates counts like the body. It returns [ErrTooLarge], [ErrUnavailable] if the
// server is short of memory, or the error of r.
func (p *Payload) ReadAll(r io.Reader, expect, most int64) ([]byte, error) {
	return readAll(r, expect, most, p.visit.counted())
}

// errBodyRead cannot be the client's doing: net/http gives what Content-Length
// says, or an error.
var errBodyRead = Because(ErrUnavailable, "the body was read before it arrived here", errors.New("a middleware has consumed it: mount the Dispatcher in front of it"))

// errSlowBody counts as a failure of the client.
var errSlowBody = Because(ErrUnavailable, "the body arrived too slowly", nil)

func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	var known *reasonError
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &tooLarge):
		return Because(ErrTooLarge, "body", nil)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return errSlowBody
	}
	return Because(ErrUnavailable, "body cannot be read", err)
}
