package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	// reference matches a reference to a variable, complete or not, and an escaped
	// dollar sign.
	reference = regexp.MustCompile(`\$\$|\$\{[^}]*\}?`)
	// complete matches ${NAME} and ${NAME:-default}.
	complete = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}$`)
)

// expand replaces the references to environment variables in the values of a node,
// which stay texts: a variable cannot add keys, lists or nulls.
func (d *decoder) expand(key string, node *yaml.Node) {
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			d.expand(join(key, node.Content[i].Value), node.Content[i+1])
		}
	case yaml.SequenceNode:
		for i, element := range node.Content {
			d.expand(fmt.Sprintf("%s[%d]", key, i), element)
		}
	case yaml.ScalarNode: // the one that an alias refers to is in the tree itself
		if !strings.Contains(node.Value, "$") {
			return
		}
		text, err := d.expanded(node.Value)
		if err != nil {
			d.where[key] = d.place(node)
			d.fail(key, "%v", err)
			d.unexpanded = append(d.unexpanded, key)
			return
		}
		if text != node.Value {
			node.Value, node.Tag, node.Style = text, "!!str", yaml.DoubleQuotedStyle
		}
	}
}

// expanded returns a text with the values of its variables. An empty variable is like
// none.
func (d *decoder) expanded(text string) (string, error) {
	var errs []error
	text = reference.ReplaceAllStringFunc(text, func(found string) string {
		if found == "$$" {
			return "$"
		}
		parts := complete.FindStringSubmatch(found)
		if parts == nil {
			errs = append(errs, errors.New("a variable must be written ${NAME} or ${NAME:-default}, and a dollar sign before a brace $$"))
			return found
		}
		name, hasDefault := parts[1], parts[2] != ""
		value := d.variables[name]
		switch {
		case value != "":
			d.values[value] = "${" + name + "}"
		case hasDefault:
			value = parts[3]
		default:
			errs = append(errs, fmt.Errorf("the environment variable %s is not set", name))
		}
		return value
	})
	return text, errors.Join(errs...)
}

// shownValue is the length up to which the value of a variable may be in an error. A
// shorter one is no secret, and may be a part of any word.
const shownValue = 3

// redact replaces the values of variables, which may be secrets in a wrong place, by
// their names.
func (d *decoder) redact(text string) string {
	longestFirst := func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) } // one may be a part of another
	for _, value := range slices.SortedFunc(maps.Keys(d.values), longestFirst) {
		if len(value) > shownValue {
			text = strings.ReplaceAll(text, value, d.values[value])
		}
	}
	return text
}
