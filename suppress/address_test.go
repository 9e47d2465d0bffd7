package suppress_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/suppress"
)

func TestCanonical(t *testing.T) {
	for _, tt := range []struct{ address, want string }{
		{"ada@example.com", "ada@example.com"},
		{" Ada@Example.COM\t", "ada@example.com"},
		{"<ada@example.com>", "ada@example.com"},
		{`"Lovelace, Ada" <ADA@example.com>`, "ada@example.com"},
		{"=?utf-8?q?Ad=C3=A0?= <ada@example.com>", "ada@example.com"},
		{"ada@example.com (Ada)", "ada@example.com"},
		{"ada@example.com.", "ada@example.com"},
		{"ada+news@example.com", "ada+news@example.com"},
		{"a.d.a@example.com", "a.d.a@example.com"},
		{"ada..l.@docomo.example", "ada..l.@docomo.example"}, // invalid, but some servers have such addresses
		{"ÉMILE@BÜCHER.example", "émile@bücher.example"},
		{"emile@XN--bcher-kva.example", "emile@xn--bcher-kva.example"},
		{"ada@[192.0.2.1]", "ada@[192.0.2.1]"},
		{strings.Repeat("a", 64) + "@" + strings.Repeat("b", 255), strings.Repeat("a", 64) + "@" + strings.Repeat("b", 255)},
		{"", ""},
		{"ada", ""},
		{"@example.com", ""},
		{"ada@", ""},
		{"ada@.", ""},
		{"ada@example.com, bob@example.com", ""},
		{strings.Repeat("a", 65) + "@" + strings.Repeat("b", 255), ""},
	} {
		got, err := suppress.Canonical(tt.address)
		require.Equal(t, tt.want, got, "%q", tt.address)
		if tt.want == "" {
			require.ErrorIs(t, err, anymail.ErrMalformed, "%q", tt.address)
		} else {
			require.NoError(t, err, "%q", tt.address)
		}
	}
}

// A canonical form is one line that a database accepts, and its own canonical form.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{"Ada <ADA@example.com>", "ada@example.com.", "İ@İ.example", "\xff\x00@a", `"a b"@c`, "a@b c", "<a@b>>", "=?utf-8?q?=40?=@a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		canonical, err := suppress.Canonical(address)
		if err != nil {
			require.Empty(t, canonical)
			return
		}
		require.True(t, utf8.ValidString(canonical))
		require.LessOrEqual(t, len(canonical), 320)
		require.False(t, strings.ContainsFunc(canonical, unicode.IsControl), "%q", canonical)
		again, err := suppress.Canonical(canonical)
		require.NoError(t, err, "%q", canonical)
		require.Equal(t, canonical, again)
	})
}
