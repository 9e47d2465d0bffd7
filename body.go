package anymail

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
)

// readBody reads the body within its limits. Beyond 64 KiB it allocates only for
// what has arrived, whatever length is declared, so that many slow requests cost
// little. It reserves memory before it allocates any.
func readBody(w http.ResponseWriter, r *http.Request, limits Limits, memory *reservation) ([]byte, error) {
	if r.ContentLength > limits.Body {
		return nil, Because(ErrTooLarge, "declared body", nil)
	}
	var body io.Reader = transport{http.MaxBytesReader(w, r.Body, limits.Body)}
	expect := r.ContentLength
	switch strings.ToLower(strings.Join(r.Header.Values("Content-Encoding"), ",")) {
	case "", "identity":
	case "gzip", "x-gzip": // two names of one (RFC 9110, 8.4.1.3)
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return nil, bodyError(err)
		}
		body, expect = io.LimitReader(unzipped, limits.Body+1), -1
	default:
		return nil, Because(ErrUnsupportedMedia, "content encoding", nil)
	}
	const trusted = 64 << 10
	size := min(max(expect, 512)+1, trusted)
	if !memory.add(size) {
		return nil, errMemory
	}
	buf := make([]byte, 0, size)
	for {
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limits.Body:
			return nil, Because(ErrTooLarge, "body", nil)
		case errors.Is(err, io.EOF):
			if len(buf) == 0 && (r.ContentLength > 0 || r.PostForm != nil) {
				return nil, errBodyRead
			}
			return buf, nil
		case err != nil:
			return nil, bodyError(err)
		}
		if len(buf) == cap(buf) {
			size = min(4*int64(cap(buf)), limits.Body+1)
			if expect > 0 {
				size = min(size, max(expect, int64(len(buf)))+1)
			}
			if !memory.add(size - int64(cap(buf))) {
				return nil, errMemory
			}
			buf = append(make([]byte, 0, size), buf...)
		}
	}
}

// transport tells a broken connection from an incomplete gzip stream.
type transport struct{ io.Reader }

func (t transport) Read(b []byte) (int, error) {
	n, err := t.Reader.Read(b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errCutOff
	}
	return n, err
}

// errBodyRead cannot be the client's doing: net/http gives what Content-Length
// says, or an error.
var errBodyRead = Because(ErrUnavailable, "the body was read before it arrived here", errors.New("a middleware has consumed it: mount the Dispatcher in front of it"))

var errCutOff = errors.New("the connection ended before the body")

func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &tooLarge):
		return Because(ErrTooLarge, "body", nil)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return Because(ErrUnavailable, "the body arrived too slowly", nil)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return Malformed("body", err)
	}
	return Because(ErrUnavailable, "body cannot be read", err)
}
