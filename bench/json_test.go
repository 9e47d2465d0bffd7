package bench

import (
	stdjson "encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/bytedance/sonic"
	"github.com/go-json-experiment/json"
	goccy "github.com/goccy/go-json"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/mailgun/mailgunsim"
	"github.com/goanymail/anymail/esp/sendgrid/sendgridsim"
	"github.com/goanymail/anymail/wire"
)

// decoders are JSON libraries. The size that each adds to a program is measured
// with its imports and call.
var decoders = []struct {
	name      string
	unmarshal func([]byte, any) error
	imports   string
	call      string
}{
	{"encoding/json", stdjson.Unmarshal, `"encoding/json"`, "json.Unmarshal(b, &v)"},
	{"go-json-experiment", func(b []byte, v any) error { return json.Unmarshal(b, v, lenient) }, `"github.com/go-json-experiment/json"`, "json.Unmarshal(b, &v)"},
	{"goccy", goccy.Unmarshal, `"github.com/goccy/go-json"`, "json.Unmarshal(b, &v)"},
	{"sonic", sonic.Unmarshal, `"github.com/bytedance/sonic"`, "sonic.Unmarshal(b, &v)"},
}

// sendgridLoose is sendgridEvent with the types of package wire, as in the
// adapter.
type sendgridLoose struct {
	Event          string       `json:"event"`
	Email          string       `json:"email"`
	Timestamp      wire.Unix    `json:"timestamp"`
	EventID        wire.Text    `json:"sg_event_id"`
	MessageID      wire.Text    `json:"sg_message_id"`
	SMTPID         wire.Text    `json:"smtp-id"`
	Category       wire.Strings `json:"category"`
	Type           wire.Text    `json:"type"`
	Classification wire.Text    `json:"bounce_classification"`
	Reason         wire.Text    `json:"reason"`
	Response       wire.Text    `json:"response"`
	Status         wire.Text    `json:"status"`
	Attempt        wire.Text    `json:"attempt"`
	GroupID        wire.Text    `json:"asm_group_id"`
	URL            wire.Text    `json:"url"`
	UserAgent      wire.Text    `json:"useragent"`
	IP             wire.Text    `json:"ip"`
	MachineOpen    wire.Text    `json:"sg_machine_open"`
}

// BenchmarkJSON measures one typed decode of the same bytes by several
// libraries, and by package wire into its own types.
func BenchmarkJSON(b *testing.B) {
	single := newWorld(b, mailgunsim.New(), 16, 1, "clicked")
	batch := newWorld(b, sendgridsim.New(), 4, 1000, "processed", "delivered", "open", "click")
	for _, d := range decoders {
		b.Run("Mailgun/"+d.name, func(b *testing.B) {
			single.floor(b, func(_ int, body []byte) error {
				var v mailgunWebhook
				return d.unmarshal(body, &v)
			})
		})
		b.Run("SendGrid1000/"+d.name, func(b *testing.B) {
			batch.floor(b, func(_ int, body []byte) error {
				var v []sendgridEvent
				if err := d.unmarshal(body, &v); err != nil {
					return err
				}
				return count(batch, len(v))
			})
		})
		b.Run("weight/"+d.name, func(b *testing.B) { weigh(b, d.imports, d.call) })
	}
	b.Run("Mailgun/wire", func(b *testing.B) {
		single.floor(b, func(_ int, body []byte) error {
			var v mailgunWebhook
			return wire.Unmarshal(body, &v)
		})
	})
	b.Run("SendGrid1000/wire", func(b *testing.B) {
		batch.floor(b, func(_ int, body []byte) error {
			elements, err := wire.Split(body, anymail.Limits{})
			if err != nil {
				return err
			}
			wire.Events(elements, func(*sendgridLoose, *anymail.TrackingEvent) {})
			return count(batch, len(elements))
		})
	})
}

// weigh reports the size that decoding one struct adds to a program.
func weigh(b *testing.B, imports, call string) {
	dir, err := os.MkdirTemp(".", "weigh") // within the module
	require.NoError(b, err)
	defer func() { _ = os.RemoveAll(dir) }()
	build := func(imports, call string) int64 {
		source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
		text := "package main\n\nimport (\n\"fmt\"\n\"os\"\n" + imports + "\n)\n\nfunc main() {\n" +
			"b, _ := os.ReadFile(os.Args[1])\nvar v struct{ A string }\nfmt.Println(" + call + ", len(b), v)\n}\n"
		require.NoError(b, os.WriteFile(source, []byte(text), 0o600))
		output, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, source).CombinedOutput()
		require.NoError(b, err, string(output))
		info, err := os.Stat(program)
		require.NoError(b, err)
		return info.Size()
	}
	b.ReportMetric(float64(build(imports, call)-build("", "0"))/1e6, "MB")
}
