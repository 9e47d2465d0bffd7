package verify_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

func TestToken(t *testing.T) {
	tests := []struct {
		name    string
		token   verify.Token
		headers []string
		key     int
		err     string
	}{
		{"own header", verify.Token{Keys: anymail.Keys("s1", "s2"), Header: "x-token"}, []string{"X-Token", "s2"}, 1, ""},
		{"bearer", verify.Token{Keys: anymail.Keys("s1"), Scheme: "Bearer"}, []string{"Authorization", "Bearer s1"}, 0, ""},
		{"bearer in lower case", verify.Token{Keys: anymail.Keys("s1"), Scheme: "Bearer"}, []string{"Authorization", "bearer  s1"}, 0, ""},
		{"secret in another case", verify.Token{Keys: anymail.Keys("s1"), Scheme: "Bearer"}, []string{"Authorization", "Bearer S1"}, 0, mismatch},
		{"another scheme", verify.Token{Keys: anymail.Keys("s1"), Scheme: "Bearer"}, []string{"Authorization", "Basic s1"}, 0, mismatch},
		{"no scheme", verify.Token{Keys: anymail.Keys("s1"), Scheme: "Bearer"}, []string{"Authorization", "s1"}, 0, mismatch},
		{"scheme alone", verify.Token{Keys: anymail.Keys("s1", ""), Scheme: "Bearer"}, []string{"Authorization", "Bearer "}, 0, mismatch},
		{"unexpected scheme", verify.Token{Keys: anymail.Keys("s1")}, []string{"Authorization", "Bearer s1"}, 0, mismatch},
		{"wrong", verify.Token{Keys: anymail.Keys("s1", "s2"), Header: "X-Token"}, []string{"X-Token", "s3"}, 0, mismatch},
		{"a beginning", verify.Token{Keys: anymail.Keys("s1"), Header: "X-Token"}, []string{"X-Token", "s"}, 0, mismatch},
		{"missing", verify.Token{Keys: anymail.Keys("s1"), Header: "X-Token"}, nil, 0, noSignature},
		{"repeated", verify.Token{Keys: anymail.Keys("s1"), Header: "X-Token"}, []string{"X-Token", "s1", "X-Token", "s1"}, 0, repeated},
		{"no keys", verify.Token{Header: "X-Token"}, []string{"X-Token", "s1"}, 0, noKeys},
		{"only an empty key", verify.Token{Keys: anymail.Keys(""), Header: "X-Token"}, []string{"X-Token", " "}, 0, mismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := request("", tt.headers...)
			if tt.err != "" {
				refuses(t, tt.token.Verifier(), p, tt.err)
				return
			}
			require.Empty(t, cmp.Diff(anymail.Proof{Key: tt.key}, proves(t, tt.token.Verifier(), p)))
		})
	}
	_, err := verify.MatchSecret(t.Context(), anymail.Keys(""), "")
	require.EqualError(t, err, mismatch, "an empty secret matches nothing")
}

func TestTokenCheck(t *testing.T) {
	down := errors.New("token server is down")
	check := func(_ context.Context, token string) error {
		switch token {
		case "good":
			return nil
		case "down":
			return down
		}
		return anymail.Because(anymail.ErrUnauthenticated, "unknown token", errors.New(token))
	}
	bearer := verify.Token{Check: check, Scheme: "Bearer"}.Verifier()
	for name, tt := range map[string]struct {
		headers []string
		err     string
	}{
		"valid":                {[]string{"Authorization", "Bearer good"}, ""},
		"scheme in lower case": {[]string{"Authorization", "bearer  good"}, ""},
		"invalid":              {[]string{"Authorization", "Bearer s3cret"}, "not authenticated: token refused"},
		"cannot tell":          {[]string{"Authorization", "Bearer down"}, "unavailable: token check: token server is down"},
		"another scheme":       {[]string{"Authorization", "Basic good"}, mismatch},
		"scheme alone":         {[]string{"Authorization", "Bearer "}, noSignature},
		"missing":              {nil, noSignature},
		"repeated":             {[]string{"Authorization", "Bearer good", "Authorization", "Bearer good"}, repeated},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.err != "" {
				refuses(t, bearer, request("", tt.headers...), tt.err)
				return
			}
			require.Empty(t, cmp.Diff(anymail.Proof{}, proves(t, bearer, request("", tt.headers...))))
		})
	}
	_, err := bearer.Verify(t.Context(), request("", "Authorization", "Bearer down"))
	require.ErrorIs(t, err, anymail.ErrUnavailable)
	require.ErrorIs(t, err, down)
}
