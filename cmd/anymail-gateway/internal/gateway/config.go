package gateway

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/internal/setting"
	"github.com/goanymail/anymail/refused"
	"github.com/goanymail/anymail/verify"
)

// Config is the configuration. The tag key is the name in the file. With "secret"
// the value can be in a file that NAME_file names; with "reload" a change takes
// effect without a restart; with "empty" a list may be empty. The tag range has the
// smallest and the largest value; 0 in a Config that the file does not set is the
// library's default.
type Config struct {
	Listen            string         `key:"listen"`
	Path              string         `key:"path"`
	Admin             string         `key:"admin"`
	PublicURL         string         `key:"public_url,reload"`
	TLS               TLS            `key:"tls"`
	RequireTLS        bool           `key:"require_tls,reload"`
	TrustedProxies    []netip.Prefix `key:"trusted_proxies,reload"`
	ForwardedHeaders  []string       `key:"forwarded_headers,reload"`
	SharedSecrets     []string       `key:"shared_secrets,secret,reload"`
	RejectStatus      int            `key:"reject_status,reload" range:"400 to 499"`
	RateLimit         RateLimit      `key:"rate_limit,reload"`
	Limits            Limits         `key:"limits,reload"`
	Refused           Refused        `key:"refused"`
	Reports           Reports        `key:"reports,reload"`
	Idempotency       string         `key:"idempotency,secret"`
	Queue             string         `key:"queue,secret"`
	Delivery          Delivery       `key:"delivery"`
	Adapters          []Adapter      `key:"adapters,reload"`
	AdaptersDirectory string         `key:"adapters_directory,reload"`
	Sinks             []Sink         `key:"sinks"`
	Log               Log            `key:"log"`
	ShutdownDelay     time.Duration  `key:"shutdown_delay" range:"0 or 1ms to 10m"`
	StopTimeout       time.Duration  `key:"stop_timeout" range:"1s to 1h"`

	// Warnings are about probable mistakes.
	Warnings []string
	// WantsSecret is true if neither adapters nor a secret are configured. The
	// caller then makes a secret and sets SharedSecrets. [Gateway.Reload] keeps
	// the first one.
	WantsSecret bool

	specs []esp.Spec              // the ESPs that adapters may name
	at    func(key string) string // the place of a key in the file or the environment
}

// fault is an error about a key, with its place.
func (c *Config) fault(key string, err error) error {
	err = fmt.Errorf("%s: %w", key, err)
	if c.at != nil {
		if where := c.at(key); where != "" {
			err = fmt.Errorf("%s: %w", where, err)
		}
	}
	return err
}

// TLS has the files of a certificate. A reload reads them again.
type TLS struct {
	Cert string `key:"cert"`
	Key  string `key:"key"`
}

// RateLimit is [anymail.RateLimit].
type RateLimit struct {
	PerAddress  Rate `key:"per_address"`
	PerEndpoint Rate `key:"per_endpoint"`
	Failures    Rate `key:"failures"`
	Addresses   int  `key:"addresses" range:"1 to 16777216"`
}

// Rate is [anymail.Rate].
type Rate struct {
	PerSecond float64 `key:"per_second" range:"0 or 0.00001 to 1000000"`
	Burst     int     `key:"burst" range:"1 to 1000000"`
}

// Limits are [anymail.Limits] and those of all requests together.
type Limits struct {
	Body        Size          `key:"body" range:"1 to 256MiB"`
	BodyTime    time.Duration `key:"body_time" range:"10ms to 60s"`
	BodyRate    Size          `key:"body_rate" range:"1 to 1GiB"`
	RequestTime time.Duration `key:"request_time" range:"10ms to 85s"`
	BatchEvents int           `key:"batch_events" range:"1 to 1000000"`
	FormFields  int           `key:"form_fields" range:"1 to 1000000"`
	MIMEDepth   int           `key:"mime_depth" range:"1 to 1000"`
	MIMEParts   int           `key:"mime_parts" range:"1 to 1000000"`
	MIMEHeaders int           `key:"mime_headers" range:"1 to 1000000"`
	Fetch       Size          `key:"fetch" range:"1 to 1GiB"`
	Reading     int           `key:"reading" range:"1 to 100000"`
	InFlight    int           `key:"in_flight" range:"1 to 100000"`
	Memory      Size          `key:"memory" range:"1MiB to 1TiB"`
}

// Refused is where refused requests are kept: [refused.Options].
type Refused struct {
	Dir   string `key:"dir"` // empty for nowhere
	Files int    `key:"files" range:"1 to 10000"`
	Bytes Size   `key:"bytes" range:"1 to 64GiB"`
	Body  Size   `key:"body" range:"1 to 256MiB"`
}

// Size is a number of bytes.
type Size int64

// Delivery is how a durable queue is processed.
type Delivery struct {
	Workers             int           `key:"workers" range:"1 to 10000"`
	Timeout             time.Duration `key:"timeout" range:"1s to 24h"`
	MaxAttempts         int           `key:"max_attempts" range:"1 to 1000"`
	Retention           time.Duration `key:"retention" range:"1m to 87600h"`
	DeadLetterRetention time.Duration `key:"dead_letter_retention" range:"0 or 1m to 87600h"`
	MaxPending          int           `key:"max_pending" range:"1 to 1099511627776"`
	MaxRepeats          int           `key:"max_repeats" range:"1 to 100000"`
}

// Adapter is one account at an ESP.
type Adapter struct {
	Name             string              `key:"name"`
	ESP              string              `key:"esp"`
	Settings         map[string][]string `key:"settings"`
	SharedSecrets    []string            `key:"shared_secrets,secret,empty"` // nil for the general secrets, empty for none
	AllowedAddresses []netip.Prefix      `key:"allowed_addresses"`
	Insecure         bool                `key:"insecure"`
}

// Sink is a destination of events.
type Sink struct {
	Name        string              `key:"name"`
	Type        string              `key:"type"`
	ESPs        []string            `key:"esps"`
	Types       []string            `key:"types"`
	Kinds       []string            `key:"kinds"`
	Raw         anymail.Tri         `key:"raw"` // Unsaid for all but received mail that could be read
	RawMIME     bool                `key:"raw_mime"`
	Attachments Attachments         `key:"attachments"`
	URL         string              `key:"url,secret"`
	Secrets     []string            `key:"secrets,secret"`
	Headers     map[string][]string `key:"headers"`
	Timeout     time.Duration       `key:"timeout" range:"1ms to 1h"`
	Topic       string              `key:"topic"`
	Exchange    string              `key:"exchange"`
}

// Attachments is what a sink gets of the content of attachments. In the file it is a
// mode, or the keys of a directory.
type Attachments struct {
	Mode      string // inline or none; empty with a directory
	Directory string `key:"directory"`
	MaxBytes  Size   `key:"max_bytes" range:"1MiB to 1TiB"`
}

// The types of sinks.
const (
	sinkStdout  = "stdout"
	sinkWebhook = "webhook"
	sinkNATS    = "nats"
	sinkKafka   = "kafka"
	sinkRedis   = "redis"
	sinkAMQP    = "amqp"
)

var sinkTypes = []string{sinkStdout, sinkWebhook, sinkNATS, sinkKafka, sinkRedis, sinkAMQP}

// Log is how the gateway logs to standard error.
type Log struct {
	Format string `key:"format"`
	Level  string `key:"level"`
}

// Default returns the default configuration, with the ESPs of the library and more.
func Default(more ...esp.Spec) *Config {
	return &Config{
		specs:        append(all.Specs(), more...),
		Listen:       "127.0.0.1:8026",
		Path:         "/anymail",
		Admin:        "127.0.0.1:8027",
		RejectStatus: anymail.DefaultRejectStatus,
		Idempotency:  "memory",
		Queue:        "none",
		Delivery: Delivery{
			Workers:     durable.DefaultWorkers,
			Timeout:     durable.DefaultTimeout,
			MaxAttempts: durable.DefaultMaxAttempts,
			Retention:   durable.DefaultRetention,
			MaxPending:  durable.DefaultMaxPending,
			MaxRepeats:  durable.DefaultMaxRepeats,
		},
		Limits:      Limits{Reading: anymail.DefaultMaxReading, InFlight: anymail.DefaultMaxInFlight},
		Refused:     Refused{Files: refused.DefaultFiles, Bytes: refused.DefaultBytes, Body: refused.DefaultBodyBytes},
		Log:         Log{Format: "text", Level: "info"},
		StopTimeout: 25 * time.Second,
	}
}

// DefaultFile is the default configuration file.
const DefaultFile = "anymail.yaml"

// Load reads the file, if any, then the environment ("NAME=value" texts), which
// overrides it, and checks what needs no network. The error joins all mistakes;
// each part names the key.
func Load(file string, environ []string, more ...esp.Spec) (*Config, error) {
	config := Default(more...)
	d := newDecoder(environ, config.specs)
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		d.file(file, text, config)
	}
	d.environment(config)
	if config.AdaptersDirectory != "" {
		d.directory(config)
	}
	config.Warnings, config.at = d.warnings, d.at
	config.complete()
	config.check(d.failNew())
	return config, errors.Join(d.errs...)
}

// complete sets the defaults that depend on other values.
func (c *Config) complete() {
	if c.Sinks == nil {
		c.Sinks = []Sink{{Type: sinkStdout}}
	}
	for i := range c.Sinks {
		s := &c.Sinks[i]
		if s.Name == "" {
			s.Name = s.Type
		}
		if s.Timeout == 0 {
			s.Timeout = 15 * time.Second
		}
		switch a := &s.Attachments; {
		case a.Directory != "" && a.MaxBytes == 0:
			a.MaxBytes = 10 << 30
		case *a == Attachments{}:
			a.Mode = attachmentsInline
		}
	}
	if c.Adapters == nil {
		for _, spec := range c.specs {
			c.Adapters = append(c.Adapters, Adapter{ESP: spec.Name})
		}
		c.WantsSecret = len(c.SharedSecrets) == 0
	}
	for i := range c.Adapters {
		a := &c.Adapters[i]
		if a.Name == "" {
			a.Name = a.ESP
		}
	}
}

// fail records a mistake in a key.
type fail func(key, format string, args ...any)

func (c *Config) check(fail fail) {
	checkAddress(fail, "listen", c.Listen)
	if c.Admin != "off" {
		checkAddress(fail, "admin", c.Admin)
		if c.Admin == c.Listen && !strings.HasSuffix(c.Listen, ":0") {
			fail("admin", "must not be the address of listen")
		}
	}
	if !strings.HasPrefix(c.Path, "/") || path.Clean(c.Path) != c.Path || strings.ContainsAny(c.Path, "{}*?#% ") {
		fail("path", "must be a plain path that begins with a slash and does not end with one, such as /anymail")
	}
	if c.PublicURL != "" {
		checkURL(fail, "public_url", c.PublicURL, "https", "http")
		if u, err := url.Parse(c.PublicURL); err == nil && (u.User != nil || u.RawQuery != "" || u.Fragment != "") {
			fail("public_url", "must not have a user, a query or a fragment")
		}
	}
	switch {
	case c.TLS.Cert != "" && c.TLS.Key == "":
		fail("tls.key", "is missing, though tls.cert is set")
	case c.TLS.Cert == "" && c.TLS.Key != "":
		fail("tls.cert", "is missing, though tls.key is set")
	case c.TLS.Cert != "":
		if _, err := c.TLS.load(); err != nil {
			fail("tls.cert", "%v", err)
		}
	}
	checkSecrets(fail, "shared_secrets", c.SharedSecrets)
	for _, rate := range []struct {
		key  string
		rate Rate
	}{{"per_address", c.RateLimit.PerAddress}, {"per_endpoint", c.RateLimit.PerEndpoint}, {"failures", c.RateLimit.Failures}} {
		if rate.rate.Burst > 0 && rate.rate.PerSecond == 0 {
			fail("rate_limit."+rate.key+".burst", "needs rate_limit.%s.per_second: without it there is no limit", rate.key)
		}
	}
	for _, store := range []struct{ key, text, without string }{{"idempotency", c.Idempotency, "memory"}, {"queue", c.Queue, "none"}} {
		checkStore(fail, store.key, store.text, store.without)
	}
	if c.Refused.Body > c.Refused.Bytes {
		fail("refused.body", "must not be more than refused.bytes")
	}
	c.Reports.check(fail)
	c.checkAdapters(fail)
	c.checkSinks(fail)
	if !slices.Contains([]string{"text", "json"}, c.Log.Format) {
		fail("log.format", "must be text or json")
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, strings.ToLower(c.Log.Level)) {
		fail("log.level", "must be debug, info, warn or error")
	}
}

func (c *Config) checkAdapters(fail fail) {
	if len(c.Adapters) == 0 {
		fail("adapters", "is empty; omit the key for all ESPs")
	}
	names := map[string]int{}
	for i, a := range c.Adapters {
		key := fmt.Sprintf("adapters[%d]", i)
		checkSecrets(fail, key+".shared_secrets", a.SharedSecrets)
		spec, known := esp.Find(c.specs, a.ESP)
		if a.ESP == "" {
			fail(key+".esp", "is missing")
			continue
		}
		if !known {
			fail(key+".esp", "%s", unknown("ESP", a.ESP, c.espNames()))
			continue
		}
		route := strings.ReplaceAll(a.Name, "_", "")
		if before, taken := names[route]; taken {
			taken := fmt.Sprintf("adapters[%d]", before)
			if c.at != nil && c.at(taken) != "" {
				taken += " (" + c.at(taken) + ")"
			}
			fail(key+".name", "%q is taken by %s", a.Name, taken)
		}
		names[route] = i
		if strings.Trim(a.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			fail(key+".name", "must have letters, digits, - and _ only")
		}
		if _, err := spec.Adapter(esp.Values{Settings: a.Settings}); err != nil {
			for _, err := range configErrors(err) {
				name, ok := strings.CutPrefix(err.Setting, spec.Name)
				switch {
				case ok:
					fail(key+".settings"+name, "%v", err.Err)
				case err.Setting == "":
					fail(key+".settings", "%v", err.Err)
				default:
					fail(key+".settings", "%v", err)
				}
			}
		}
	}
}

// configErrors returns the errors that err consists of.
func configErrors(err error) []*anymail.ConfigError {
	var list []*anymail.ConfigError
	switch e := err.(type) { //nolint:errorlint // this walks the tree itself
	case *anymail.ConfigError:
		return []*anymail.ConfigError{e}
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			list = append(list, configErrors(err)...)
		}
		return list
	}
	return []*anymail.ConfigError{{Err: err}}
}

// plainName matches the name of a sink, which is also the name of a receiver and
// of its queue.
var plainName = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,46}[a-z0-9])?$`)

func (c *Config) checkSinks(fail fail) {
	if len(c.Sinks) == 0 {
		fail("sinks", "is empty: events would go nowhere")
	}
	var types []string
	for _, t := range anymail.EventTypes() {
		types = append(types, string(t))
	}
	names, directories := map[string]int{}, map[string]int{}
	for i, s := range c.Sinks {
		key := fmt.Sprintf("sinks[%d]", i)
		if !slices.Contains(sinkTypes, s.Type) {
			fail(key+".type", "must be one of %s%s", strings.Join(sinkTypes, ", "), didYouMean(s.Type, sinkTypes))
			continue
		}
		if !plainName.MatchString(s.Name) {
			fail(key+".name", "must be up to 48 of a-z, 0-9, - and _")
		}
		if before, taken := names[s.Name]; taken {
			fail(key+".name", "%q is taken by sinks[%d]", s.Name, before)
		}
		names[s.Name] = i
		for _, name := range s.ESPs {
			if _, known := esp.Find(c.specs, name); !known {
				fail(key+".esps", "%s", unknown("ESP", name, c.espNames()))
			}
		}
		for _, name := range s.Types {
			if !slices.Contains(types, name) {
				fail(key+".types", "%s", unknown("event type", name, types))
			}
		}
		for _, name := range s.Kinds {
			if name != string(anymail.KindTracking) && name != string(anymail.KindInbound) {
				fail(key+".kinds", "must be tracking or inbound, not %q%s", name, didYouMean(name, []string{"tracking", "inbound"}))
			}
		}
		if directory := s.Attachments.Directory; directory != "" {
			// A reader that removes files must not remove another's.
			if before, taken := directories[filepath.Clean(directory)]; taken {
				fail(key+".attachments.directory", "is that of sinks[%d]: each sink needs its own", before)
			}
			directories[filepath.Clean(directory)] = i
		}
		s.check(fail, key)
	}
}

// unknown is about a name that is not in names.
func unknown(what, name string, names []string) string {
	return fmt.Sprintf("unknown %s %q%s; known are %s", what, name, didYouMean(name, names), strings.Join(names, ", "))
}

// check checks the keys that depend on the type.
func (s *Sink) check(fail fail, key string) {
	unwanted := func(name string, is bool) {
		if is {
			fail(key+"."+name, "is not a setting of a sink of type %s", s.Type)
		}
	}
	unwanted("secrets", s.Type != sinkWebhook && len(s.Secrets) > 0)
	unwanted("url", s.Type == sinkStdout && s.URL != "")
	topical := s.Type != sinkStdout && s.Type != sinkWebhook
	unwanted("topic", !topical && s.Topic != "")
	if topical && (s.Topic == "" || strings.ContainsAny(s.Topic, " \t\r\n*>")) {
		fail(key+".topic", "must be the name of a topic, without spaces or wildcards")
	}
	unwanted("headers", s.Type != sinkWebhook && len(s.Headers) > 0)
	unwanted("exchange", s.Type != sinkAMQP && s.Exchange != "")
	switch a := s.Attachments; {
	case a.Directory == "" && a.MaxBytes > 0:
		fail(key+".attachments.directory", "is missing")
	case a.Directory == "" && a.Mode != attachmentsInline && a.Mode != attachmentsNone:
		fail(key+".attachments", "must be inline, none, or have a directory")
	}
	checkHeaders(fail, key+".headers", s.Headers)
	switch s.Type {
	case sinkWebhook:
		checkURL(fail, key+".url", s.URL, "https", "http")
		if len(s.Secrets) == 0 && len(s.Headers) == 0 {
			fail(key+".secrets", `is missing, as are headers: "whsec_" and the base64 of 24 to 64 random bytes`)
		}
		for _, secret := range s.Secrets {
			raw, err := verify.DecodeWebhookSecret(secret)
			if err != nil || len(raw) < 24 || len(raw) > 64 || !strings.HasPrefix(secret, "whsec_") {
				fail(key+".secrets", `must be "whsec_" and the base64 of 24 to 64 random bytes`)
				break
			}
		}
	case sinkNATS:
		for server := range strings.SplitSeq(s.URL, ",") {
			checkURL(fail, key+".url", server, "nats", "tls", "ws", "wss")
		}
	case sinkKafka:
		if _, err := kafkaOptions(s.URL); err != nil {
			fail(key+".url", "%v", err)
		}
		if strings.Trim(s.Topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" || len(s.Topic) > 249 {
			fail(key+".topic", "must be up to 249 letters, digits, dots, - and _")
		}
	case sinkRedis:
		checkURL(fail, key+".url", s.URL, "redis", "rediss")
	case sinkAMQP:
		checkURL(fail, key+".url", s.URL, "amqp", "amqps")
	}
}

// tokenLetters are those of the name of a header field.
//
// Source: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
const tokenLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"

// ownHeaders are those that the gateway sets, or that belong to the connection.
var ownHeaders = []string{
	"Content-Type", "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature", "Traceparent", "Tracestate",
	"Host", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Connection", "Proxy-Connection", "Keep-Alive", "Upgrade", "Te", "Trailer", "Expect",
}

// checkHeaders does not quote values, which may be secrets.
func checkHeaders(fail fail, key string, headers map[string][]string) {
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case name == "" || strings.Trim(name, tokenLetters) != "":
			fail(key, "%q is not the name of a header field", name)
		case slices.Contains(ownHeaders, canonical):
			fail(key+"."+name, "is set by the gateway or belongs to the connection")
		case seen[canonical]:
			fail(key+"."+name, "is set more than once")
		}
		seen[canonical] = true
		for i, value := range headers[name] {
			err := setting.CheckSecret(value)
			if err == nil && strings.ContainsAny(value, "\r\n") {
				err = errors.New("must be one line")
			}
			if err != nil {
				fail(fmt.Sprintf("%s.%s[%d]", key, name, i), "%v", err)
			}
		}
	}
}

func checkAddress(fail fail, key, address string) {
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || strings.ContainsAny(host, " /@") {
		fail(key, "must be an address and port, such as 127.0.0.1:8026 or :8026")
	}
}

// checkURL does not quote the URL, which may contain a password.
func checkURL(fail fail, key, text string, schemes ...string) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		fail(key, "must be a URL such as %s://host/..., of the scheme %s", schemes[0], strings.Join(schemes, " or "))
	}
}

// checkStore does not quote the text, which may contain a password.
func checkStore(fail fail, key, text, without string) {
	kind, dsn, err := parseStore(text)
	switch {
	case err != nil || dsn == "" && kind != without:
		fail(key, "must be %s, sqlite:FILE or postgres://...", without)
	case kind == "sqlite" && dsn == ":memory:":
		fail(key, "must name a file: what is in memory is not kept")
	case kind == "sqlite":
		if info, err := os.Stat(filepath.Dir(dsn)); err != nil {
			fail(key, "the file's directory: %v", err)
		} else if !info.IsDir() {
			fail(key, "the file's directory: %s is not a directory", filepath.Dir(dsn))
		} else if info, err := os.Stat(dsn); err == nil && !info.Mode().IsRegular() {
			fail(key, "%s is not a file", dsn)
		}
	case kind == "postgres":
		if _, err := pgx.ParseConfig(dsn); err != nil {
			_, reason, _ := strings.Cut(strings.ReplaceAll(err.Error(), dsn, ""), "`: ")
			fail(key, "PostgreSQL's client refuses it: %s", reason)
		}
	}
}

// checkSecrets checks shared secrets with the library.
func checkSecrets(fail fail, key string, secrets []string) {
	if len(secrets) == 0 {
		return
	}
	if _, err := anymail.New(anymail.WithSharedSecret(secrets...)); err != nil {
		for _, err := range configErrors(err) {
			fail(key+strings.TrimPrefix(err.Setting, "WithSharedSecret"), "%v", err.Err)
		}
	}
}

func (c *Config) espNames() []string {
	var names []string
	for _, spec := range c.specs {
		names = append(names, spec.Name)
	}
	return names
}

// parseStore splits a text such as "sqlite:FILE" into a kind (none, memory, sqlite
// or postgres) and its data source.
func parseStore(text string) (kind, dsn string, err error) {
	kind, rest, _ := strings.Cut(text, ":")
	switch {
	case (text == "none" || text == "memory"):
		return text, "", nil
	case kind == "sqlite" && rest != "":
		return kind, rest, nil
	case (kind == "postgres" || kind == "postgresql") && strings.HasPrefix(rest, "//"):
		return "postgres", text, nil
	case kind == "postgres" && strings.Contains(rest, "="):
		return kind, rest, nil
	}
	return "", "", errors.New("not a store")
}
