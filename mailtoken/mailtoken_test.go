package mailtoken_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/mailtoken"
)

const key = "correct-horse-battery"

var now = time.Date(2026, 2, 5, 10, 0, 0, 0, time.UTC)

func tokens(t testing.TB, at time.Time, keys ...string) *mailtoken.Tokens {
	t.Helper()
	made, err := mailtoken.New(mailtoken.Config{Keys: anymail.Keys(keys...), Now: func() time.Time { return at }})
	require.NoError(t, err)
	return made
}

// makeToken returns a token alone, whatever it is for.
func makeToken(t testing.TB, ts *mailtoken.Tokens, use mailtoken.Use, m mailtoken.Message) string {
	t.Helper()
	var made string
	var err error
	switch use {
	case mailtoken.UseReturnPath:
		made, err = ts.ReturnPath(t.Context(), m, "@bounces.example.com")
	case mailtoken.UseMessageID:
		made, err = ts.MessageID(t.Context(), m, "example.com")
	case mailtoken.UseUnsubscribe:
		made, err = ts.Unsubscribe(t.Context(), m)
	}
	require.NoError(t, err)
	made, _, _ = strings.Cut(made, "@")
	return made
}

// testdata/vectors.py made the tokens.
func TestVectors(t *testing.T) {
	var vectors []struct {
		Key, ID, Recipient, Token string
		Use                       mailtoken.Use
		ExpiresDay                int64 `json:"expires_day"`
	}
	b, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &vectors))
	require.NotEmpty(t, vectors)
	for _, v := range vectors {
		ts := tokens(t, now, v.Key)
		m := mailtoken.Message{ID: v.ID, Recipient: v.Recipient}
		if v.ExpiresDay != 0 {
			m.Expires = time.Unix(v.ExpiresDay*24*60*60, 0).UTC()
			require.Equal(t, v.Token, makeToken(t, ts, v.Use, m))
		}
		claims, err := ts.Check(t.Context(), v.Use, strings.ToUpper(v.Token))
		require.NoError(t, err, v.Token)
		require.Equal(t, v.ID, claims.ID)
		require.True(t, claims.Expires.Equal(m.Expires))
		require.Equal(t, v.Recipient != "", claims.Bound)
		require.Equal(t, v.Recipient != "", claims.IsFor(strings.ToUpper(v.Recipient)))
		require.False(t, claims.IsFor("eve@example.net"))
		require.False(t, claims.IsFor(""))
	}
}

func TestRefused(t *testing.T) {
	m := mailtoken.Message{ID: "welcome-1", Recipient: "ada@example.net"}
	ts := tokens(t, now, key)
	good := makeToken(t, ts, mailtoken.UseReturnPath, m)
	last := "a"
	if strings.HasSuffix(good, last) {
		last = "b"
	}
	tests := []struct {
		name  string
		ts    *mailtoken.Tokens
		use   mailtoken.Use
		token string
		want  error
	}{
		{"empty", ts, mailtoken.UseReturnPath, "", mailtoken.ErrForm},
		{"a word", ts, mailtoken.UseReturnPath, "unsubscribe", mailtoken.ErrForm},
		{"too long", ts, mailtoken.UseReturnPath, strings.Repeat("a", 1<<20), mailtoken.ErrForm},
		{"another alphabet", ts, mailtoken.UseReturnPath, "0" + good[1:], mailtoken.ErrForm},
		{"another version", ts, mailtoken.UseReturnPath, "a" + good[1:], mailtoken.ErrForm},
		{"cut", ts, mailtoken.UseReturnPath, good[:len(good)-8], mailtoken.ErrForged},
		{"changed", ts, mailtoken.UseReturnPath, good[:20] + "a" + good[21:], mailtoken.ErrForged},
		{"bits behind the end", ts, mailtoken.UseReturnPath, good[:len(good)-1] + last, nil}, // either
		{"another use", ts, mailtoken.UseMessageID, good, mailtoken.ErrForged},
		{"another key", tokens(t, now, "another-correct-horse"), mailtoken.UseReturnPath, good, mailtoken.ErrForged},
		{"no key", tokens(t, now), mailtoken.UseReturnPath, good, mailtoken.ErrForged},
		{"expired", tokens(t, now.Add(mailtoken.DefaultLifetime+24*time.Hour), key), mailtoken.UseReturnPath, good, mailtoken.ErrExpired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.ts.Check(t.Context(), tt.use, tt.token)
			require.ErrorIs(t, err, anymail.ErrUnauthenticated)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
			}
			if len(tt.token) > 8 {
				require.NotContains(t, err.Error(), tt.token[:8])
			}
		})
	}
	_, err := tokens(t, now.Add(mailtoken.DefaultLifetime), key).Check(t.Context(), mailtoken.UseReturnPath, good)
	require.NoError(t, err, "the lifetime is rounded up to a day")
}

// No byte of a token can be changed, whatever it means.
func TestEveryByteIsSigned(t *testing.T) {
	ts := tokens(t, now, key)
	for _, use := range []mailtoken.Use{mailtoken.UseReturnPath, mailtoken.UseUnsubscribe} {
		good := makeToken(t, ts, use, mailtoken.Message{ID: "welcome-1", Recipient: "ada@example.net"})
		for i := range good {
			for _, c := range "abcdefghijklmnopqrstuvwxyz234567" {
				changed := good[:i] + string(c) + good[i+1:]
				if _, err := ts.Check(t.Context(), use, changed); changed != good {
					require.ErrorIs(t, err, anymail.ErrUnauthenticated, changed)
				}
			}
		}
	}
}

func TestRotation(t *testing.T) {
	const second = "another-correct-horse"
	m := mailtoken.Message{ID: "welcome-1", Recipient: "ada@example.net"}
	old := makeToken(t, tokens(t, now, key), mailtoken.UseReturnPath, m)
	rotated := tokens(t, now, second, key)
	claims, err := rotated.Check(t.Context(), mailtoken.UseReturnPath, old)
	require.NoError(t, err)
	require.Equal(t, 1, claims.Key)
	require.True(t, claims.IsFor("ada@example.net"))
	claims, err = rotated.Check(t.Context(), mailtoken.UseReturnPath, makeToken(t, rotated, mailtoken.UseReturnPath, m))
	require.NoError(t, err)
	require.Equal(t, 0, claims.Key)
}

// A key that becomes too short neither makes tokens nor checks them.
func TestWeakKeys(t *testing.T) {
	for _, keys := range [][]string{{"short"}, {""}} {
		_, err := mailtoken.New(mailtoken.Config{Keys: anymail.Keys(keys...)})
		require.ErrorIs(t, err, anymail.ErrConfig)
	}
	_, err := mailtoken.New(mailtoken.Config{})
	require.ErrorIs(t, err, anymail.ErrConfig)

	ring := anymail.NewKeyRing(key)
	ts, err := mailtoken.New(mailtoken.Config{Keys: ring})
	require.NoError(t, err)
	token := makeToken(t, ts, mailtoken.UseMessageID, mailtoken.Message{ID: "1"})
	ring.Set("short")
	const ofShortKey = "iaaaamo2tqlulmc3xqdtmihg7u" // made by testdata/vectors.py
	_, err = ts.Check(t.Context(), mailtoken.UseMessageID, ofShortKey)
	require.ErrorIs(t, err, mailtoken.ErrForged)
	_, err = ts.MessageID(t.Context(), mailtoken.Message{ID: "1"}, "example.com")
	require.ErrorIs(t, err, anymail.ErrUnavailable)

	broken, err := mailtoken.New(mailtoken.Config{Keys: anymail.KeyFunc(func(context.Context) ([]string, error) { return nil, errors.New("vault is sealed") })})
	require.NoError(t, err)
	_, err = broken.Check(t.Context(), mailtoken.UseMessageID, token)
	require.ErrorIs(t, err, anymail.ErrUnavailable)
	_, err = broken.MessageID(t.Context(), mailtoken.Message{ID: "1"}, "example.com")
	require.ErrorIs(t, err, anymail.ErrUnavailable)
}

func TestReturnPath(t *testing.T) {
	ts := tokens(t, now, key)
	tests := []struct {
		name, address, id string
		ok                bool
	}{
		{"plus", "bounce+@example.com", "welcome-1", true},
		{"hyphen", "bounce-@example.com", "welcome-1", true},
		{"equals sign", "news=@example.com", "welcome-1", true},
		{"domain of its own", "@bounces.example.com", "welcome-1", true},
		{"a UUID", "bounce+@example.com", "0190a3b2-7c4d-7e5f-8a9b-0c1d2e3f4a5b", true},
		{"32 digits", "bounce+@example.com", "0190a3b27c4d7e5f8a9b0c1d2e3f4a5b", true},
		{"16 bytes", "bounce+@example.com", "order-2026-00042", true},
		{"17 bytes", "bounce+@example.com", "order-2026-000042", false},
		{"no delimiter", "bounce@example.com", "welcome-1", false},
		{"no domain", "bounce+@", "welcome-1", false},
		{"no address", "bounce+", "welcome-1", false},
		{"a line end", "bounce\r\n+@example.com", "welcome-1", false},
		{"no id", "bounce+@example.com", "", false},
		{"a space in the id", "bounce+@example.com", "welcome 1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address, err := ts.ReturnPath(t.Context(), mailtoken.Message{ID: tt.id, Recipient: "ada@example.net"}, tt.address)
			if !tt.ok {
				require.ErrorIs(t, err, anymail.ErrConfig)
				return
			}
			require.NoError(t, err)
			local, _, _ := strings.Cut(address, "@")
			require.LessOrEqual(t, len(local), 64)
			for _, seen := range []string{address, strings.ToUpper(address), "<" + address + ">"} {
				claims, err := ts.Check(t.Context(), mailtoken.UseReturnPath, mailtoken.InAddress(seen))
				require.NoError(t, err)
				require.Equal(t, tt.id, claims.ID)
			}
		})
	}
}

func TestListUnsubscribe(t *testing.T) {
	ts := tokens(t, now, key)
	m := mailtoken.Message{ID: "news", Recipient: "ada@example.net"}
	hs, err := ts.ListUnsubscribe(t.Context(), m, "https://example.com/anymail/oneclick/?list=7", "unsubscribe@example.com")
	require.NoError(t, err)
	require.Equal(t, "List-Unsubscribe=One-Click", hs.Get("List-Unsubscribe-Post"))
	web, mail, _ := strings.Cut(hs.Get("List-Unsubscribe"), ", ")
	claims, err := ts.Check(t.Context(), mailtoken.UseUnsubscribe, mailtoken.InURL(strings.Trim(web, "<>")))
	require.NoError(t, err)
	require.Equal(t, m, mailtoken.Message{ID: claims.ID, Recipient: claims.Recipient})
	require.Regexp(t, `^<mailto:unsubscribe@example\.com\?subject=unsubscribe%20[a-z2-7]+>$`, mail)

	hs, err = ts.ListUnsubscribe(t.Context(), m, "", "unsubscribe@example.com")
	require.NoError(t, err)
	require.Empty(t, hs.Get("List-Unsubscribe-Post"), "it is for a URL")

	for _, bad := range [][2]string{{"", ""}, {"http://example.com/", ""}, {"example.com", ""}, {"https://example.com/\r\nBcc: eve@example.com", ""}, {"", "unsubscribe"}, {"", "a@example.com>\r\nBcc"}} {
		_, err := ts.ListUnsubscribe(t.Context(), m, bad[0], bad[1])
		require.ErrorIs(t, err, anymail.ErrConfig, "%q", bad)
	}
	_, err = ts.Unsubscribe(t.Context(), mailtoken.Message{ID: "news"})
	require.ErrorIs(t, err, anymail.ErrConfig)
}

func TestMessageLimits(t *testing.T) {
	ts := tokens(t, now, key)
	largest := mailtoken.Message{ID: strings.Repeat("z", mailtoken.MaxID), Recipient: strings.Repeat("r", mailtoken.MaxRecipient)}
	token := makeToken(t, ts, mailtoken.UseUnsubscribe, largest)
	claims, err := ts.Check(t.Context(), mailtoken.UseUnsubscribe, token)
	require.NoError(t, err)
	require.Equal(t, largest.Recipient, claims.Recipient)
	require.Equal(t, token, mailtoken.InURL("https://example.com/?t="+token))

	for _, m := range []mailtoken.Message{
		{ID: largest.ID + "z"},
		{ID: "1", Recipient: largest.Recipient + "r"},
		{ID: "1", Recipient: "a\nb@example.net"},
		{ID: "\xff"},
		{ID: "1", Expires: time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)},
		{ID: "1", Expires: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		_, err := ts.MessageID(t.Context(), m, "example.com")
		require.ErrorIs(t, err, anymail.ErrConfig)
	}
	_, err = ts.MessageID(t.Context(), mailtoken.Message{ID: "1"}, "example.com>\r\nBcc")
	require.ErrorIs(t, err, anymail.ErrConfig)
}

func TestInAddress(t *testing.T) {
	token := strings.Repeat("a", 40)
	for address, want := range map[string]string{
		"bounce+" + token + "@example.com":                     token,
		token + "@bounces.example.com":                         token,
		"prvs=0123456789=bounce+" + token + "@example.com":     token,
		"<20260205." + token + "@example.com>":                 token,
		"bounce+ada=example.net@example.com":                   "",
		"bounce@example.com":                                   "",
		token:                                                  "",
		"bounce+" + strings.Repeat("a", 1000) + "@example.com": "",
		"": "",
	} {
		require.Equal(t, want, mailtoken.InAddress(address), address)
	}
}

func FuzzCheck(f *testing.F) {
	ts := tokens(f, now, key)
	for _, use := range []mailtoken.Use{mailtoken.UseReturnPath, mailtoken.UseMessageID, mailtoken.UseUnsubscribe} {
		f.Add("bounce+"+makeToken(f, ts, use, mailtoken.Message{ID: "welcome-1", Recipient: "ada@example.net"})+"@example.com", "welcome-1", "ada@example.net")
	}
	f.Fuzz(func(t *testing.T, text, id, recipient string) {
		for _, use := range []mailtoken.Use{mailtoken.UseReturnPath, mailtoken.UseMessageID, mailtoken.UseUnsubscribe} {
			for _, token := range []string{text, mailtoken.InAddress(text), mailtoken.InURL(text)} {
				if claims, err := ts.Check(t.Context(), use, token); err == nil && claims.ID != "welcome-1" {
					t.Fatalf("%s: nobody made %q", use, token)
				}
			}
		}
		// Whatever can be put into a token comes out of it.
		made, err := ts.Unsubscribe(t.Context(), mailtoken.Message{ID: id, Recipient: recipient})
		if err != nil {
			require.ErrorIs(t, err, anymail.ErrConfig)
			return
		}
		claims, err := ts.Check(t.Context(), mailtoken.UseUnsubscribe, mailtoken.InURL("?t="+made))
		require.NoError(t, err)
		require.Equal(t, id, claims.ID)
		require.Equal(t, recipient, claims.Recipient)
		bound, err := ts.MessageID(t.Context(), mailtoken.Message{ID: id, Recipient: recipient}, "example.com")
		require.NoError(t, err)
		claims, err = ts.Check(t.Context(), mailtoken.UseMessageID, mailtoken.InAddress(bound))
		require.NoError(t, err)
		require.True(t, claims.IsFor(recipient))
	})
}
