// Package skeleton writes the skeleton of an adapter.
package skeleton

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
	"unicode"
)

//go:embed *.tmpl
var templates embed.FS

var validName = regexp.MustCompile(`^[a-z][a-z0-9]{0,39}$`)

// Write writes a package called name, with its simulator and its test, into a new
// directory of that name below dir, which must be in a Go module. If there is a folder
// docs/esps next to dir, as in the library's repository, it also writes the page. It
// returns the files that it wrote.
func Write(dir, name, title string) (files []string, err error) {
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
		if err := t.Execute(&b, map[string]string{"Name": name, "Title": title, "Import": importPath}); err != nil {
			return nil, err
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
