package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

func TestSMTP(t *testing.T) {
	tests := []struct {
		response string
		code     int
		enhanced string
	}{
		{"550 5.1.1 no such user", 550, "5.1.1"},
		{"550-5.1.1 no such user", 550, "5.1.1"},
		{"smtp;550 5.1.1 no such user", 550, "5.1.1"},
		{"SMTP; 452 4.2.2 full", 452, "4.2.2"},
		{"550: blocked", 550, ""},
		{"421", 421, ""},
		{"5.7.1 refused", 0, "5.7.1"},
		{"550 [192.0.2.1] is listed", 550, ""},
		{"(550 5.7.606) banned", 550, "5.7.606"},
		{"host said: 550 5.1.1", 550, "5.1.1"},
		{"host mx.example.net[192.0.2.1] said: 550 5.1.1 <ada@example.net>: gone (in reply to RCPT TO command)", 550, "5.1.1"},
		{"host mx.example.net[192.0.2.1] said: 550 gone", 550, ""},
		{"host mx.example.net[192.0.2.1] said: 550-gone", 550, ""},
		{"Remote host said: 550 5.1.1 no mailbox here by that name", 550, "5.1.1"},
		{"SMTP error from remote mail server after RCPT TO:<ada@example.net>: 550 gone", 550, ""},
		{"Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound'", 550, "5.1.10"},
		{"<mx.example.net #5.1.1 smtp; 550 5.1.1 gone>", 550, "5.1.1"},
		{"5.1.0 - Unknown address error 550-'5.1.1 <ada@example.net>: gone'", 550, "5.1.1"},
		{"#550 5.1.1 unknown", 550, "5.1.1"},
		{"#5.1.1 bad address", 0, "5.1.1"},
		{"550 #5.1.0 Address rejected.", 550, "5.1.0"},
		{"550 sorry, no mailbox here by that name. (#5.1.1)", 550, "5.1.1"},
		{"sorry, no mailbox here by that name. (#5.1.1)", 0, "5.1.1"},
		{"451 see ticket (#5.1.1)", 451, ""},
		{"host said: 550 4.1.1 of another class", 550, ""},
		{"Client host [192.0.2.1] is listed, see 5.1.1", 0, ""},
		{"refused by 550.5.1.1.example.net", 0, ""},
		{"Postfix 5.1.1 said nothing", 0, ""},
		{"connect to mx[192.0.2.1]:587 5.1.1.1: timed out", 0, ""},
		{"10.20.550 5.1.1", 0, ""},
		{"size 2550 5.1.1", 0, ""},
		{"at 10:20:55 the server said: 5504 bytes", 0, ""},
		{"delivered by agent 550 5.1.1beta", 0, ""},
		{"250 messages of 300 were sent", 250, ""},
		{"Delivered after 250 seconds", 0, ""},
		{"999 9.9.9", 0, ""},
		{"", 0, ""},
	}
	for _, tt := range tests {
		code, enhanced := wire.SMTP(tt.response)
		require.Equal(t, tt.code, code, tt.response)
		require.Equal(t, tt.enhanced, enhanced, tt.response)
	}
}

func TestEnhancedCode(t *testing.T) {
	for _, s := range []string{"5.1.1", "4.7.28", "2.0.0", "5.7.606"} {
		require.Equal(t, s, wire.EnhancedCode(s))
	}
	for _, s := range []string{"", "5", "5.1", "3.1.1", "5.1.1.1", "5.1111.1", "5..1", "55.1.1", "5.1.x", "550"} {
		require.Empty(t, wire.EnhancedCode(s), s)
	}
}

func FuzzSMTP(f *testing.F) {
	f.Add("550 5.1.1 x")
	f.Fuzz(func(t *testing.T, s string) {
		code, enhanced := wire.SMTP(s)
		if code != 0 && (code < 200 || code > 599) {
			t.Error(code)
		}
		if enhanced != "" && wire.EnhancedCode(enhanced) == "" {
			t.Error(enhanced)
		}
	})
}

func TestReply(t *testing.T) {
	for _, tt := range []struct {
		code           int
		enhanced, text string
		want           string
	}{
		{550, "5.1.1", "no such user", "550 5.1.1 no such user"},
		{550, "5.1.1", "5.1.1 no such user", "550 5.1.1 no such user"},
		{550, "5.1.1", "550-5.1.1 no such user", "550-5.1.1 no such user"},
		{550, "", "refused", "550 refused"},
		{550, "0.0.0", "refused", "550 refused"},
		{421, "4.7.0", "", "421 4.7.0"},
		{0, "5.1.1", "no such user", "no such user"},
		{-1, "", "", ""},
	} {
		var ev anymail.TrackingEvent
		wire.Reply(&ev, tt.code, tt.enhanced, tt.text)
		require.Equal(t, tt.want, ev.MTAResponse)
		require.Equal(t, anymail.Bounce{SMTPCode: max(tt.code, 0), EnhancedCode: wire.EnhancedCode(tt.enhanced)}, ev.Bounce)
	}
}

func TestClass(t *testing.T) {
	require.Equal(t, 4, wire.Class(anymail.Bounce{SMTPCode: 550, EnhancedCode: "4.4.7"}))
	require.Equal(t, 5, wire.Class(anymail.Bounce{SMTPCode: 550}))
	require.Equal(t, 0, wire.Class(anymail.Bounce{}))
}
