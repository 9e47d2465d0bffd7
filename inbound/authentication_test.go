package inbound_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
)

func TestSetAuthentication(t *testing.T) {
	const results = "Authentication-Results"
	for _, tt := range []struct {
		name    string
		headers anymail.Headers
		want    anymail.Authentication
	}{
		{"no headers", nil, anymail.Authentication{}},
		{"all methods", anymail.Headers{{Name: results, Value: "mx.example.com; spf=pass smtp.mailfrom=example.org; dkim=PASS header.d=example.org; dmarc=fail (p=none; sp=none) header.from=example.org"}},
			anymail.Authentication{SPF: "pass", DKIM: "pass", DMARC: "fail"}},
		{"no result", anymail.Headers{{Name: results, Value: "mx.example.com 1; none"}}, anymail.Authentication{}},
		{"no server", anymail.Headers{{Name: results, Value: "spf=softfail (sender IP is 192.0.2.1) smtp.mailfrom=example.org;dkim=none"}},
			anymail.Authentication{SPF: "softfail", DKIM: "none"}},
		{"version and spaces", anymail.Headers{{Name: results, Value: "mx.example.com (a; b) ; spf/1 = neutral reason=\"dkim=pass; x\""}},
			anymail.Authentication{SPF: "neutral"}},
		{"one of two signatures passes", anymail.Headers{{Name: results, Value: "mx; dkim=fail header.d=a.example; dkim=pass header.d=b.example; dkim=temperror; spf=fail; spf=pass"}},
			anymail.Authentication{DKIM: "pass", SPF: "fail"}},
		{"same server twice", anymail.Headers{{Name: results, Value: "mx; dkim=pass"}, {Name: results, Value: "MX; dmarc=pass; dkim=fail"}},
			anymail.Authentication{DKIM: "pass", DMARC: "pass"}},
		{"same server, the second header passes", anymail.Headers{{Name: results, Value: "mx; dkim=fail"}, {Name: results, Value: "mx; dkim=pass"}},
			anymail.Authentication{DKIM: "fail"}},
		{"results without a server after others", anymail.Headers{{Name: results, Value: "dkim=none"}, {Name: results, Value: "dmarc=pass; dkim=pass"}},
			anymail.Authentication{DKIM: "none"}},
		{"quoted semicolon", anymail.Headers{{Name: results, Value: `"mx"; spf=fail reason="no (; dmarc=pass"; dkim=none`}, {Name: results, Value: "mx; dmarc=fail"}},
			anymail.Authentication{SPF: "fail", DKIM: "none", DMARC: "fail"}},
		{"unclosed quote", anymail.Headers{{Name: results, Value: `mx; spf=fail (x) reason="no; dkim=none`}}, anymail.Authentication{SPF: "fail", DKIM: "none"}},
		{"added by the sender", anymail.Headers{{Name: results, Value: "mx; dkim=none"}, {Name: results, Value: "evil.example.org; dmarc=pass; dkim=pass"}},
			anymail.Authentication{DKIM: "none"}},
		{"received-spf", anymail.Headers{{Name: "Received-SPF", Value: "Fail (mx.example.com: domain of a@example.org) client-ip=192.0.2.1"}, {Name: "Received-SPF", Value: "pass"}},
			anymail.Authentication{SPF: "fail"}},
		{"received-spf after results", anymail.Headers{{Name: "Received-SPF", Value: "fail"}, {Name: results, Value: "mx; spf=pass"}},
			anymail.Authentication{SPF: "pass"}},
		{"unclosed comment", anymail.Headers{{Name: results, Value: "mx; spf=pass; dkim=(none; dmarc=pass"}},
			anymail.Authentication{SPF: "pass"}},
		{"unreadable", anymail.Headers{{Name: results, Value: ";;=;="}, {Name: "Received-SPF", Value: "(x"}}, anymail.Authentication{}},
	} {
		m := anymail.InboundMessage{Headers: tt.headers}
		inbound.SetAuthentication(&m)
		require.Empty(t, cmp.Diff(tt.want, m.Authentication), tt.name)
	}
	m := anymail.InboundMessage{
		Headers:        anymail.Headers{{Name: results, Value: "mx; spf=pass; dkim=pass"}},
		Authentication: anymail.Authentication{SPF: "fail"},
	}
	inbound.SetAuthentication(&m)
	require.Equal(t, anymail.Authentication{SPF: "fail", DKIM: "pass"}, m.Authentication, "the result of the ESP stays")
}
