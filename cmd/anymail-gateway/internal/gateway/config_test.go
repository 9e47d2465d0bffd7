package gateway_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail-gateway/internal/gateway"
	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/esp/all/allsim"
)

const (
	sharedSecret = "anymail:Yk3vQ8sZ1mB6tR9w"
	otherSecret  = "anymail:pL0xW7cD2nF5hJ4g"
	whsec        = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" // 32 digits
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestLoadWithoutAnything(t *testing.T) {
	config, err := gateway.Load("", nil)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:8026", config.Listen)
	require.Equal(t, "127.0.0.1:8027", config.Admin)
	require.Len(t, config.Adapters, len(all.Specs()))
	require.True(t, config.WantsSecret)
	require.Equal(t, "none", config.Queue)
	require.Len(t, config.Sinks, 1)
	require.Equal(t, "stdout", config.Sinks[0].Type)
	require.Equal(t, "stdout", config.Sinks[0].Name)
}

func TestLoadEverything(t *testing.T) {
	dir := t.TempDir()
	secrets := write(t, dir, "secrets", "\n"+sharedSecret+"\n  "+otherSecret+"  \n")
	const key = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----" // of many lines, but one value
	pem := write(t, dir, "key.pem", key+"\n")
	file := write(t, dir, "anymail.yaml", `
listen: ":80"
admin: off
path: /hooks
public_url: https://example.com/hooks
require_tls: true
trusted_proxies: [10.0.0.0/8, 192.0.2.1]
forwarded_headers: [X-Forwarded-For, X-Forwarded-Prefix]
shared_secrets_file: `+secrets+`
reject_status: 404
rate_limit:
  per_address: {per_second: 0.5, burst: 10}
  addresses: 100
limits: {body: 5MB, fetch: 1MiB, body_time: 10s, body_rate: 1KiB, mime_depth: 3, reading: 7, in_flight: 9, memory: 1GiB}
idempotency: sqlite:done.db
queue: postgres://user@db.example.com/mail
delivery: {workers: 3, timeout: 5s, max_attempts: 7, retention: 1h, dead_letter_retention: 720h, max_pending: 5, max_repeats: 9}
adapters:
  - esp: mailgun
    name: mailgun-eu
    settings: {signing_keys: [first, "0123"], api_keys_file: `+pem+`}
    shared_secrets: []
    allowed_addresses: 198.51.100.0/24
  - {esp: amazon_ses, settings: {require_sha256: true}}
sinks:
  - {type: webhook, name: crm, url: "https://crm.example.com/in", secrets: `+whsec+`, timeout: 3s, kinds: [tracking], raw: false}
  - {type: nats, url: nats://127.0.0.1:4222, topic: mail, esps: [mailgun], types: [bounced, complained], attachments: none, raw: true, raw_mime: true}
  - {type: amqp, url: amqp://127.0.0.1, topic: mail, exchange: events, attachments: {directory: parts}}
  - type: webhook
    url: https://example.com
    headers: {Authorization_file: `+secrets+`, X-Tenant: [a, b]}
    attachments: {directory: others, max_bytes: 1GiB}
log: {format: json, level: debug}
stop_timeout: 9s
`)
	got, err := gateway.Load(file, []string{"PATH=/bin"})
	require.NoError(t, err)
	want := &gateway.Config{
		Listen: ":80", Admin: "off", Path: "/hooks", PublicURL: "https://example.com/hooks", RequireTLS: true,
		TrustedProxies:   []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")},
		ForwardedHeaders: []string{"X-Forwarded-For", "X-Forwarded-Prefix"},
		SharedSecrets:    []string{sharedSecret, otherSecret},
		RejectStatus:     404,
		RateLimit:        gateway.RateLimit{PerAddress: gateway.Rate{PerSecond: 0.5, Burst: 10}, Addresses: 100},
		Limits:           gateway.Limits{Body: 5_000_000, Fetch: 1 << 20, BodyTime: 10 * time.Second, BodyRate: 1 << 10, MIMEDepth: 3, Reading: 7, InFlight: 9, Memory: 1 << 30},
		Refused:          gateway.Refused{Files: 100, Bytes: 64 << 20, Body: 8 << 20},
		Idempotency:      "sqlite:done.db",
		Queue:            "postgres://user@db.example.com/mail",
		Delivery:         gateway.Delivery{Workers: 3, Timeout: 5 * time.Second, MaxAttempts: 7, Retention: time.Hour, DeadLetterRetention: 720 * time.Hour, MaxPending: 5, MaxRepeats: 9},
		Adapters: []gateway.Adapter{
			{
				ESP: "mailgun", Name: "mailgun-eu", Settings: map[string][]string{"signing_keys": {"first", "0123"}, "api_keys": {key}},
				SharedSecrets: []string{}, AllowedAddresses: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")},
			},
			{ESP: "amazon_ses", Name: "amazon_ses", Settings: map[string][]string{"require_sha256": {"true"}}},
		},
		Sinks: []gateway.Sink{
			{Type: "webhook", Name: "crm", URL: "https://crm.example.com/in", Secrets: []string{whsec}, Timeout: 3 * time.Second, Kinds: []string{"tracking"}, Raw: anymail.No, Attachments: gateway.Attachments{Mode: "inline"}},
			{Type: "nats", Name: "nats", URL: "nats://127.0.0.1:4222", Topic: "mail", Timeout: 15 * time.Second, ESPs: []string{"mailgun"}, Types: []string{"bounced", "complained"}, Raw: anymail.Yes, RawMIME: true, Attachments: gateway.Attachments{Mode: "none"}},
			{Type: "amqp", Name: "amqp", URL: "amqp://127.0.0.1", Topic: "mail", Exchange: "events", Timeout: 15 * time.Second, Attachments: gateway.Attachments{Directory: "parts", MaxBytes: 10 << 30}},
			{
				Type: "webhook", Name: "webhook", URL: "https://example.com", Timeout: 15 * time.Second, Attachments: gateway.Attachments{Directory: "others", MaxBytes: 1 << 30},
				Headers: map[string][]string{"Authorization": {sharedSecret, otherSecret}, "X-Tenant": {"a", "b"}},
			},
		},
		Log:         gateway.Log{Format: "json", Level: "debug"},
		StopTimeout: 9 * time.Second,
	}
	// cmp distinguishes an empty list from none: shared_secrets does.
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{}), cmpopts.IgnoreUnexported(gateway.Config{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	require.NoError(t, gateway.Check(got))
}

func TestEnvironmentGoesOverTheFile(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "anymail.yaml", "listen: :1\nshared_secrets: "+otherSecret+"\nlimits: {body: 1MB, in_flight: 5}\nsinks: [{type: stdout, name: out}]\n")
	queue := write(t, dir, "queue", "sqlite:"+dir+"/events.db\n")
	got, err := gateway.Load(file, []string{
		"ANYMAIL_LISTEN=127.0.0.1:2",
		"ANYMAIL_SHARED_SECRETS=" + sharedSecret + ", " + otherSecret,
		"ANYMAIL_LIMITS_BODY=2MB",
		"ANYMAIL_REQUIRE_TLS=true",
		"ANYMAIL_QUEUE_FILE=" + queue,
		"ANYMAIL_PATH=",
		`ANYMAIL_ADAPTERS=[{esp: postmark}]`,
		"ANYMAIL_LISTN=typo",
		"ANYMAIL_TEST_NATS=nats://127.0.0.1:4222",
	})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:2", got.Listen)
	require.Equal(t, []string{sharedSecret, otherSecret}, got.SharedSecrets)
	require.Equal(t, gateway.Size(2_000_000), got.Limits.Body)
	require.Equal(t, 5, got.Limits.InFlight)
	require.True(t, got.RequireTLS)
	require.Equal(t, "/anymail", got.Path, "an empty variable is like none")
	require.Equal(t, "sqlite:"+dir+"/events.db", got.Queue)
	require.Len(t, got.Adapters, 1)
	require.Equal(t, "out", got.Sinks[0].Name)
	require.Equal(t, []string{"the environment variable ANYMAIL_LISTN is unknown to the gateway"}, got.Warnings)
}

// Each error names the key. None quotes a value, which could be a secret.
func TestErrorsNameTheKey(t *testing.T) {
	dir := t.TempDir()
	empty := write(t, dir, "empty", " \n")
	two := write(t, dir, "two", "a\nb\n")
	pem := write(t, dir, "pem", "-----BEGIN KEY-----\nSECRET\n-----END KEY-----\n")
	adapter := func(text string) string { return "adapters:\n  - " + text }
	sink := func(text string) string { return "sinks:\n  - {" + text + "}" }
	tests := []struct {
		name, yaml, want string
	}{
		{"no YAML", "listen: [", "anymail.yaml: yaml: line 1"},
		{"secret without quotes", "shared_secrets: *SECRET", "anymail.yaml: yaml: unknown anchor '...' referenced"},
		{"queue in no directory", "queue: sqlite:/nowhere/events.db", "anymail.yaml:1: queue: the file's directory: "},
		{"queue of a wrong port", "queue: postgres://u:SECRET@host:port/db?password=SECRET", "anymail.yaml:1: queue: PostgreSQL's client refuses it: invalid port"},
		{"idempotency of a wrong mode", "idempotency: postgres:host=h password=SECRET sslmode=SECRET", "anymail.yaml:1: idempotency: PostgreSQL's client refuses it: failed to configure TLS (sslmode is invalid)"},
		{"a list", "- listen", "anymail.yaml: must have keys and values"},
		{"two documents", "listen: :1\n---\nlisten: :2", "more than one document"},
		{"unknown", "\nlissten: :1", "anymail.yaml:2: lissten: unknown key (did you mean listen?)"},
		{"quite unknown", "\ncolour: red", "anymail.yaml:2: colour: unknown key; known are adapters, adapters_directory, admin,"},
		{"nearly", "public-url: https://example.com", "public-url: unknown key (did you mean public_url?)"},
		{"unknown below", "limits: {size: 1}", "limits.size: unknown key"},
		{"twice", "listen: :1\nlisten: :2", "anymail.yaml:2: listen: is set more than once"},
		{"value and file", "queue: none\nqueue_file: /dev/null", "queue_file: is set more than once"},
		{"file of a key that is not a secret", "listen_file: /dev/null", "listen_file: unknown key"},
		{"no such file", "shared_secrets_file: /nowhere/at/all", "shared_secrets_file: open /nowhere/at/all"},
		{"empty file", "shared_secrets_file: " + empty, "shared_secrets_file: " + empty + " is empty"},
		{"two lines", "queue_file: " + two, "queue_file: " + two + " has more than one line"},
		{"listen", "listen: localhost", "listen: must be an address and port"},
		{"listen is a list", "listen: [a]", "listen: must be one value"},
		{"admin", "admin: nowhere", "admin: must be an address and port"},
		{"admin like listen", "listen: :1\nadmin: :1", "anymail.yaml:2: admin: must not be the address of listen"},
		{"path", "path: hooks/", "path: must be a plain path"},
		{"public_url", "public_url: example.com", "public_url: must be a URL"},
		{"tls.key", "tls: {cert: a.pem}", "anymail.yaml:1: tls.key: is missing"},
		{"tls.cert", "tls: {key: a.pem}", "tls.cert: is missing"},
		{"tls files", "tls: {cert: /nowhere.pem, key: /nowhere.key}", "tls.cert: open /nowhere.pem"},
		{"require_tls", "require_tls: perhaps", "require_tls: must be true or false"},
		{"trusted_proxies", "trusted_proxies: [10.0.0.0/8, proxy]", `trusted_proxies[1]: "proxy" is neither an address nor a network`},
		{"shared_secrets form", "shared_secrets: [SECRET]", "anymail.yaml:1: shared_secrets[0]: "},
		{"shared_secrets of keys", "shared_secrets: {a: SECRET}", "shared_secrets: must be a text or a list of texts"},
		{"weak shared secret", "shared_secrets: ['a:SECRET']", "anymail.yaml:1: shared_secrets[0]: "},
		{"reject_status", "reject_status: 200", "reject_status: must be 400 to 499"},
		{"reject_status text", "reject_status: none", "reject_status: must be a whole number"},
		{"rate", "rate_limit: {failures: {per_second: -1}}", "rate_limit.failures.per_second: must be 0 or 0.00001 to 1000000"},
		{"rate text", "rate_limit: {failures: {per_second: many}}", "rate_limit.failures.per_second: must be a number"},
		{"size", "limits: {body: big}", "limits.body: must be a size"},
		{"negative", "limits: {form_fields: -1}", "limits.form_fields: must be a whole number"},
		{"in_flight", "limits: {in_flight: 0}", "limits.in_flight: must be 1 to 100000"},
		{"duration without unit", "limits: {body_time: 30}", "limits.body_time: must be a time such as 30s"},
		{"idempotency", "idempotency: redis", "idempotency: must be memory, sqlite:FILE or postgres://"},
		{"idempotency none", "idempotency: none", "idempotency: must be memory"},
		{"queue", "queue: memory", "queue: must be none, sqlite:FILE or postgres://"},
		{"queue without file", "queue: 'sqlite:'", "queue: must be none"},
		{"queue with a password", "queue: 'mysql://me:SECRET@host/db'", "queue: must be none"},
		{"workers", "delivery: {workers: 0}", "delivery.workers: must be 1 to 10000"},
		{"delivery.timeout", "delivery: {timeout: 1ms}", "delivery.timeout: must be 1s to 24h"},
		{"delivery.retention", "delivery: {retention: 1s}", "delivery.retention: must be 1m to 87600h"},
		{"dead_letter_retention", "delivery: {dead_letter_retention: 1s}", "delivery.dead_letter_retention: must be 0 or 1m to 87600h"},
		{"adapters", "adapters: []", "adapters: is empty"},
		{"adapters is no list", "adapters: {esp: mailgun}", "adapters: must be a list"},
		{"adapter is no mapping", "adapters: [mailgun]", "adapters[0]: must have keys and values"},
		{"esp missing", adapter("name: a"), "anymail.yaml:2: adapters[0].esp: is missing"},
		{"esp", adapter("esp: mailgum"), `adapters[0].esp: unknown ESP "mailgum" (did you mean mailgun?); known are agentmail,`},
		{"adapter key", adapter("{esp: mailgun, secrets: a}"), "adapters[0].secrets: unknown key"},
		{"adapter setting", adapter("{esp: mailgun, settings: {signing_key: SECRET}}"), `anymail.yaml:2: adapters[0].settings.signing_key: is not a setting of Mailgun, which has signing_keys, api_keys`},
		{"adapter setting value", adapter("{esp: postal, settings: {require_sha256: SECRET}}"), `anymail.yaml:2: adapters[0].settings.require_sha256: must be true or false`},
		{"adapter setting form", adapter("{esp: mailgun, settings: {signing_keys: {a: SECRET}}}"), "adapters[0].settings.signing_keys: must be a text or a list of texts"},
		{"adapter settings form", adapter("{esp: mailgun, settings: SECRET}"), "adapters[0].settings: must have keys and values"},
		{"adapter setting file", adapter("{esp: mailgun, settings: {signing_keys_file: /nowhere}}"), "adapters[0].settings.signing_keys_file: open /nowhere"},
		{"adapter secret", adapter("{esp: mailgun, shared_secrets: SECRET}"), "anymail.yaml:2: adapters[0].shared_secrets[0]: "},
		{"adapter addresses", adapter("{esp: mailgun, allowed_addresses: x}"), `adapters[0].allowed_addresses[0]: "x" is neither`},
		{"adapter name taken", "adapters: [{esp: mailgun}, {esp: postmark, name: mail_gun}]", `adapters[1].name: "mail_gun" is taken by adapters[0] (anymail.yaml:1)`},
		{"sinks", "sinks: []", "sinks: is empty"},
		{"sink type", sink("type: file"), "sinks[0].type: must be one of stdout, webhook, nats, kafka, redis, amqp"},
		{"sink type nearly", sink("type: kafak"), "redis, amqp (did you mean kafka?)"},
		{"sink name", sink("type: stdout, name: A b"), "sinks[0].name: must be up to 48"},
		{"sink name taken", "sinks: [{type: stdout}, {type: stdout}]", `sinks[1].name: "stdout" is taken by sinks[0]`},
		{"sink esps", sink("type: stdout, esps: [nobody]"), `sinks[0].esps: unknown ESP "nobody"`},
		{"sink types", sink("type: stdout, types: [bounce]"), `sinks[0].types: unknown event type "bounce" (did you mean bounced?); known are queued,`},
		{"sink kinds", sink("type: stdout, kinds: [mail]"), `sinks[0].kinds: must be tracking or inbound, not "mail"`},
		{"stdout url", sink("type: stdout, url: http://example.com"), "sinks[0].url: is not a setting of a sink of type stdout"},
		{"webhook url", sink("type: webhook, secrets: " + whsec), "sinks[0].url: must be a URL such as https://host/"},
		{"webhook url scheme", sink("type: webhook, url: 'file:///SECRET', secrets: " + whsec), "sinks[0].url: must be a URL"},
		{"webhook without secret", sink("type: webhook, url: http://example.com"), "sinks[0].secrets: is missing"},
		{"header name", sink("type: webhook, url: http://example.com, headers: {X Token: SECRET}"), `sinks[0].headers: "X Token" is not the name`},
		{"header of the gateway", sink("type: webhook, url: http://example.com, headers: {webhook-id: SECRET}"), "sinks[0].headers.webhook-id: is set by the gateway"},
		{"header of the connection", sink("type: webhook, url: http://example.com, headers: {Host: SECRET}"), "sinks[0].headers.Host: is set by the gateway"},
		{"header twice", sink("type: webhook, url: http://example.com, headers: {X-A: a, x-a: SECRET}"), "sinks[0].headers.x-a: is set more than once"},
		{"header with control characters", sink(`type: webhook, url: http://example.com, headers: {X-A: "SECRET\r\nX-B: b"}`), "sinks[0].headers.X-A[0]: must not have control characters"},
		{"header of a PEM file", sink("type: webhook, url: http://example.com, headers: {X-A_file: " + pem + "}"), "sinks[0].headers.X-A[0]: must be one line"},
		{"header that a template left", sink("type: webhook, url: http://example.com, headers: {X-A: <no value>}"), "sinks[0].headers.X-A[0]: must be a value"},
		{"headers of stdout", sink("type: stdout, headers: {X-A: a}"), "sinks[0].headers: is not a setting of a sink of type stdout"},
		{"exchange of NATS", sink("type: nats, topic: a, url: nats://a, exchange: b"), "sinks[0].exchange: is not a setting of a sink of type nats"},
		{"raw", sink("type: stdout, raw: perhaps"), "sinks[0].raw: must be true or false"},
		{"attachments", sink("type: stdout, attachments: files"), "sinks[0].attachments: must be inline, none, or have a directory"},
		{"attachments without a directory", sink("type: stdout, attachments: {max_bytes: 1GiB}"), "sinks[0].attachments.directory: is missing"},
		{"attachments of two sinks", "sinks:\n- {type: stdout, attachments: {directory: a}}\n- {type: stdout, name: b, attachments: {directory: ./a/}}", "anymail.yaml:3: sinks[1].attachments.directory: is that of sinks[0]"},
		{"webhook short secret", sink("type: webhook, url: http://example.com, secrets: whsec_U0VDUkVU"), "sinks[0].secrets: must be"},
		{"webhook secret without prefix", sink("type: webhook, url: http://example.com, secrets: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="), "sinks[0].secrets: must be"},
		{"webhook timeout", sink("type: webhook, timeout: soon"), "sinks[0].timeout: must be a time"},
		{"webhook topic", sink("type: webhook, url: http://example.com, topic: a, secrets: " + whsec), "sinks[0].topic: is not a setting"},
		{"nats url", sink("type: nats, topic: a, url: http://example.com"), "sinks[0].url: must be a URL such as nats://host/"},
		{"nats topic", sink("type: nats, url: nats://example.com"), "sinks[0].topic: must be the name of a topic"},
		{"nats wildcard", sink("type: nats, topic: 'mail.>', url: nats://example.com"), "sinks[0].topic: must be the name of a topic"},
		{"second nats url", sink("type: nats, topic: a, url: 'nats://a,nats://u:SECRET@b:x'"), "sinks[0].url: must be a URL such as nats://host/"},
		{"kafka url", sink("type: kafka, topic: a, url: a:9092"), "sinks[0].url: must be a URL such as kafka://host:9092"},
		{"kafka parameter", sink("type: kafka, topic: a, url: 'kafka://u:SECRET@a?acks=0'"), `sinks[0].url: the URL has an unknown parameter "acks"; known are sasl, max_message`},
		{"kafka topic", sink("type: kafka, topic: a/b, url: kafka://a"), "sinks[0].topic: must be up to 249 letters, digits, dots, - and _"},
		{"redis url", sink("type: redis, topic: a, url: 127.0.0.1"), "sinks[0].url: must be a URL such as redis://host/"},
		{"amqp url", sink("type: amqp, topic: a, url: 127.0.0.1"), "sinks[0].url: must be a URL such as amqp://host/"},
		{"rate that is not a number", "rate_limit: {failures: {per_second: NaN}}", "anymail.yaml:1: rate_limit.failures.per_second: must be a number"},
		{"rate in YAML's spelling", "rate_limit: {failures: {per_second: .nan}}", "rate_limit.failures.per_second: must be a number"},
		{"rate without end", "rate_limit: {failures: {per_second: Inf}}", "rate_limit.failures.per_second: must be a number"},
		{"rate too small", "rate_limit: {failures: {per_second: 1e-300}}", "rate_limit.failures.per_second: must be 0 or"},
		{"burst without a rate", "rate_limit:\n  failures:\n    burst: 20", "anymail.yaml:3: rate_limit.failures.burst: needs rate_limit.failures.per_second"},
		{"request_time of the server's and more", "limits:\n  request_time: 2m", "anymail.yaml:2: limits.request_time: must be 10ms to 85s"},
		{"queue is a directory", "queue: 'sqlite:" + dir + "'", "anymail.yaml:1: queue: " + dir + " is not a file"},
		{"queue below a file", "queue: 'sqlite:" + two + "/events.db'", "anymail.yaml:1: queue: the file's directory: " + two + " is not a directory"},
		{"idempotency is a directory", "idempotency: 'sqlite:" + dir + "/'", "anymail.yaml:1: idempotency: " + dir + "/ is not a file"},
		{"queue in memory", "queue: 'sqlite::memory:'", "queue: must name a file"},
		{"host bits", "trusted_proxies:\n  - 192.0.2.1\n  - 10.0.0.1/8", "anymail.yaml:3: trusted_proxies[1]: 10.0.0.1/8 is an address within a network: write 10.0.0.0/8"},
		{"mapped address", "trusted_proxies: ['::ffff:10.0.0.1']", "trusted_proxies[0]: "},
		{"address of a zone", "trusted_proxies: ['fe80::1%eth0']", "trusted_proxies[0]: "},
		{"null key", adapter("{esp: mailgun, settings: {signing_keys: null}}"), "anymail.yaml:2: adapters[0].settings.signing_keys: has no value"},
		{"null in keys", "adapters:\n- esp: mailgun\n  settings:\n    signing_keys:\n    - a-key\n    - ~", "anymail.yaml:6: adapters[0].settings.signing_keys[1]: has no value"},
		{"quoted null key", adapter("{esp: mailgun, settings: {signing_keys: 'null'}}"), "anymail.yaml:2: adapters[0].settings.signing_keys[0]: must be a value"},
		{"no addresses", adapter("{esp: mailgun, allowed_addresses: []}"), "anymail.yaml:2: adapters[0].allowed_addresses: must not be an empty list"},
		{"key refused by its adapter", "adapters:\n- esp: sendgrid\n  settings:\n    tracking_signing_keys: SECRET", "anymail.yaml:4: adapters[0].settings.tracking_signing_keys[0]: "},
		{"key file refused by its adapter", "adapters:\n- esp: sendgrid\n  settings:\n    inbound_signing_keys_file: " + two, "anymail.yaml:4: adapters[0].settings.inbound_signing_keys[0]: "},
		{"settings that need each other", "adapters:\n- esp: postmark\n  settings:\n    header_name: X-A", "anymail.yaml:3: adapters[0].settings: header_name and header_values need each other"},
		{"a part of settings that need each other", "adapters:\n- esp: sparkpost\n  settings:\n    inbound_header_name: X-A", "anymail.yaml:3: adapters[0].settings: inbound_header_name and inbound_header_values need each other"},
		{"topic not of SNS", "adapters:\n- esp: amazonses\n  settings:\n    topic_arns:\n    - SECRET", "anymail.yaml:5: adapters[0].settings.topic_arns[0]: must be the ARN"},
		{"adapter name", adapter("{esp: mailgun, name: a/b}"), "adapters[0].name: must have letters, digits, - and _ only"},
		{"public_url with a password", "public_url: https://u:SECRET@example.com", "public_url: must not have a user"},
		{"log.format", "log: {format: xml}", "log.format: must be text or json"},
		{"log.level", "log: {level: loud}", "log.level: must be debug, info, warn or error"},
		{"stop_timeout", "stop_timeout: 1ms", "stop_timeout: must be 1s to 1h"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			write(t, dir, "anymail.yaml", test.yaml)
			_, err := gateway.Load("anymail.yaml", nil)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "SECRET")
		})
	}
}

func TestErrorsInTheEnvironment(t *testing.T) {
	for _, test := range []struct{ variable, want string }{
		{"ANYMAIL_LISTEN=here", "ANYMAIL_LISTEN: listen: must be an address and port"},
		{"ANYMAIL_LIMITS_BODY=big", "ANYMAIL_LIMITS_BODY: limits.body: must be a size"},
		{"ANYMAIL_SINKS=[{type: SECRET}]", "ANYMAIL_SINKS: sinks[0].type: must be one of"},
		{"ANYMAIL_SINKS=[{tipe: stdout}]", "ANYMAIL_SINKS: sinks[0].tipe: unknown key"},
		{"ANYMAIL_SINKS=[", "ANYMAIL_SINKS: sinks: is not YAML"},
		{"ANYMAIL_SINKS=stdout", "ANYMAIL_SINKS: sinks: must be a list"},
		{"ANYMAIL_SHARED_SECRETS=SECRET", "ANYMAIL_SHARED_SECRETS: shared_secrets[0]: "},
		{"ANYMAIL_SHARED_SECRETS=" + sharedSecret + ",,", "ANYMAIL_SHARED_SECRETS: shared_secrets[1]: must not be empty"},
		{"ANYMAIL_SHARED_SECRETS=[]", "ANYMAIL_SHARED_SECRETS: shared_secrets: must not be an empty list"},
		{"ANYMAIL_SHARED_SECRETS=[null]", "ANYMAIL_SHARED_SECRETS: shared_secrets[0]: has no value"},
		{"ANYMAIL_TRUSTED_PROXIES=10.0.0.1/8", "ANYMAIL_TRUSTED_PROXIES: trusted_proxies[0]: 10.0.0.1/8 is an address within a network"},
		{"ANYMAIL_ADAPTERS=null", "ANYMAIL_ADAPTERS: adapters: has no value"},
		{"ANYMAIL_ADAPTERS=[{esp: mailgun, settings: {signing_keys: null}}]", "ANYMAIL_ADAPTERS: adapters[0].settings.signing_keys: has no value"},
		{"ANYMAIL_RATE_LIMIT_FAILURES_PER_SECOND=NaN", "ANYMAIL_RATE_LIMIT_FAILURES_PER_SECOND: rate_limit.failures.per_second: must be a number"},
		{"ANYMAIL_LIMITS_REQUEST_TIME=2m", "ANYMAIL_LIMITS_REQUEST_TIME: limits.request_time: must be 10ms to 85s"},
		{"ANYMAIL_SHARED_SECRETS_FILE=/nowhere", "ANYMAIL_SHARED_SECRETS_FILE: shared_secrets: open /nowhere"},
	} {
		t.Run(test.variable, func(t *testing.T) {
			_, err := gateway.Load("", []string{test.variable})
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "SECRET]")
		})
	}
	_, err := gateway.Load("", []string{"ANYMAIL_QUEUE=none", "ANYMAIL_QUEUE_FILE=/dev/null"})
	require.ErrorContains(t, err, "both ANYMAIL_QUEUE and ANYMAIL_QUEUE_FILE are set")
}

func TestLoadReportsAllMistakes(t *testing.T) {
	file := write(t, t.TempDir(), "anymail.yaml", "listen: here\nadmin: there\nlimts: {}\nstop_timeout: soon\nqueue: files\n")
	_, err := gateway.Load(file, nil)
	for _, key := range []string{"listen:", "admin:", "limts:", "stop_timeout:", "queue:"} {
		require.Equal(t, 1, strings.Count(err.Error(), " "+key), "%s in %v", key, err)
	}
}

func TestCheckNamesTheAdapter(t *testing.T) {
	file := write(t, t.TempDir(), "anymail.yaml", "adapters: [{esp: mailgun, insecure: true}, {esp: postmark}]")
	config, err := gateway.Load(file, nil)
	require.NoError(t, err)
	require.False(t, config.WantsSecret, "configured adapters may need no secret")
	err = gateway.Check(config)
	require.ErrorContains(t, err, "adapters[1]: ")
	require.ErrorContains(t, err, "postmark")
	require.NotContains(t, err.Error(), "adapters[0]")
}

// A certificate for tests does not get into production.
func TestCheckRefusesTestCertificates(t *testing.T) {
	dir := t.TempDir()
	certificate := write(t, dir, "sns-test.pem", allsim.Find("amazonses").NewCredential().Config)
	text := "shared_secrets: " + sharedSecret + "\nadapters: [{esp: amazonses, settings: {insecure_test_certificates_file: " + certificate + "}}]\n"
	for production, want := range map[string]string{"": "", "require_tls: true\n": "RequireTLS is for production"} {
		config, err := gateway.Load(write(t, dir, "anymail.yaml", text+production), nil)
		require.NoError(t, err)
		err = gateway.Check(config)
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}

// The manual has every key, with its variable.
func TestManualHasEveryKey(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/gateway.md")
	require.NoError(t, err)
	for _, k := range gateway.Keys() {
		require.Contains(t, string(text), "| `"+k.Path+"`", "the key")
		if k.Env != "" {
			require.Contains(t, string(text), "`"+k.Env+"`", "the variable")
		}
	}
}

func TestExampleIsValid(t *testing.T) {
	text, err := os.ReadFile("../../../../examples/gateway/anymail.yaml")
	require.NoError(t, err)
	dir := t.TempDir()
	// The example reads its secrets from files.
	for name, secret := range map[string]string{
		"anymail-shared-secrets": sharedSecret, "mailgun-signing-key": "key-0123456789", "crm-webhook-secret": whsec,
	} {
		file := write(t, dir, name, secret+"\n")
		require.Contains(t, string(text), "/run/secrets/"+name)
		text = []byte(strings.ReplaceAll(string(text), "/run/secrets/"+name, file))
	}
	config, err := gateway.Load(write(t, dir, "anymail.yaml", string(text)), []string{"ARCHIVE_TOKEN=token"})
	require.NoError(t, err)
	require.NoError(t, gateway.Check(config))
}
