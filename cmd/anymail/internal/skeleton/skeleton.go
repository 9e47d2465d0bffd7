// Package skeleton writes the beginning of a new adapter.
package skeleton

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"text/template"

	"golang.org/x/mod/modfile"
)

//go:embed *.tmpl
var templates embed.FS

var validName = regexp.MustCompile(`^[a-z][a-z0-9]{0,39}$`)

// Write writes a package called name, its simulator and its test into a new
// directory of that name below dir. It returns the files that it wrote. The
// directory dir must be in a Go module, and the new directory must not exist.
func Write(dir, name, title string) (files []string, err error) {
	if !validName.MatchString(name) {
		return nil, fmt.Errorf("%q is not a name of lower case letters and digits", name)
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
		return nil, fmt.Errorf("%s is there already", target)
	}
	if err := os.MkdirAll(filepath.Join(target, name+"sim"), 0o755); err != nil { //nolint:gosec // source code
		return nil, err
	}
	for _, f := range []struct{ source, file string }{
		{"adapter.go.tmpl", name + ".go"},
		{"adapter_test.go.tmpl", name + "_test.go"},
		{"simulator.go.tmpl", name + "sim/" + name + "sim.go"},
	} {
		var b bytes.Buffer
		t := template.Must(template.ParseFS(templates, f.source))
		if err := t.Execute(&b, map[string]string{"Name": name, "Title": title, "Import": importPath}); err != nil {
			return nil, err
		}
		code, err := format.Source(b.Bytes())
		if err != nil {
			return nil, err
		}
		file := filepath.Join(target, filepath.FromSlash(f.file))
		if err := os.WriteFile(file, code, 0o644); err != nil { //nolint:gosec // source code
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// importPath is that of a directory, by the module around it.
func importPath(dir string) (string, error) {
	for at := filepath.Dir(dir); ; at = filepath.Dir(at) {
		content, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil {
			rel, err := filepath.Rel(at, dir)
			if err != nil {
				return "", err
			}
			return path.Join(modfile.ModulePath(content), filepath.ToSlash(rel)), nil
		}
		if at == filepath.Dir(at) {
			return "", errors.New("there is no go.mod in this directory or above it: run go mod init first")
		}
	}
}
