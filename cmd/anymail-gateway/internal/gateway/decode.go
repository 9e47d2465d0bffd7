package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"go.yaml.in/yaml/v3"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/internal/setting"
)

// decoder fills a [Config] and records mistakes with the key and its place. It
// never quotes a value, which could be a secret.
type decoder struct {
	variables  map[string]string // the environment
	values     map[string]string // of the variables that the file refers to, to their names
	specs      []esp.Spec
	source     string            // the current file; empty for the environment
	esp        string            // of the current adapter
	where      map[string]string // key to "anymail.yaml:7" or the variable's name
	wrong      []string          // keys with a mistake
	unexpanded []string          // keys with a mistake in a variable
	errs       []error
	warnings   []string
}

func newDecoder(environ []string, specs []esp.Spec) *decoder {
	d := &decoder{variables: map[string]string{}, values: map[string]string{}, specs: specs, where: map[string]string{}}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		d.variables[name] = value
	}
	return d
}

func (d *decoder) fail(key, format string, args ...any) {
	if slices.ContainsFunc(d.unexpanded, func(outer string) bool { return inside(key, outer) }) {
		return
	}
	text := key + ": " + d.redact(fmt.Sprintf(format, args...))
	if where := d.at(key); where != "" {
		text = where + ": " + text
	}
	d.wrong = append(d.wrong, key)
	d.errs = append(d.errs, errors.New(text))
}

// at returns the place of a key, or that of the nearest key around it that was
// set: if "sinks[0].url" is missing, that of "sinks[0]".
func (d *decoder) at(key string) string {
	for ; key != ""; key = key[:max(0, strings.LastIndexAny(key, ".["))] {
		if where := d.where[key]; where != "" {
			return where
		}
	}
	return ""
}

// inside reports whether a key is another one or in it.
func inside(key, outer string) bool {
	rest, ok := strings.CutPrefix(key, outer)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], ".[_")) // "_file" too
}

// failNew returns a fail that ignores keys with a known mistake in them, or in a
// key around them.
func (d *decoder) failNew() fail {
	before := slices.Clone(d.wrong)
	return func(key, format string, args ...any) {
		if !slices.ContainsFunc(before, func(wrong string) bool { return inside(key, wrong) || inside(wrong, key) }) {
			d.fail(key, format, args...)
		}
	}
}

// anchor matches what a syntax error quotes from the file: "*x8Yq" is an alias in
// YAML, but perhaps meant to be a secret.
var anchor = regexp.MustCompile(`anchor '.*'`)

// parse returns the root of a file in YAML, or nil if the file is empty or wrong.
func (d *decoder) parse(name string, text []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if !errors.Is(err, io.EOF) { // an empty file
			d.errs = append(d.errs, fmt.Errorf("%s: %s", name, anchor.ReplaceAllString(err.Error(), "anchor '...'")))
		}
		return nil
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		d.errs = append(d.errs, fmt.Errorf("%s: has more than one document", name))
		return nil
	}
	root := document.Content[0]
	if root.Tag == "!!null" && root.Value == "" { // comments alone
		return nil
	}
	return root
}

func (d *decoder) file(name string, text []byte, config *Config) {
	d.source = name
	defer func() { d.source = "" }()
	if root := d.parse(name, text); root != nil {
		d.expand("", root)
		d.value("", root, field{to: reflect.ValueOf(config).Elem()})
	}
}

// directory adds the adapters in the files of a directory, in the order of the files'
// names. A file has one adapter or a list of them. Hidden files, and those that do not
// end in .yaml or .yml, are left out.
func (d *decoder) directory(config *Config) {
	const key = "adapters_directory"
	before := len(d.errs) + len(config.Adapters)
	entries, err := os.ReadDir(config.AdaptersDirectory)
	if err != nil {
		d.fail(key, "%v", err)
		return
	}
	for _, entry := range entries {
		name := filepath.Join(config.AdaptersDirectory, entry.Name())
		if ext := filepath.Ext(name); ext != ".yaml" && ext != ".yml" || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			d.fail(key, "%v", err)
			continue
		}
		d.adapters(name, text, config)
	}
	if len(d.errs)+len(config.Adapters) == before {
		d.fail(key, "has no file that ends in .yaml or .yml")
	}
}

// adapters adds the adapters of a file.
func (d *decoder) adapters(name string, text []byte, config *Config) {
	d.source = name
	defer func() { d.source = "" }()
	mistakes := len(d.errs)
	root := d.parse(name, text)
	if root == nil {
		if len(d.errs) == mistakes {
			d.errs = append(d.errs, fmt.Errorf("%s: has no adapter", name))
		}
		return
	}
	list := []*yaml.Node{root}
	if root.Kind == yaml.SequenceNode {
		list = root.Content
	}
	for _, node := range list {
		key := fmt.Sprintf("adapters[%d]", len(config.Adapters))
		var a Adapter
		d.expand(key, node)
		d.value(key, node, field{to: reflect.ValueOf(&a).Elem()})
		config.Adapters = append(config.Adapters, a)
	}
}

// environment reads the variable of each key that is not inside a list.
func (d *decoder) environment(config *Config) {
	known := map[string]bool{"ANYMAIL_CONFIG": true}
	values := map[string]string{}
	for name, value := range d.variables {
		if strings.HasPrefix(name, "ANYMAIL_") && value != "" {
			values[name] = value
		}
	}
	for _, k := range keys(reflect.ValueOf(config).Elem(), "") {
		name := k.env()
		known[name] = true
		if text, ok := values[name]; ok {
			d.variable(name, text, k)
		}
		if !k.secret {
			continue
		}
		known[name+"_FILE"] = true
		if file, ok := values[name+"_FILE"]; ok {
			if _, both := values[name]; both {
				d.fail(k.path, "both %s and %s_FILE are set", name, name)
			}
			maps.DeleteFunc(d.where, func(at, _ string) bool { return inside(at, k.path) })
			d.where[k.path] = name + "_FILE"
			d.fromFile(k.path, file, k.field)
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
func (d *decoder) variable(name, text string, k key) {
	maps.DeleteFunc(d.where, func(at, _ string) bool { return inside(at, k.path) })
	d.where[k.path] = name
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if k.to.Kind() == reflect.Slice {
		k.to.SetZero() // the variable replaces the file's list
		if isLeaf(k.to) && !strings.HasPrefix(text, "[") {
			node = &yaml.Node{Kind: yaml.SequenceNode}
			for part := range strings.SplitSeq(text, ",") {
				node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.TrimSpace(part)})
			}
		} else {
			var document yaml.Node
			if err := yaml.Unmarshal([]byte(text), &document); err != nil || len(document.Content) != 1 {
				d.fail(k.path, "is not YAML")
				return
			}
			node = document.Content[0]
		}
	}
	d.value(k.path, node, k.field)
}

// value decodes a node into a struct, a list of structs, or a leaf.
func (d *decoder) value(key string, node *yaml.Node, f field) {
	node = resolved(node)
	if key != "" && d.where[key] == "" { // an element of a list
		d.where[key] = d.place(node)
	}
	switch {
	case isNull(node):
		d.fail(key, "has no value; omit the key for the default")
	case isLeaf(f.to):
		d.leaf(key, node, f)
	case f.to.Kind() == reflect.Slice:
		if node.Kind != yaml.SequenceNode {
			d.fail(key, "must be a list")
			return
		}
		list := reflect.MakeSlice(f.to.Type(), len(node.Content), len(node.Content))
		for i, element := range node.Content {
			d.value(fmt.Sprintf("%s[%d]", key, i), element, field{to: list.Index(i)})
		}
		f.to.Set(list)
	case f.to.Type() == reflect.TypeFor[Attachments]() && node.Kind == yaml.ScalarNode:
		d.leaf(key, node, field{to: f.to.FieldByName("Mode")})
	default:
		d.mapping(key, node, f.to)
	}
}

// resolved returns the node that an alias stands for.
func resolved(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// isNull reports whether a node is a null, which is what a key without a value is
// too. It is not the text "null", so it must not become a key or a name, and not
// a missing key, since a template may have left it in place of a value.
func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" }

func (d *decoder) mapping(key string, node *yaml.Node, to reflect.Value) {
	if !d.hasKeys(key, node) {
		return
	}
	fields := map[string]field{}
	for _, f := range fieldsOf(to) {
		fields[f.name] = f
	}
	seen := map[string]bool{}
	d.esp = valueOf(node, "esp") // for the settings of an adapter
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i].Value, resolved(node.Content[i+1])
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
			d.where[join(key, base)] = d.where[full]
			if file, ok := d.fileName(full, value); ok {
				d.fromFile(full, file, f)
			}
		default:
			d.value(full, value, f)
		}
		seen[f.name] = known
	}
}

// valueOf returns the text of a key in a mapping, or "".
func valueOf(node *yaml.Node, key string) string {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return resolved(node.Content[i+1]).Value
		}
	}
	return ""
}

// hasKeys reports whether a node has keys and values, and fails if not. Only the
// whole file may have none.
func (d *decoder) hasKeys(key string, node *yaml.Node) bool {
	if node.Kind == yaml.MappingNode && (len(node.Content) > 0 || key == "") {
		return true
	}
	if key == "" {
		key = d.source
	}
	d.fail(key, "must have keys and values")
	return false
}

func (d *decoder) place(node *yaml.Node) string {
	if d.source == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", d.source, node.Line)
}

// fileName reads the value of a key that ends in _file.
func (d *decoder) fileName(key string, node *yaml.Node) (string, bool) {
	file, err := textOf(node)
	if err == nil {
		err = setting.CheckText(file)
	}
	if err != nil {
		d.fail(key, "must be the name of a file")
	}
	return file, err == nil
}

// fromFile reads a secret from a file.
func (d *decoder) fromFile(key, file string, f field) {
	list, err := readSecrets(file)
	if err != nil {
		d.fail(key, "%v", err)
		return
	}
	d.checkTexts(key, list)
	switch p := f.to.Addr().Interface().(type) {
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
func (d *decoder) leaf(key string, node *yaml.Node, f field) {
	switch p := f.to.Addr().Interface().(type) {
	case *map[string][]string:
		*p = d.settings(key, node)
	case *[]string:
		texts, ok := d.texts(key, node, f.empty)
		if ok {
			d.checkTexts(key, texts)
		}
		*p = texts
	case *[]netip.Prefix:
		texts, ok := d.texts(key, node, f.empty)
		if !ok {
			return
		}
		*p = nil
		for i, text := range texts {
			prefix, err := parsePrefix(text)
			if err != nil {
				d.fail(fmt.Sprintf("%s[%d]", key, i), "%v", err)
			}
			*p = append(*p, prefix)
		}
	case *string:
		text, err := textOf(node)
		if err == nil {
			err = setting.CheckText(text)
		}
		if err != nil {
			d.fail(key, "%v", err)
			return
		}
		*p = text
	default:
		d.number(key, node, f)
	}
}

// number decodes a number, a size, a time or a truth, and checks its bounds.
func (d *decoder) number(key string, node *yaml.Node, f field) {
	if node.Kind != yaml.ScalarNode {
		d.fail(key, "must be one value")
		return
	}
	parsed := reflect.New(f.to.Type()).Elem()
	if kind := parseNumber(parsed, node.Value); kind != "" {
		d.fail(key, "must be %s", kind)
		return
	}
	if !f.bounds.allow(parsed) {
		d.fail(key, "must be %s", f.bounds)
		return
	}
	f.to.Set(parsed)
}

// parseNumber parses text into to, or returns what it must be.
func parseNumber(to reflect.Value, text string) (kind string) {
	var err error
	switch p := to.Addr().Interface().(type) {
	case *bool:
		if *p, err = strconv.ParseBool(text); err != nil {
			return "true or false"
		}
	case *anymail.Tri:
		is, err := strconv.ParseBool(text)
		if err != nil {
			return "true or false"
		}
		*p = anymail.TriOf(is)
	case *int:
		if *p, err = strconv.Atoi(text); err != nil || *p < 0 {
			return "a whole number"
		}
	case *float64:
		if *p, err = strconv.ParseFloat(text, 64); err != nil || math.IsNaN(*p) || math.IsInf(*p, 0) {
			return "a number"
		}
	case *Size:
		n, err := humanize.ParseBytes(text)
		if err != nil || n > 1<<40 {
			return "a size such as 16MiB"
		}
		*p = Size(n)
	case *time.Duration:
		if *p, err = time.ParseDuration(text); err != nil || *p < 0 {
			return "a time such as 30s or 5m"
		}
	default:
		return "a value that the gateway knows" // no key has this type
	}
	return ""
}

// bounds are the smallest and the largest value of a key, as in "1 to 100" or
// "0 or 1m to 24h". No text is no bounds.
type bounds string

func (b bounds) allow(v reflect.Value) bool {
	if b == "" {
		return true
	}
	text, orZero := strings.CutPrefix(string(b), "0 or ")
	lowest, highest, _ := strings.Cut(text, " to ")
	value := amount(v)
	if orZero && value == 0 {
		return true
	}
	bound := func(text string) float64 {
		to := reflect.New(v.Type()).Elem()
		_ = parseNumber(to, text) // a constant, see the test
		return amount(to)
	}
	return value >= bound(lowest) && value <= bound(highest)
}

func amount(v reflect.Value) float64 {
	switch {
	case v.CanInt():
		return float64(v.Int())
	case v.CanFloat():
		return v.Float()
	}
	return 0
}

// settings reads the settings of an adapter: each has one text or several, or a
// file with them. The values are checked when the adapter is made.
func (d *decoder) settings(key string, node *yaml.Node) map[string][]string {
	if !d.hasKeys(key, node) {
		return nil
	}
	settings := map[string][]string{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i].Value, resolved(node.Content[i+1])
		full := join(key, name)
		d.where[full] = d.place(node.Content[i])
		var texts []string
		if base, isFile := strings.CutSuffix(name, "_file"); isFile {
			file, ok := d.fileName(full, value)
			if !ok {
				continue
			}
			var err error
			if texts, err = readSecrets(file); err != nil {
				d.fail(full, "%v", err)
				continue
			}
			name = base
			d.where[join(key, name)] = d.where[full]
		} else {
			var ok bool
			if texts, ok = d.texts(full, d.truth(name, value), false); !ok {
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

// truth returns the value of a setting that is true or false as a text.
func (d *decoder) truth(name string, node *yaml.Node) *yaml.Node {
	spec, _ := esp.Find(d.specs, d.esp)
	if s, _ := spec.Find(name); s.Kind == esp.KindBool && node.Kind == yaml.ScalarNode && node.ShortTag() == "!!bool" {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: node.Value}
	}
	return node
}

// texts reads a text or a list of texts, and reports whether it is one.
func (d *decoder) texts(key string, node *yaml.Node, mayBeEmpty bool) ([]string, bool) {
	switch {
	case isNull(node):
		d.fail(key, "has no value; omit the key for the default")
		return nil, false
	case node.Kind == yaml.ScalarNode:
		text, err := textOf(node)
		if err != nil {
			d.fail(key, "%v", err)
			return nil, false
		}
		return []string{text}, true
	case node.Kind != yaml.SequenceNode:
		d.fail(key, "must be a text or a list of texts")
		return nil, false
	case len(node.Content) == 0 && !mayBeEmpty:
		d.fail(key, "must not be an empty list; omit the key for the default")
		return nil, false
	}
	list := []string{} // an empty list differs from none
	ok := true
	for i, n := range node.Content {
		full := fmt.Sprintf("%s[%d]", key, i)
		if d.source != "" {
			d.where[full] = d.place(n)
		}
		text, err := textOf(resolved(n))
		if err != nil {
			d.fail(full, "%v", err)
			ok = false
		}
		list = append(list, text)
	}
	return list, ok
}

// checkTexts checks the elements of a list.
func (d *decoder) checkTexts(key string, texts []string) {
	for i, text := range texts {
		if err := setting.CheckText(text); err != nil {
			d.fail(fmt.Sprintf("%s[%d]", key, i), "%v", err)
		}
	}
}

var errNotText = errors.New("must be a text: put it in quotes if it is one")

// textOf returns a scalar as it is written. A number is a text too, since a key
// may have digits only, but not what YAML reads as something that is no text.
func textOf(node *yaml.Node) (string, error) {
	if node.Kind != yaml.ScalarNode {
		return "", errors.New("must be one value")
	}
	switch node.ShortTag() {
	case "!!str", "!!int", "!!timestamp":
		return node.Value, nil
	case "!!float":
		if f, err := strconv.ParseFloat(node.Value, 64); err == nil && !math.IsInf(f, 0) || errors.Is(err, strconv.ErrRange) {
			return node.Value, nil
		}
	case "!!null":
		return "", errors.New("has no value")
	}
	return "", errNotText
}

func parsePrefix(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if addr, addrErr := netip.ParseAddr(text); addrErr == nil && addr.Zone() == "" {
		prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	switch {
	case err != nil || prefix.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a network such as 192.0.2.0/24", text)
	case prefix != prefix.Masked():
		return netip.Prefix{}, fmt.Errorf("%s is an address within a network: write %s for the network, or the address alone", text, prefix.Masked())
	}
	return prefix, nil
}

// field is a struct field with a key.
type field struct {
	name                  string
	secret, reload, empty bool
	bounds                bounds
	to                    reflect.Value
}

func fieldsOf(s reflect.Value) []field {
	var fields []field
	for i := range s.NumField() {
		tag := s.Type().Field(i).Tag
		options := strings.Split(tag.Get("key"), ",")
		if options[0] != "" {
			has := func(option string) bool { return slices.Contains(options[1:], option) }
			fields = append(fields, field{options[0], has("secret"), has("reload"), has("empty"), bounds(tag.Get("range")), s.Field(i)})
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
	names := slices.Sorted(maps.Keys(fields))
	if near := didYouMean(name, names); near != "" {
		return near
	}
	return "; known are " + strings.Join(names, ", ")
}
