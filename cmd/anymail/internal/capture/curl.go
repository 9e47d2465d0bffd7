package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var curlCommand = regexp.MustCompile(`^(?:\$ +)?curl(?:\.exe)?(?:\s|$)`)

func isCurl(b []byte) bool { return curlCommand.Match(b[:min(len(b), 64)]) }

// readCurl reads a curl command, as a shell would.
func readCurl(b []byte, files fs.FS) (*Request, error) {
	b = bytes.TrimPrefix(b, []byte("$"))
	b = bytes.TrimRight(b, "\r\n")
	if continued := []byte("\\\r\n"); bytes.Contains(b, continued) { // written on Windows
		b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
	}
	words, err := shellWords(b)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 || (words[0] != "curl" && words[0] != "curl.exe") {
		return nil, ErrUnknown
	}
	c := &curl{
		Request: &Request{Form: "curl", Header: http.Header{}},
		files:   files,
	}
	if err := c.parse(words[1:]); err != nil {
		return nil, err
	}
	return c.Request, c.compose()
}

// curl collects the options of a command.
type curl struct {
	*Request
	files fs.FS

	data  [][]byte
	json  bool
	parts []harPair
	query bool // -G
	head  bool

	headers int // how many so far
}

// curlOptions are the options that determine the request. Source: curl(1).
var curlOptions = map[string]func(c *curl, value string) error{
	"header":         (*curl).header,
	"request":        func(c *curl, v string) error { c.Method = v; return nil },
	"url":            func(c *curl, v string) error { c.url(v); return nil },
	"user":           (*curl).user,
	"oauth2-bearer":  func(c *curl, v string) error { return c.setDefault("Authorization", "Bearer "+v) },
	"user-agent":     func(c *curl, v string) error { return c.setDefault("User-Agent", v) },
	"referer":        func(c *curl, v string) error { return c.setDefault("Referer", v) },
	"cookie":         func(c *curl, v string) error { return c.setDefault("Cookie", v) },
	"data":           func(c *curl, v string) error { return c.addData(v, true, true) },
	"data-ascii":     func(c *curl, v string) error { return c.addData(v, true, true) },
	"data-binary":    func(c *curl, v string) error { return c.addData(v, true, false) },
	"data-raw":       func(c *curl, v string) error { return c.addData(v, false, false) },
	"data-urlencode": (*curl).addURLEncoded,
	"json":           func(c *curl, v string) error { c.json = true; return c.addData(v, true, false) },
	"form":           (*curl).addForm,
	"form-string":    (*curl).addFormString,
}

// curlFlags are the options without a value that determine the request.
var curlFlags = map[string]func(*curl){"get": func(c *curl) { c.query = true }, "head": func(c *curl) { c.head = true }}

// Options that are ignored, with a value and without.
var (
	ignoredOptions = strings.Fields(`output max-time connect-timeout write-out resolve connect-to cacert capath cert key pass
		cert-type key-type proxy proxy-user noproxy retry retry-delay retry-max-time cookie-jar dump-header interface
		limit-rate max-redirs stderr trace trace-ascii tls-max ciphers unix-socket dns-servers max-filesize speed-limit speed-time`)
	ignoredFlags = strings.Fields(`silent show-error include verbose insecure location location-trusted fail fail-with-body compressed
		globoff no-buffer progress-bar http1.0 http1.1 http2 http2-prior-knowledge http3 ipv4 ipv6 path-as-is basic anyauth
		tlsv1 tlsv1.2 tlsv1.3 no-progress-meter no-keepalive remote-name create-dirs trace-time raw tcp-nodelay ssl-reqd post301 post302 post303`)
	shortOptions = map[byte]string{
		'H': "header", 'X': "request", 'u': "user", 'A': "user-agent", 'e': "referer", 'b': "cookie", 'd': "data", 'F': "form",
		'G': "get", 'I': "head", 'o': "output", 'm': "max-time", 'w': "write-out", 'E': "cert", 'x': "proxy", 'U': "proxy-user",
		'c': "cookie-jar", 'D': "dump-header", 's': "silent", 'S': "show-error", 'i': "include", 'v': "verbose", 'k': "insecure",
		'L': "location", 'f': "fail", 'g': "globoff", 'N': "no-buffer", '#': "progress-bar", '0': "http1.0", '4': "ipv4", '6': "ipv6",
		'1': "tlsv1", 'O': "remote-name",
	}
)

func (c *curl) parse(args []string) error {
	options := true
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		var err error
		switch {
		case options && arg == "--":
			options = false
		case options && (arg == "--next" || arg == "-:"):
			c.note("only the first request of the curl command")
			return nil
		case options && strings.HasPrefix(arg, "--"):
			args, err = c.option(arg[2:], args)
		case options && len(arg) > 1 && arg[0] == '-':
			args, err = c.short(arg[1:], args)
		default:
			c.url(arg)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// short reads options of one letter, the last of which may have a value.
func (c *curl) short(letters string, args []string) ([]string, error) {
	for i := range len(letters) {
		name, known := shortOptions[letters[i]]
		if !known {
			return nil, fmt.Errorf("curl option -%c is unknown", letters[i])
		}
		if takesValue(name) {
			if rest := letters[i+1:]; rest != "" {
				args = append([]string{rest}, args...)
			}
			return c.option(name, args)
		}
		if _, err := c.option(name, nil); err != nil {
			return nil, err
		}
	}
	return args, nil
}

func takesValue(name string) bool {
	return curlOptions[name] != nil || slices.Contains(ignoredOptions, name)
}

func (c *curl) option(name string, args []string) ([]string, error) {
	set, ignored := curlOptions[name], slices.Contains(ignoredOptions, name)
	switch {
	case (set != nil || ignored) && len(args) == 0:
		return nil, fmt.Errorf("curl option --%s needs a value", name)
	case ignored:
		return args[1:], nil
	case set != nil:
		return args[1:], set(c, args[0])
	case curlFlags[name] != nil:
		curlFlags[name](c)
	case !slices.Contains(ignoredFlags, strings.TrimPrefix(name, "no-")) && !slices.Contains(ignoredFlags, name):
		// It may or may not have a value.
		if len(name) > 40 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
			return nil, errors.New("a curl option is unknown")
		}
		return nil, fmt.Errorf("curl option --%s is unknown", name)
	}
	return args, nil
}

func (c *curl) url(text string) {
	if c.URL != "" {
		c.note("the curl command has more than one URL: the first is used")
		return
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	c.URL = text
}

func (c *curl) header(text string) error {
	file, ok := strings.CutPrefix(text, "@")
	if !ok {
		return c.headerLine(text)
	}
	content, err := c.file(file)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			continue
		}
		if err := c.headerLine(line); err != nil {
			return err
		}
	}
	return nil
}

func (c *curl) headerLine(text string) error {
	if c.headers++; c.headers > maxHeaders {
		return fmt.Errorf("more than %d header fields", maxHeaders)
	}
	if name, ok := strings.CutSuffix(text, ";"); ok && !strings.Contains(text, ":") {
		c.Header.Set(name, "") // sends an empty header
		return nil
	}
	name, value, ok := strings.Cut(text, ":")
	if !ok {
		return errors.New("a -H of the curl command is not a header")
	}
	if value = strings.TrimSpace(value); value != "" {
		c.Header.Add(strings.TrimSpace(name), value)
	}
	return nil
}

func (c *curl) setDefault(name, value string) error {
	if c.Header.Get(name) == "" {
		c.Header.Set(name, value)
	}
	return nil
}

func (c *curl) user(text string) error {
	user, password, _ := strings.Cut(text, ":")
	if c.Header.Get("Authorization") == "" {
		c.basicAuth(user, password)
	}
	return nil
}

var errFiles = errors.New("the curl command refers to a file: name its directory with --files")

// file reads a file that the command refers to.
func (c *curl) file(name string) ([]byte, error) {
	if c.files == nil || name == "-" {
		return nil, errFiles
	}
	f, err := c.files.Open(name)
	if err != nil {
		return nil, errors.New("a file of the curl command cannot be opened in the directory of --files")
	}
	defer func() { _ = f.Close() }() // it was only read
	content, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, errors.New("a file of the curl command cannot be read")
	}
	if len(content) > MaxBytes {
		return nil, ErrTooLong
	}
	return content, nil
}

func (c *curl) addData(text string, files, strip bool) error {
	data := []byte(text)
	if name, ok := strings.CutPrefix(text, "@"); ok && files {
		var err error
		if data, err = c.file(name); err != nil {
			return err
		}
		if strip { // as curl does, for files only
			data = slices.DeleteFunc(data, func(b byte) bool { return b == '\r' || b == '\n' || b == 0 })
		}
	}
	c.data = append(c.data, data)
	return nil
}

func (c *curl) addURLEncoded(text string) error {
	i := strings.IndexAny(text, "=@")
	name, content := "", []byte(text)
	if i >= 0 {
		name, content = text[:i], []byte(text[i+1:])
		if text[i] == '@' {
			var err error
			if content, err = c.file(text[i+1:]); err != nil {
				return err
			}
		}
	}
	if name != "" {
		name += "="
	}
	c.data = append(c.data, []byte(name+strings.ReplaceAll(url.QueryEscape(string(content)), "+", "%20")))
	return nil
}

var formSuffix = regexp.MustCompile(`;\s*(type|filename)=([^;]*)$`)

func (c *curl) addForm(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return errors.New("a -F of the curl command is not a field")
	}
	part := harPair{Name: name}
	for {
		m := formSuffix.FindStringSubmatch(value)
		if m == nil {
			break
		}
		value = strings.TrimSuffix(value, m[0])
		if m[1] == "type" {
			part.ContentType = m[2]
		} else {
			part.FileName = strings.Trim(m[2], `"`)
		}
	}
	if value != "" && (value[0] == '@' || value[0] == '<') {
		content, err := c.file(strings.Trim(value[1:], `"`))
		if err != nil {
			return err
		}
		if value[0] == '@' && part.FileName == "" {
			part.FileName = value[strings.LastIndexByte(value, '/')+1:]
			part.FileName = strings.Trim(strings.TrimPrefix(part.FileName, "@"), `"`)
		}
		value = string(content)
	}
	part.Value = value
	c.parts = append(c.parts, part)
	return nil
}

func (c *curl) addFormString(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return errors.New("a --form-string of the curl command is not a field")
	}
	c.parts = append(c.parts, harPair{Name: name, Value: value})
	return nil
}

// compose makes the request from the options.
func (c *curl) compose() error {
	hasData := c.data != nil || c.parts != nil
	if c.Method == "" {
		switch {
		case c.head:
			c.Method = http.MethodHead
		case hasData && !c.query:
			c.Method = http.MethodPost
		default:
			c.Method = http.MethodGet
		}
	}
	switch {
	case c.parts != nil:
		c.changed("the body was composed from its fields: a signature over its bytes cannot match")
		return c.multipart(c.parts)
	case c.json:
		c.Body = bytes.Join(c.data, nil)
		_ = c.setDefault("Accept", "application/json")
		return c.setDefault("Content-Type", "application/json")
	case c.query:
		separator := "?"
		if strings.Contains(c.URL, "?") {
			separator = "&"
		}
		c.URL += separator + string(bytes.Join(c.data, []byte("&")))
	case hasData:
		c.Body = bytes.Join(c.data, []byte("&"))
		return c.setDefault("Content-Type", "application/x-www-form-urlencoded")
	}
	return nil
}
