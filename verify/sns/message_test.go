package sns_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify/sns"
)

func TestParse(t *testing.T) {
	full := `{"Type" : "Notification", "MessageId" : "1", "TopicArn" : "t", "Subject" : "s", "Message" : "{\"a\":\"\u00e9\"}\n",
		"Timestamp" : "2026-09-21T14:13:20.123Z", "SignatureVersion" : "1", "Signature" : "AAAA", "SigningCertURL" : "c",
		"UnsubscribeURL" : "u", "MessageAttributes" : {"x":{"Type":"String","Value":"y"}}}`
	got, err := sns.Parse([]byte(full))
	require.NoError(t, err)
	want := &sns.Message{Type: "Notification", MessageID: "1", TopicArn: "t", Subject: pointer("s"), Message: "{\"a\":\"é\"}\n",
		Timestamp: "2026-09-21T14:13:20.123Z", SignatureVersion: "1", Signature: "AAAA", SigningCertURL: "c", UnsubscribeURL: "u"}
	require.Empty(t, cmp.Diff(want, got))
	require.Equal(t, time.Date(2026, 9, 21, 14, 13, 20, 123e6, time.UTC), got.Time())

	got, err = sns.Parse([]byte(`{"Type":"Notification","Subject":null,"Timestamp":"2026-09-21T16:13:20+02:00"}`))
	require.NoError(t, err)
	require.Nil(t, got.Subject)
	require.Equal(t, time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC), got.Time())
	require.True(t, (&sns.Message{Timestamp: "now"}).Time().IsZero())

	for name, body := range map[string]string{
		"empty":             ``,
		"not JSON":          `Type=Notification`,
		"a string":          `"Notification"`,
		"null":              `null`,
		"an array":          `[{"Type":"Notification"}]`,
		"two":               `{"Type":"Notification"}{}`,
		"cut off":           `{"Type":"Notification"`,
		"raw delivery":      `{"eventType":"Send","mail":{}}`,
		"unknown type":      `{"Type":"notification"}`,
		"other case":        `{"type":"Notification"}`,
		"number":            `{"Type":"Notification","MessageId":1}`,
		"object":            `{"Type":"Notification","Message":{"eventType":"Send"}}`,
		"repeated":          `{"Type":"Notification","Message":"a","Message":"b"}`,
		"repeated, unknown": `{"Type":"Notification","x":1,"x":2}`,
		"repeated, escaped": `{"Type":"Notification","Message":"a","\u004dessage":"b"}`,
		"invalid UTF-8":     "{\"Type\":\"Notification\",\"Message\":\"\xff\"}",
		"half a surrogate":  `{"Type":"Notification","Message":"\ud800"}`,
		"deep":              `{"Type":"Notification","x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`,
	} {
		_, err := sns.Parse([]byte(body))
		require.EqualError(t, err, "malformed payload: not an SNS message", name)
		require.ErrorIs(t, err, anymail.ErrMalformed, name)
	}
}

// A body is parsed before it is verified, so parsing must not take a multiple of
// its size, not even for a body that is made of names.
func TestParseMemory(t *testing.T) {
	names := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%x":0`, i)
		}
		return b.String()
	}
	const head = `{"Type":"Notification"`
	_, err := sns.Parse([]byte(head + names(50) + "}"))
	require.NoError(t, err, "Amazon may add to them")
	for name, text := range map[string]string{
		"members":    head + names(100_000) + "}",
		"in objects": head + `,"x":{"y":0` + names(100_000) + "}}",
	} {
		body := []byte(text)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = sns.Parse(body)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(len(body)), name)
	}
}
