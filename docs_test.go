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
		tests := regexp.MustCompile(`([a-z/]+): |(\w+)`).FindAllStringSubmatch(cells[2], -1)
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
