package deploy_test

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/rhysd/actionlint"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob("../.github/workflows/*.yml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	require.NoError(t, err)
	project, err := actionlint.NewProject("..")
	require.NoError(t, err)
	mistakes, err := linter.LintFiles(files, project)
	require.NoError(t, err)
	require.Empty(t, mistakes)

	for _, file := range files { // the scripts and programs that they run exist
		for _, found := range regexp.MustCompile(`(?:^|\s)((?:\./)?(?:\.ci|deploy|cmd)/[\w./-]+|\./\w+\.sh)`).FindAllStringSubmatch(read(t, file), -1) {
			if found[1] != "deploy/secrets/shared-secrets" { // made there
				_, err := os.Stat(filepath.Join("..", found[1]))
				require.NoError(t, err, file)
			}
		}
	}
}

// Dependabot has to be told every module.
func TestDependabotKnowsAllModules(t *testing.T) {
	var config struct {
		Version int
		Updates []struct {
			Ecosystem   string `json:"package-ecosystem"`
			Directory   string
			Directories []string
			Schedule    struct{ Interval string }
			Groups      map[string]struct{ Patterns []string }
		}
	}
	require.NoError(t, yaml.UnmarshalStrict([]byte(read(t, "../.github/dependabot.yml")), &config))
	require.Equal(t, 2, config.Version)
	var modules []string
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "go.mod" {
			modules = append(modules, filepath.Join("/", filepath.Dir(path[len(".."):])))
		}
		return err
	}))
	require.Equal(t, "gomod", config.Updates[0].Ecosystem)
	require.ElementsMatch(t, modules, config.Updates[0].Directories)
	for _, update := range config.Updates {
		require.Contains(t, []string{"gomod", "github-actions", "docker"}, update.Ecosystem)
		require.Equal(t, "weekly", update.Schedule.Interval)
		if update.Ecosystem == "docker" {
			_, err := os.Stat(filepath.Join("..", update.Directory, "Dockerfile"))
			require.NoError(t, err)
		}
	}
}
