package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// A queue needs one changed line, as the README says, and an import.
func TestOneLineMakesQuickstartDurable(t *testing.T) {
	before, after := code(t, "../quickstart/main.go"), code(t, "main.go")
	added := slices.DeleteFunc(slices.Clone(after), func(line string) bool { return slices.Contains(before, line) })
	removed := slices.DeleteFunc(slices.Clone(before), func(line string) bool { return slices.Contains(after, line) })
	wantAdded := []string{
		`"github.com/goanymail/anymail/durable"`,
		`d, err := anymail.New(secret, durable.SQLite(ctx, "events.db"))`,
	}
	wantRemoved := []string{`d, err := anymail.New(secret)`}
	if !slices.Equal(added, wantAdded) || !slices.Equal(removed, wantRemoved) || len(after) != len(before)+1 {
		t.Errorf("added %q, removed %q", added, removed)
	}
}

// code returns the lines of a program below its package comment.
func code(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, body, found := strings.Cut(string(text), "\npackage main\n")
	if !found {
		t.Fatal(file, "is not a program")
	}
	var lines []string
	for line := range strings.Lines(body) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}
