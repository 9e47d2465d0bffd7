//go:build ignore

// Command adaptersize prints how much code each adapter is: the lines of its functions,
// without comments and blank lines, and the lines of its files in all. Tables, structs
// and the Spec are not functions; the simulator and tests are not counted.
//
//	go run internal/adaptersize/main.go [ESP...]
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	names := os.Args[1:]
	if len(names) == 0 {
		specs, _ := filepath.Glob("esp/*/spec.go")
		for _, spec := range specs {
			names = append(names, filepath.Base(filepath.Dir(spec)))
		}
	}
	fmt.Printf("%-14s %9s %5s\n", "", "functions", "all")
	for _, name := range names {
		functions, all, err := measure(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, "adaptersize:", err)
			os.Exit(1)
		}
		fmt.Printf("%-14s %9d %5d\n", name, functions, all)
	}
}

func measure(name string) (functions, all int, err error) {
	files, err := filepath.Glob(filepath.Join("esp", name, "*.go"))
	for _, file := range files {
		base := filepath.Base(file)
		if base == "spec.go" || base == "addresses.go" || strings.HasSuffix(base, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return 0, 0, err
		}
		lines := strings.Split(string(source), "\n")
		all += len(lines) - 1
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, file, source, 0)
		if err != nil {
			return 0, 0, err
		}
		for _, decl := range tree.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				for _, line := range lines[set.Position(f.Pos()).Line-1 : set.Position(f.End()).Line] {
					if text := strings.TrimSpace(line); text != "" && !strings.HasPrefix(text, "//") {
						functions++
					}
				}
			}
		}
	}
	return functions, all, err
}
