// Package skeleton writes the skeleton of an adapter.
package skeleton

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"unicode"
)

//go:embed *.tmpl
var templates embed.FS

var validName = regexp.MustCompile(`^[a-z][a-z0-9]{0,39}$`)

// scheme is how an ESP signs its requests.
type scheme struct {
	Help      string // what the user configures
	Signature string // in the Spec
	Check     string // the function that checks a configured key
}

var schemes = map[string]scheme{
	"hmac":             {"signing keys", "HMAC-SHA256", "nil"},
	"standardwebhooks": {"signing secrets", "Standard Webhooks", "verify.CheckWebhookSecret"},
}

// Schemes returns the names of the schemes that a skeleton may have.
func Schemes() []string { return slices.Sorted(maps.Keys(schemes)) }

// Write writes a package called name, with its simulator and its test, into a new
// directory of that name below dir, which must be in a Go module. The scheme is one of
// [Schemes]. If there is a folder docs/esps next to dir, as in the library's repository,
// it also writes the page. It returns the files that it wrote.
func Write(dir, name, title, kind string) (files []string, err error) {
	if _, ok := schemes[kind]; !ok {
		return nil, fmt.Errorf("%q: a scheme is one of %s", kind, strings.Join(Schemes(), ", "))
	}
	if !validName.MatchString(name) {
		return nil, fmt.Errorf("%q: a name has lower case letters and digits, and begins with a letter", name)
	}
	if title == "" || strings.ContainsFunc(title, func(r rune) bool { return r == '"' || r == '\\' || !unicode.IsPrint(r) }) {
		return nil, fmt.Errorf("%q: a title has no quotes, backslashes or control characters", title)
	}
	target, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	importPath, err := importPath(target)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(target); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s already exists", target)
	}
	if err := os.MkdirAll(filepath.Join(target, name+"sim"), 0o755); err != nil { //nolint:gosec // source code
		return nil, err
	}
	sources := []struct{ source, file string }{
		{"adapter.go.tmpl", name + ".go"},
		{"tracking.go.tmpl", "tracking.go"},
		{"inbound.go.tmpl", "inbound.go"},
		{"adapter_test.go.tmpl", name + "_test.go"},
		{"spec.go.tmpl", "spec.go"},
		{"simulator.go.tmpl", name + "sim/" + name + "sim.go"},
	}
	if _, err := os.Stat(filepath.Join(target, "../../docs/esps")); err == nil {
		sources = append(sources, struct{ source, file string }{"page.md.tmpl", "../../docs/esps/" + name + ".md"})
	}
	for _, f := range sources {
		var b bytes.Buffer
		t := template.Must(template.ParseFS(templates, f.source))
		data := struct {
			Name, Title, Import, Kind string
			scheme
		}{name, title, importPath, kind, schemes[kind]}
		if err := t.Execute(&b, data); err != nil {
			return nil, err
		}
		if strings.HasSuffix(f.file, ".go") {
			formatted, err := format.Source(b.Bytes())
			if err != nil {
				return nil, err
			}
			b.Reset()
			b.Write(formatted)
		}
		file := filepath.Join(target, filepath.FromSlash(f.file))
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil { //nolint:gosec // source code
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// modulePath returns the path that a go.mod file declares.
func modulePath(gomod []byte) string {
	for line := range strings.Lines(string(gomod)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "module" {
			return strings.Trim(fields[1], "\"`")
		}
	}
	return ""
}

// importPath returns the import path of a directory in the module around it.
func importPath(dir string) (string, error) {
	for at := filepath.Dir(dir); ; at = filepath.Dir(at) {
		content, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil {
			rel, err := filepath.Rel(at, dir)
			if err != nil {
				return "", err
			}
			return path.Join(modulePath(content), filepath.ToSlash(rel)), nil
		}
		if at == filepath.Dir(at) {
			return "", errors.New("no go.mod in this directory or above it: run go mod init first")
		}
	}
}
