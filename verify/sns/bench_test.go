package sns_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify/sns"
)

// measure runs v on p, which it has to accept or to refuse.
func measure(b *testing.B, name string, v anymail.Verifier, p *anymail.Payload, accept bool) {
	b.Run(name, func(b *testing.B) {
		ctx := context.Background()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(ctx, p); (err == nil) != accept {
				b.Fatal(err)
			}
		}
	})
}

func floor(b *testing.B, name string, f func() bool) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !f() {
				b.Fatal("not valid")
			}
		}
	})
}

// BenchmarkVerify has the certificate in its cache. On top of the floor it reads
// the JSON, which the parser does once more.
func BenchmarkVerify(b *testing.B) {
	a := newAuthority()
	v := sns.New(sns.Options{TopicARNs: []string{topic}, Client: serving(a.leaf("sns.amazonaws.com")).client()})
	m := notification()
	a.sign(m, "2")
	p := posted(b, m)
	signature, _ := base64.StdEncoding.DecodeString(m.Signature)
	text := "Message\n" + m.Message + "\nMessageId\n" + m.MessageID + "\nTimestamp\n" + m.Timestamp + "\nTopicArn\n" + m.TopicArn + "\nType\nNotification\n"
	floor(b, "floor", func() bool {
		return rsa.VerifyPKCS1v15(&a.key.PublicKey, crypto.SHA256, sha256Of(text), signature) == nil
	})
	floor(b, "parse", func() bool {
		_, err := sns.Parse(p.Body)
		return err == nil
	})
	measure(b, "verify", v, p, true)
	forged := *m
	forged.Message += "x"
	measure(b, "forged", v, posted(b, forged), false)
	forged = *m
	forged.TopicArn += "x"
	measure(b, "other-topic", v, posted(b, forged), false)
	forged = *m
	forged.SigningCertURL = "https://sns.example.com/x.pem"
	measure(b, "other-host", v, posted(b, forged), false)
}
