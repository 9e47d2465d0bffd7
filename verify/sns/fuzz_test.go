package sns_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify/sns"
)

// accepted reports whether v accepts p. It fails the test on an error other than
// [anymail.ErrUnauthenticated].
func accepted(t *testing.T, v anymail.Verifier, p *anymail.Payload) bool {
	t.Helper()
	proof, err := v.Verify(t.Context(), p)
	if err == nil && proof.Fingerprint == nil {
		t.Fatal("accepted without a fingerprint")
	}
	if err != nil && !errors.Is(err, anymail.ErrUnauthenticated) {
		t.Fatalf("error: %v", err)
	}
	return err == nil
}

// Without the key, no body is accepted and none panics.
func FuzzVerify(f *testing.F) {
	for _, m := range []*sns.Message{notification(), confirmation()} {
		m.SignatureVersion, m.Signature = "2", base64.StdEncoding.EncodeToString(make([]byte, 256))
		body, _ := json.Marshal(m)
		f.Add(body)
	}
	f.Add([]byte(`{"Type":"Notification","Type":"Notification"}`))
	f.Add([]byte(`{"Type":"Notification","Subject":null,"Timestamp":"2026-09-21T14:13:20+02:00"}`))
	f.Add([]byte(`[]`))
	a := newAuthority()
	s := serving(a.leaf("sns.amazonaws.com"))
	v := sns.New(sns.Options{Client: s.client()})
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := sns.Parse(body)
		if err != nil && (m != nil || !errors.Is(err, anymail.ErrMalformed)) {
			t.Fatalf("%v, %v", m, err)
		}
		if accepted(t, v, &anymail.Payload{Body: body, ReceivedAt: testTime, SecretProved: true}) {
			t.Fatal("accepted")
		}
	})
}

// Messages that the service signed are accepted, unless a line break makes
// them ambiguous, and the fingerprint is the digest of what was signed.
func FuzzVerifySigned(f *testing.F) {
	f.Add("m", "1", "s", true, "2026-09-21T14:13:20.123Z", "2")
	f.Add("a\nMessageId\nb", "1", "", true, "2026-09-21T14:13:20Z", "1")
	f.Add("", "", "a\nb", true, "2026-09-21T14:13:20+02:00", "1")
	f.Add("é\u2028", "a\nb", "", false, "now", "2")
	a := newAuthority()
	v := sns.New(sns.Options{TopicARNs: []string{topic}, Client: serving(a.leaf("sns.amazonaws.com")).client()})
	f.Fuzz(func(t *testing.T, message, id, subject string, hasSubject bool, at, version string) {
		m := &sns.Message{Type: "Notification", TopicArn: topic, Message: message, MessageID: id, Timestamp: at, SigningCertURL: certURL}
		values := []string{id, at}
		text := "Message\n" + message + "\nMessageId\n" + id + "\n"
		if hasSubject {
			m.Subject = &subject
			values = append(values, subject)
			text += "Subject\n" + subject + "\n"
		}
		text += "Timestamp\n" + at + "\nTopicArn\n" + topic + "\nType\nNotification\n"
		if !utf8.ValidString(message + "\n" + strings.Join(values, "\n")) {
			return // JSON could not hold it
		}
		a.sign(m, version)
		published, err := time.Parse(time.RFC3339, at)
		want := err == nil && !published.IsZero() && !strings.Contains(strings.Join(values, ""), "\n") && (version == "1" || version == "2")
		p := posted(t, m)
		if got := accepted(t, v, p); got != want {
			t.Fatalf("accepted %v, want %v", got, want)
		}
		if !want {
			return
		}
		if proof, _ := v.Verify(t.Context(), p); !bytes.Equal(proof.Fingerprint, sha256Of(text)) {
			t.Fatal("the fingerprint is of something else")
		}
	})
}
