package capture

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The expectations are what bash makes of the command: printf '%s\n' ARGUMENTS.
func TestShellWords(t *testing.T) {
	for script, want := range map[string][]string{
		"curl\ta  b ":                      {"curl", "a", "b"},
		`curl 'a b'c"d e"\ f`:              {"curl", "a bcd e f"},
		`curl '' ""`:                       {"curl", "", ""},
		"curl a\\\nb \\\n c":               {"curl", "ab", "c"},
		"curl \"a\\\nb\\n\\$\\`\\\"\"":     {"curl", "ab\\n$`\""},
		`curl 'a\' b\'c`:                   {"curl", `a\`, "b'c"},
		`curl $'\a\b\e\E\f\n\r\t\v\\\'\"'`: {"curl", "\a\b\x1b\x1b\f\n\r\t\v\\'\""},
		`curl $'\101\x41\u00e9\U1f600'`:    {"curl", "AAé😀"},
		`curl $'\x4g\xg\z'`:                {"curl", "\x04g\\xg\\z"},
		`curl $"a b"`:                      {"curl", "a b"},
		`curl a$ "b$" $`:                   {"curl", "a$", "b$", "$"},
		"curl a >out 2>&1 b 2>/dev/null":   {"curl", "a", "b"},
		"curl a1>out &>both <in b":         {"curl", "a1", "b"},
		"curl a >> 'out file' b":           {"curl", "a", "b"},
		"curl a | jq .":                    {"curl", "a"},
		"curl a; curl b":                   {"curl", "a"},
		"curl a && curl b":                 {"curl", "a"},
		"curl a & curl b":                  {"curl", "a"},
		"curl a\ncurl b":                   {"curl", "a"},
		"curl a#b #c":                      {"curl", "a#b"},
		"curl {1..3} ~ * ?x=[a] !":         {"curl", "{1..3}", "~", "*", "?x=[a]", "!"},
		"curl \xff\r":                      {"curl", "\xff\r"},
	} {
		words, err := shellWords([]byte(script))
		require.NoError(t, err, script)
		require.Equal(t, want, words, script)
	}
	for script, want := range map[string]error{
		"curl 'a": errQuoting, `curl "a`: errQuoting, `curl $'a\'`: errQuoting, "curl (a)": errQuoting,
		"curl $a": errExpansion, "curl ${a}": errExpansion, `curl "$(a)"`: errExpansion, "curl `a`": errExpansion, "curl <(a)": errExpansion, `curl "a $1"`: errExpansion,
	} {
		_, err := shellWords([]byte(script))
		require.ErrorIs(t, err, want, script)
	}
}
