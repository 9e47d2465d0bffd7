package all_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

// TestStoredAttachments: at every ESP, a message whose attachments are stored is the one
// whose attachments are in the event.
func TestStoredAttachments(t *testing.T) {
	for _, sim := range allsim.List() {
		for _, sample := range sim.Samples {
			if !sample.TakesMIME || !slices.Equal(sample.Types, []anymail.EventType{anymail.EventInbound}) {
				continue
			}
			t.Run(sim.ESP+" "+sample.Name, func(t *testing.T) {
				p := simulator.NewParams()
				p.MIME = withAttachments(50_000)
				want := send(t, anymailtest.NewServer(t, sim), sample, p)

				stored := map[string][]byte{}
				store := anymail.AttachmentStoreFunc(func(_ context.Context, info anymail.AttachmentInfo, content io.Reader) (string, error) {
					b, err := io.ReadAll(content)
					ref := fmt.Sprint(info.Key, "/", info.Index)
					stored[ref] = b
					return ref, err
				})
				got := send(t, anymailtest.NewServer(t, sim, anymail.WithAttachmentStore(store, 1000)), sample, p)
				require.Len(t, got.Attachments, len(want.Attachments))
				for i := range got.Attachments {
					a, whole := &got.Attachments[i], &want.Attachments[i]
					require.Nil(t, a.Deferred)
					content := a.Content
					if a.Ref != "" {
						require.Empty(t, content)
						content = stored[a.Ref]
					}
					require.True(t, bytes.Equal(whole.Content, content), a.Filename)
					a.Content, whole.Content, a.Ref = nil, nil, ""
				}
				if len(stored) > 0 {
					require.Empty(t, got.RawMIME)
					want.RawMIME = nil
				}
				require.Empty(t, cmp.Diff(want, got, cmpopts.EquateEmpty()))
			})
		}
	}
}

// withAttachments returns a message with attachments of about that size, in several
// encodings.
func withAttachments(size int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	encoded := base64.StdEncoding.EncodeToString(content)
	var b bytes.Buffer
	b.WriteString("From: Ada <ada@example.com>\r\nTo: help@example.org\r\nSubject: Pictures\r\nMessage-ID: <1@example.com>\r\n" +
		"Date: Thu, 5 Feb 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=next\r\n\r\n" +
		"--next\r\nContent-Type: text/plain\r\n\r\nSee the attachments.\r\n")
	attach := func(name, encoding string) {
		fmt.Fprintf(&b, "--next\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=%s\r\nContent-Transfer-Encoding: %s\r\n\r\n", name, encoding)
	}
	attach("lines.bin", "base64")
	for line := range slices.Chunk([]byte(encoded), 76) {
		b.Write(line)
		b.WriteString("\r\n")
	}
	attach("odd.bin", "base64")
	for line := range slices.Chunk([]byte(encoded), 75) {
		b.Write(line)
		b.WriteString("\n")
	}
	attach("line.bin", "base64")
	b.WriteString(encoded + "\r\n")
	attach("table.csv", "quoted-printable")
	b.WriteString(strings.Repeat("M=C3=BCller;1701 \t\r\nof one =\r\nline;=3D\r\n", size/40))
	attach("long.csv", "quoted-printable")
	b.WriteString(strings.Repeat("=C3=BC", size/6) + "\r\n")
	attach("plain.txt", "7bit")
	b.WriteString(strings.Repeat("plain text\r\n", size/12))
	attach("small.bin", "base64")
	b.WriteString("c21hbGw=\r\n--next--\r\n")
	return b.Bytes()
}
