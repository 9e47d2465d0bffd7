package inbound_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
)

func TestAddresses(t *testing.T) {
	type list = []anymail.Address
	for in, want := range map[string]list{
		"":                                nil,
		" , ,;":                           nil,
		"a@example.org":                   {{Address: "a@example.org"}},
		"<a@example.org>":                 {{Address: "a@example.org"}},
		"a@example.org, b@example.org":    {{Address: "a@example.org"}, {Address: "b@example.org"}},
		"Ann <a@example.org>":             {{Name: "Ann", Address: "a@example.org"}},
		`"Lee, Ann" <a@example.org>`:      {{Name: "Lee, Ann", Address: "a@example.org"}},
		`"Ann \"A\" Lee" <a@example.org>`: {{Name: `Ann "A" Lee`, Address: "a@example.org"}},
		`Ann "A" Lee <a@example.org>`:     {{Name: "Ann A Lee", Address: "a@example.org"}},
		"a@example.org (Ann Lee)":         {{Name: "Ann Lee", Address: "a@example.org"}},
		"Ann (not (Bob)) <a@example.org>": {{Name: "Ann", Address: "a@example.org"}},
		`a@example.org (Ann \) Lee)`:      {{Name: `Ann ) Lee`, Address: "a@example.org"}},
		"(a, b) a@example.org":            {{Name: "a, b", Address: "a@example.org"}},
		`Pete(A nice \) chap) <pete(his account)@silly.test(his host)>`: {{Name: "Pete", Address: "pete@silly.test"}}, // RFC 5322, A.5
		"Ann <(never@example.org>":                                      {{Name: "Ann", Address: "(never@example.org"}},
		`"a b"@example.org`:                                             {{Address: `"a b"@example.org`}},
		`Ann <"a, b"@example.org>`:                                      {{Name: "Ann", Address: `"a, b"@example.org`}},
		"a@[IPv6:2001:db8::1]":                                          {{Address: "a@[IPv6:2001:db8::1]"}},
		"Jürgen <jürgen@exämple.org>":                                   {{Name: "Jürgen", Address: "jürgen@exämple.org"}},
		"J\xfcrgen <j@example.org>":                                     {{Name: "Jürgen", Address: "j@example.org"}},

		// Groups.
		"Friends: a@example.org, Bob <b@example.org>;": {{Address: "a@example.org"}, {Name: "Bob", Address: "b@example.org"}},
		"undisclosed-recipients:;":                     nil,
		"Undisclosed recipients: ;, a@example.org":     {{Address: "a@example.org"}},
		"One: a@example.org; Two:; b@example.org":      {{Address: "a@example.org"}, {Address: "b@example.org"}},

		// Encoded words.
		"=?utf-8?Q?J=C3=BCrgen?= Ng <j@example.org>":      {{Name: "Jürgen Ng", Address: "j@example.org"}},
		`"=?utf-8?Q?J=C3=BCrgen?=" <j@example.org>`:       {{Name: "Jürgen", Address: "j@example.org"}},
		"=?utf-8?Q?Ng=2C_J?= <j@example.org>":             {{Name: "Ng, J", Address: "j@example.org"}},
		"=?utf-8?Q?Ng,_J?= <j@example.org>":               {{Name: "Ng, J", Address: "j@example.org"}}, // not allowed, but seen
		"j@example.org (=?utf-8?Q?J=C3=BCrgen?=)":         {{Name: "Jürgen", Address: "j@example.org"}},
		"=?utf-8?B?QW5uIDxhQGV4YW1wbGUub3JnPg==?=":        {{Name: "Ann", Address: "a@example.org"}}, // all of it is encoded
		"=?utf-8?Q?a=40example=2Eorg?= <b@example.org>":   {{Name: "a@example.org", Address: "b@example.org"}},
		"=?utf-8?Q?broken <j@example.org>, k@example.org": {{Name: "=?utf-8?Q?broken", Address: "j@example.org"}, {Address: "k@example.org"}},
		"=?utf-8?Q?nobody?=":                              nil,

		// Quotes within quotes.
		`"Blah "One, comma" bar" <a@example.org>`:            {{Name: `Blah "One, comma" bar`, Address: "a@example.org"}},
		`"Ann "A" Lee" <a@example.org>, "B" <b@example.org>`: {{Name: `Ann "A" Lee`, Address: "a@example.org"}, {Name: "B", Address: "b@example.org"}},
		`"The "A" and "B" team" <t@example.org>`:             {{Name: `The "A" and "B" team`, Address: "t@example.org"}},
		`"Ann "A <a@example.org>, "Bob" <b@example.org>`:     {{Name: "Ann A", Address: "a@example.org"}, {Name: "Bob", Address: "b@example.org"}},
		`"Lee" Ann <a@example.org>, "Bob" <b@example.org>`:   {{Name: "Lee Ann", Address: "a@example.org"}, {Name: "Bob", Address: "b@example.org"}},
		`"Ann" "Lee" <a@example.org>`:                        {{Name: "Ann Lee", Address: "a@example.org"}},

		// Comments and blanks within an address.
		"jdoe@test   . example":                  {{Address: "jdoe@test.example"}}, // RFC 5322, A.6.3
		"John <jdoe@machine(comment).  example>": {{Name: "John", Address: "jdoe@machine.example"}},
		"Ann <ann @ example . org>":              {{Name: "Ann", Address: "ann@example.org"}},
		"< a . b @example.org >":                 {{Address: "a.b@example.org"}},
		"ann @example.org":                       {{Address: "ann@example.org"}},
		"ann@ example.org, bob @ example.org":    {{Address: "ann@example.org"}, {Address: "bob@example.org"}},
		"ann(home)@(the)example.org":             {{Name: "homethe", Address: "ann@example.org"}},
		"John Q. Public j@example.org":           {{Name: "John Q. Public", Address: "j@example.org"}},

		// Two addresses without a comma.
		"a@example.org b@example.org":                          {{Address: "a@example.org"}, {Address: "b@example.org"}},
		"Ann <a@example.org> Bob <b@example.org>":              {{Name: "Ann", Address: "a@example.org"}, {Name: "Bob", Address: "b@example.org"}},
		"<a@example.org><b@example.org>":                       {{Address: "a@example.org"}, {Address: "b@example.org"}},
		"<a@example.org> b@example.org":                        {{Address: "a@example.org"}, {Address: "b@example.org"}},
		"Ann <a@example.org> Bob b@example.org, c@example.org": {{Name: "Ann", Address: "a@example.org"}, {Name: "Bob", Address: "b@example.org"}, {Address: "c@example.org"}},

		// Malformed.
		"John Q. Public <j@example.org>, [Bob] <b@example.org>":         {{Name: "John Q. Public", Address: "j@example.org"}, {Name: "[Bob]", Address: "b@example.org"}},
		"a@example.org; b@example.org":                                  {{Address: "a@example.org"}, {Address: "b@example.org"}},
		"a@example.org <b@example.org>":                                 {{Name: "a@example.org", Address: "b@example.org"}},
		"Ann a@example.org":                                             {{Name: "Ann", Address: "a@example.org"}},
		`"Ann Lee" a@example.org`:                                       {{Name: "Ann Lee", Address: "a@example.org"}},
		`"a@example.org"`:                                               {{Address: "a@example.org"}},
		"'Ann' <a@example.org>":                                         {{Name: "Ann", Address: "a@example.org"}},
		"<'a@example.org'>":                                             {{Address: "a@example.org"}},
		"<mailto:a@example.org>":                                        {{Address: "a@example.org"}},
		"MAILTO:a@example.org":                                          {{Address: "a@example.org"}},
		"<@relay.example.com:a@example.org>":                            {{Address: "a@example.org"}},
		"< a@example.org >":                                             {{Address: "a@example.org"}},
		"<<a@example.org>>":                                             {{Address: "a@example.org"}},
		"Ann <a@example.org":                                            {{Name: "Ann", Address: "a@example.org"}},
		"Ann <a@example.org, Bob <b@example.org>":                       {{Name: "Ann", Address: "a@example.org"}, {Name: "Bob", Address: "b@example.org"}},
		`"Ann <a@example.org>, b@example.org`:                           {{Name: "Ann", Address: "a@example.org"}, {Address: "b@example.org"}},
		`"Lee, A" <a@example.org>, "Bob <b@example.org>, c@example.org`: {{Name: "Lee, A", Address: "a@example.org"}, {Name: "Bob", Address: "b@example.org"}, {Address: "c@example.org"}},
		"Ann (never <a@example.org>, b@example.org":                     {{Name: "Ann (never", Address: "a@example.org"}, {Address: "b@example.org"}},
		"Ann <>":                        nil,
		"<>":                            nil,
		"a@example.org <>":              {{Address: "a@example.org"}},
		"Ann Lee":                       nil,
		"root":                          nil,
		"MAILER-DAEMON (Mail Delivery)": nil,
		"Mail Delivery <MAILER-DAEMON>": nil,
		"undisclosed, @ann, bob@, @, a@example.org": {{Address: "a@example.org"}},
		"Lee, Ann <a@example.org>":                  {{Name: "Ann", Address: "a@example.org"}},
		"a@example.org\r\nBcc: b@example.org":       {{Name: "a@example.org Bcc:", Address: "b@example.org"}}, // one line is one line
	} {
		require.Empty(t, cmp.Diff(want, inbound.Addresses(in)), "%q", in)
	}
	require.Len(t, inbound.Addresses(strings.Repeat("a@example.org,", 5001)), 5000)
	require.Len(t, inbound.Addresses(`"`+strings.Repeat("a@example.org,", 5001)), 5000)
}
