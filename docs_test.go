package anymail_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every row of the table of threats names tests that exist in the package that it
// names. internal/mutations checks that they fail without the protection.
func TestThreatsHaveTests(t *testing.T) {
	page, err := os.ReadFile("docs/securing.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(page), "\n## Threats\n")
	require.True(t, ok)

	declared := map[string]string{} // directory by name, as "dir: TestName"
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, found := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			declared[filepath.ToSlash(filepath.Dir(path))+": "+found[1]] = path
		}
		return err
	}))
	rows := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 3 || strings.Contains(line, "---") || strings.Contains(line, "| threat |") {
			continue
		}
		rows++
		dir := "."
		tests := regexp.MustCompile(`([a-z/-]+): |(\w+)`).FindAllStringSubmatch(cells[2], -1)
		require.NotEmpty(t, tests, line)
		for _, test := range tests {
			if test[1] != "" {
				dir = test[1]
				continue
			}
			if declared[dir+": "+test[2]] == "" {
				dir = "." // a package name applies only to the tests of that package
			}
			require.NotEmpty(t, declared[dir+": "+test[2]], "%s: %s is not a test", dir, test[2])
		}
	}
	require.Greater(t, rows, 30)
}

// The packages and files that docs/architecture.md names exist.
func TestArchitectureNamesExist(t *testing.T) {
	page, err := os.ReadFile("docs/architecture.md")
	require.NoError(t, err)
	checked := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "| ") || len(cells) != 2 {
			continue
		}
		for _, cell := range cells {
			for _, code := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
				path := strings.ReplaceAll(strings.TrimSuffix(code[1], "/..."), "<name>", "postmark")
				isPackage := cell == cells[0] && path != "anymail"
				if strings.Contains(cells[0], "`internal/...`") && !isPackage {
					path, isPackage = "internal/"+path, true
				}
				if isPackage || strings.Contains(path, "/") || strings.HasSuffix(path, ".go") {
					_, err := os.Stat(path)
					require.NoError(t, err, "%s", code[1])
					checked++
				}
			}
		}
	}
	require.Greater(t, checked, 50)
}
