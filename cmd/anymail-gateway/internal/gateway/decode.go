package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"go.yaml.in/yaml/v3"
)

// decoder fills a [Config] and records mistakes with the key and its place. It
// never quotes a value, which could be a secret.
type decoder struct {
	environ  []string
	source   string            // the current file; empty for the environment
	where    map[string]string // key to "anymail.yaml:7" or the variable's name
	wrong    []string          // keys with a mistake
	errs     []error
	warnings []string
}

func newDecoder(environ []string) *decoder {
	return &decoder{environ: environ, where: map[string]string{}}
}

func (d *decoder) fail(key, format string, args ...any) {
	text := key + ": " + fmt.Sprintf(format, args...)
	// The place is that of the nearest key that was set: if "sinks[0].url" is
	// missing, that of "sinks[0]".
	for at := key; at != ""; at = at[:max(0, strings.LastIndexAny(at, ".["))] {
		if where := d.where[at]; where != "" {
			text = where + ": " + text
			break
		}
	}
	d.wrong = append(d.wrong, key)
	d.errs = append(d.errs, errors.New(text))
}

// failNew returns a fail that ignores keys with a known mistake in them, or in a
// key around them.
func (d *decoder) failNew() fail {
	before := slices.Clone(d.wrong)
	inside := func(key, outer string) bool {
		rest, ok := strings.CutPrefix(key, outer)
		return ok && (rest == "" || strings.ContainsAny(rest[:1], ".[_")) // "_file" too
	}
	return func(key, format string, args ...any) {
		if !slices.ContainsFunc(before, func(wrong string) bool { return inside(key, wrong) || inside(wrong, key) }) {
			d.fail(key, format, args...)
		}
	}
}

// anchor matches what a syntax error quotes from the file: "*x8Yq" is an alias in
// YAML, but perhaps meant to be a secret.
var anchor = regexp.MustCompile(`anchor '.*'`)

func (d *decoder) file(name string, text []byte, config *Config) {
	d.source = name
	defer func() { d.source = "" }()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if !errors.Is(err, io.EOF) { // an empty file
			d.errs = append(d.errs, fmt.Errorf("%s: %s", name, anchor.ReplaceAllString(err.Error(), "anchor '...'")))
		}
		return
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		d.errs = append(d.errs, fmt.Errorf("%s: has more than one document", name))
		return
	}
	d.value("", document.Content[0], reflect.ValueOf(config).Elem())
}

// environment reads the variable of each key that is not inside a list.
func (d *decoder) environment(config *Config) {
	known := map[string]bool{"ANYMAIL_CONFIG": true}
	values := map[string]string{}
	for _, pair := range d.environ {
		if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "ANYMAIL_") && value != "" {
			values[name] = value
		}
	}
	for _, k := range keys(reflect.ValueOf(config).Elem(), "") {
		name := k.env()
		known[name] = true
		if text, ok := values[name]; ok {
			d.variable(k.path, name, text, k.to)
		}
		if !k.secret {
			continue
		}
		known[name+"_FILE"] = true
		if file, ok := values[name+"_FILE"]; ok {
			if _, both := values[name]; both {
				d.fail(k.path, "both %s and %s_FILE are set", name, name)
			}
			d.where[k.path] = name + "_FILE"
			d.fromFile(k.path, file, k.to)
		}
	}
	for name := range values {
		if !known[name] && !strings.HasPrefix(name, "ANYMAIL_TEST_") {
			// Not an error: Kubernetes makes such variables for a service
			// called "anymail".
			d.warnings = append(d.warnings, "the environment variable "+name+" is unknown to the gateway")
		}
	}
	slices.Sort(d.warnings)
}

// variable reads an environment variable. A list of texts is separated by commas,
// any other list is YAML.
func (d *decoder) variable(key, name, text string, to reflect.Value) {
	d.where[key] = name
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if to.Kind() == reflect.Slice {
		to.SetZero() // the variable replaces the file's list
		if isLeaf(to) && !strings.HasPrefix(text, "[") {
			node = &yaml.Node{Kind: yaml.SequenceNode}
			for part := range strings.SplitSeq(text, ",") {
				if part = strings.TrimSpace(part); part != "" {
					node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: part})
				}
			}
		} else {
			var document yaml.Node
			if err := yaml.Unmarshal([]byte(text), &document); err != nil || len(document.Content) != 1 {
				d.fail(key, "is not YAML")
				return
			}
			node = document.Content[0]
		}
	}
	d.value(key, node, to)
}

// value decodes a node into a struct, a list of structs, or a leaf.
func (d *decoder) value(key string, node *yaml.Node, to reflect.Value) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Tag == "!!null" {
		return // like a missing key
	}
	if d.source != "" && key != "" {
		d.where[key] = fmt.Sprintf("%s:%d", d.source, node.Line)
	}
	switch {
	case isLeaf(to):
		d.leaf(key, node, to)
	case to.Kind() == reflect.Slice:
		if node.Kind != yaml.SequenceNode {
			d.fail(key, "must be a list")
			return
		}
		list := reflect.MakeSlice(to.Type(), len(node.Content), len(node.Content))
		for i, element := range node.Content {
			d.value(fmt.Sprintf("%s[%d]", key, i), element, list.Index(i))
		}
		to.Set(list)
	default:
		d.mapping(key, node, to)
	}
}

func (d *decoder) mapping(key string, node *yaml.Node, to reflect.Value) {
	if node.Kind != yaml.MappingNode {
		if key == "" {
			key = d.source
		}
		d.fail(key, "must have keys and values")
		return
	}
	fields := map[string]field{}
	for _, f := range fieldsOf(to) {
		fields[f.name] = f
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name := node.Content[i].Value
		full := join(key, name)
		base, isFile := strings.CutSuffix(name, "_file")
		f, known := fields[name]
		if !known && isFile && fields[base].secret {
			f, known = fields[base], true
		} else {
			isFile = false
		}
		d.where[full] = d.place(node.Content[i])
		switch {
		case !known:
			d.fail(full, "unknown key%s", suggestion(name, fields))
		case seen[f.name]:
			d.fail(full, "is set more than once")
		case isFile:
			if node.Content[i+1].Kind != yaml.ScalarNode {
				d.fail(full, "must be the name of a file")
			} else {
				d.fromFile(full, node.Content[i+1].Value, f.to)
			}
		default:
			d.value(full, node.Content[i+1], f.to)
		}
		seen[f.name] = known
	}
}

func (d *decoder) place(node *yaml.Node) string {
	if d.source == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", d.source, node.Line)
}

// fromFile reads a secret from a file.
func (d *decoder) fromFile(key, file string, to reflect.Value) {
	list, err := readSecrets(file)
	if err != nil {
		d.fail(key, "%v", err)
		return
	}
	switch p := to.Addr().Interface().(type) {
	case *[]string:
		*p = list
	case *string:
		if len(list) != 1 {
			d.fail(key, "%s has more than one line", file)
			return
		}
		*p = list[0]
	}
}

// readSecrets reads one value a line; a file in PEM is one value.
func readSecrets(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(text, []byte("-----BEGIN")) {
		return []string{string(bytes.TrimSpace(text))}, nil
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s is empty", file)
	}
	return list, nil
}

// leaf decodes a value that has no keys of the gateway's.
func (d *decoder) leaf(key string, node *yaml.Node, to reflect.Value) {
	texts, err := textsOf(node)
	switch p := to.Addr().Interface().(type) {
	case *[]string:
		if err != nil {
			d.fail(key, "must be a text or a list of texts")
		}
		*p = texts
		return
	case *[]netip.Prefix:
		if err != nil {
			d.fail(key, "must be a list of addresses")
		}
		for _, text := range texts {
			prefix, err := parsePrefix(text)
			if err != nil {
				d.fail(key, "%q is neither an address nor a network such as 192.0.2.0/24", text)
			}
			*p = append(*p, prefix)
		}
		return
	case *map[string][]string:
		*p = d.settings(key, node)
		return
	}
	if node.Kind != yaml.ScalarNode {
		d.fail(key, "must be one value")
		return
	}
	must := ""
	switch p := to.Addr().Interface().(type) {
	case *string:
		*p = node.Value
	case *bool:
		if *p, err = strconv.ParseBool(node.Value); err != nil {
			must = "true or false"
		}
	case *int:
		if *p, err = strconv.Atoi(node.Value); err != nil || *p < 0 {
			must = "a whole number"
		}
	case *float64:
		if *p, err = strconv.ParseFloat(node.Value, 64); err != nil {
			must = "a number"
		}
	case *Size:
		n, err := humanize.ParseBytes(node.Value)
		if err != nil || n > 1<<40 {
			must = "a size such as 16MiB"
		}
		*p = Size(n) //nolint:gosec // bounded above
	case *time.Duration:
		if *p, err = time.ParseDuration(node.Value); err != nil || *p < 0 {
			must = "a time such as 30s or 5m"
		}
	}
	if must != "" {
		d.fail(key, "must be %s", must)
	}
}

// settings reads the settings of an adapter: each has one text or several, or a
// file with them.
func (d *decoder) settings(key string, node *yaml.Node) map[string][]string {
	if node.Kind != yaml.MappingNode {
		d.fail(key, "must have keys and values")
		return nil
	}
	settings := map[string][]string{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name := node.Content[i].Value
		full := join(key, name)
		d.where[full] = d.place(node.Content[i])
		texts, err := textsOf(node.Content[i+1])
		if err != nil {
			d.fail(full, "must be a text or a list of texts")
			continue
		}
		base, isFile := strings.CutSuffix(name, "_file")
		if isFile && len(texts) != 1 {
			d.fail(full, "must be the name of a file")
			continue
		}
		if isFile {
			name = base
			if texts, err = readSecrets(texts[0]); err != nil {
				d.fail(full, "%v", err)
				continue
			}
		}
		if _, twice := settings[name]; twice {
			d.fail(full, "is set more than once")
		}
		settings[name] = texts
	}
	return settings
}

// textsOf returns a scalar as it is written, or a list of scalars.
func textsOf(node *yaml.Node) ([]string, error) {
	nodes := []*yaml.Node{node}
	if node.Kind == yaml.SequenceNode {
		nodes = node.Content
	}
	texts := []string{} // an empty list differs from none
	for _, n := range nodes {
		if n.Kind != yaml.ScalarNode {
			return nil, errors.New("not a scalar")
		}
		texts = append(texts, n.Value)
	}
	return texts, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Prefix(addr.BitLen())
	}
	return netip.ParsePrefix(text)
}

// field is a struct field with a key.
type field struct {
	name           string
	secret, reload bool
	to             reflect.Value
}

func fieldsOf(s reflect.Value) []field {
	var fields []field
	for i := range s.NumField() {
		name, options, _ := strings.Cut(s.Type().Field(i).Tag.Get("key"), ",")
		if name != "" {
			fields = append(fields, field{name, strings.Contains(options, "secret"), strings.Contains(options, "reload"), s.Field(i)})
		}
	}
	return fields
}

// key is a field outside of lists, with its full name.
type key struct {
	field
	path string
}

func (k key) env() string {
	return "ANYMAIL_" + strings.ToUpper(strings.ReplaceAll(k.path, ".", "_"))
}

func keys(s reflect.Value, prefix string) []key {
	var list []key
	for _, f := range fieldsOf(s) {
		if f.to.Kind() == reflect.Struct {
			list = append(list, keys(f.to, join(prefix, f.name))...)
			continue
		}
		list = append(list, key{f, join(prefix, f.name)})
	}
	return list
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

func isLeaf(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Struct:
		return false
	case reflect.Slice:
		return v.Type().Elem().Kind() != reflect.Struct || v.Type().Elem() == reflect.TypeFor[netip.Prefix]()
	}
	return true
}

// suggestion names a similar key, or else all keys.
func suggestion(name string, fields map[string]field) string {
	names := make([]string, 0, len(fields))
	for known := range fields {
		if strings.ReplaceAll(known, "_", "") == strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name)) {
			return fmt.Sprintf("; did you mean %s?", known)
		}
		names = append(names, known)
	}
	slices.Sort(names)
	return "; known are " + strings.Join(names, ", ")
}
