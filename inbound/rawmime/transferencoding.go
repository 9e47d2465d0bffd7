package rawmime

import (
	"bytes"
	"io"

	"github.com/goanymail/anymail/inbound/internal/syntax"
	"github.com/goanymail/anymail/internal/mimefield"
)

// decodeTransfer undoes a Content-Transfer-Encoding. A body that needs no
// decoding is returned itself, with no capacity to append to. The plain text
// that follows an encoded body is returned separately.
func decodeTransfer(encoding string, body []byte) (content, plain []byte) {
	switch syntax.FirstToken(encoding) {
	case "base64":
		encoded, rest := syntax.CutBase64(body)
		if encoded == nil {
			break
		}
		return syntax.DecodeBase64(encoded), rest[:len(rest):len(rest)]
	case "quoted-printable":
		return decodeQuotedPrintable(body), nil
	}
	return body[:len(body):len(body)], nil
}

// deferTransfer returns a function that returns readers of the content that
// decodeTransfer returns, which they decode piece by piece. It returns nil if nothing
// is to be decoded.
func deferTransfer(encoding string, body []byte) func() io.Reader {
	switch syntax.FirstToken(encoding) {
	case "base64":
		if encoded, _ := syntax.CutBase64(body); encoded != nil {
			return func() io.Reader { return syntax.Base64Reader(encoded) }
		}
	case "quoted-printable":
		return func() io.Reader { return syntax.LineReader(body, decodeQuotedPrintable) }
	}
	return nil
}

// decodeQuotedPrintable never fails: an invalid escape stays as it is.
func decodeQuotedPrintable(b []byte) []byte {
	// Decoding shortens an escape by two bytes and a soft line break by two or
	// three, so that this is little more than is needed.
	out := make([]byte, 0, max(0, len(b)-2*bytes.Count(b, []byte{'='})))
	for len(b) > 0 {
		line, next := mimefield.LineAt(b, 0)
		end := b[len(line):next]
		b = b[next:]
		if trimmed := bytes.TrimRight(line, " \t"); len(end) > 0 || bytes.HasSuffix(trimmed, []byte{'='}) {
			line = trimmed // white space at the end of a line was added in transport
		}
		if soft, ok := bytes.CutSuffix(line, []byte{'='}); ok {
			line, end = soft, nil
		}
		for {
			i := bytes.IndexByte(line, '=')
			if i < 0 {
				break
			}
			out = append(out, line[:i]...)
			line = line[i+1:]
			if c, ok := mimefield.HexByte(line); ok {
				out = append(out, c)
				line = line[2:]
			} else {
				out = append(out, '=')
			}
		}
		out = append(out, line...)
		out = append(out, end...)
	}
	return syntax.Fit(out)
}
