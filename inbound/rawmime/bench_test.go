package rawmime_test

import (
	"encoding/base64"
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/rawmime"
)

func BenchmarkParse(b *testing.B) {
	large, bodies := largeMail("base64")
	plain, _ := largeMail("7bit")
	small := crlf("From: =?utf-8?Q?Zo=C3=AB?= <zoe@example.org>\nTo: help@example.com\nSubject: Question\nDate: Thu, 5 Feb 2026 10:00:00 +0000\n" +
		"Message-ID: <m1@example.org>\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n" +
		"--b\nContent-Type: text/plain; charset=utf-8\n\nHow does it work?\n--b\nContent-Type: text/html; charset=utf-8\n\n<p>How does it work?</p>\n--b--\n")
	for _, bb := range []struct {
		name string
		raw  []byte
	}{{"25MB", large}, {"25MB_7bit", plain}, {"small", small}} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.raw)))
			b.ReportAllocs()
			for b.Loop() {
				rawmime.Parse(bb.raw, anymail.Limits{})
			}
		})
	}
	// The lower bound for the large mail: its attachments decoded once.
	b.Run("25MB_floor", func(b *testing.B) {
		b.SetBytes(int64(len(large)))
		b.ReportAllocs()
		for b.Loop() {
			for _, body := range bodies {
				out := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
				if _, err := base64.StdEncoding.Decode(out, body); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
