package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"
)

// repository is a repository with three modules, like this one: a library, a
// library that requires it, and a program that requires both.
type repository struct {
	*testing.T
	dir string
}

func newRepository(t *testing.T) repository {
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		t.Setenv("GIT_"+who+"_NAME", "Ann")
		t.Setenv("GIT_"+who+"_EMAIL", "ann@example.com")
	}
	r := repository{t, t.TempDir()}
	for file, text := range map[string]string{
		"release.sh":   read(t, "../release.sh"),
		"CHANGELOG.md": "# Changelog\n\n## v0.2.0 (2026-02-01)\n\n## v0.1.0\n\n## v0.1.0-rc.1\n\n## v2.0.0\n",
		"go.work":      "go 1.26.0\n\nuse (\n\t.\n\t./cmd/tool\n\t./lib\n)\n",
		"go.mod":       "module example.com/post\n\ngo 1.26.0\n",
		"post.go":      "package post\n\nconst Name = \"post\"\n",
		"lib/go.mod":   "module example.com/post/lib\n\ngo 1.26.0\n\nrequire example.com/post v0.0.0\n\nreplace example.com/post => ..\n",
		"lib/lib.go":   "package lib\n\nimport \"example.com/post\"\n\nconst Name = post.Name + \" lib\"\n",
		"cmd/tool/go.mod": "module example.com/post/cmd/tool\n\ngo 1.26.0\n\nrequire (\n\texample.com/post v0.0.0\n\texample.com/post/lib v0.0.0\n)\n\n" +
			"replace example.com/post => ../..\n\nreplace example.com/post/lib => ../../lib\n",
		"cmd/tool/main.go": "package main\n\nimport (\n\t\"example.com/post\"\n\t\"example.com/post/lib\"\n)\n\nfunc main() { println(post.Name, lib.Name) }\n",
	} {
		r.write(file, text)
	}
	r.run("git", "init", "-q", "-b", "main")
	r.commit()
	return r
}

func (r repository) write(file, text string) {
	r.Helper()
	file = filepath.Join(r.dir, file)
	require.NoError(r, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(r, os.WriteFile(file, []byte(text), 0o700))
}

func (r repository) run(name string, args ...string) string {
	r.Helper()
	out, err := output(r.Context(), r.dir, name, args...)
	require.NoError(r, err)
	return out
}

func (r repository) commit() {
	r.Helper()
	r.run("git", "add", "-A")
	r.run("git", "commit", "-qm", "Change")
}

// state is everything that a refused release must not change.
func (r repository) state() string {
	r.Helper()
	return r.run("git", "status", "--porcelain") + r.run("git", "show-ref", "--head") + r.run("git", "worktree", "list") + read(r.T, filepath.Join(r.dir, "go.work"))
}

func TestReleaseRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(r repository)
		version string // v0.1.0 by default
		want    string
	}{
		"not a version":      {version: "0.1.0", want: "0.1.0 is not a version"},
		"leading zero":       {version: "v0.01.0", want: "v0.01.0 is not a version"},
		"build metadata":     {version: "v0.1.0+x", want: "is not a version"},
		"major version":      {version: "v2.0.0", want: "Go requires module paths that end in /v2"},
		"another branch":     {prepare: func(r repository) { r.run("git", "switch", "-qc", "fix") }, want: "the branch is not main"},
		"detached":           {prepare: func(r repository) { r.run("git", "switch", "-q", "--detach") }, want: "the branch is not main"},
		"changed file":       {prepare: func(r repository) { r.write("post.go", "package post\n") }, want: "changes that are not committed"},
		"untracked file":     {prepare: func(r repository) { r.write("new.go", "package post\n") }, want: "changes that are not committed"},
		"no changelog":       {version: "v0.3.0", want: `CHANGELOG.md has no section "## v0.3.0"`},
		"tag exists":         {prepare: func(r repository) { r.run("git", "tag", "lib/v0.1.0") }, want: "the tag lib/v0.1.0 exists"},
		"older than latest":  {prepare: func(r repository) { r.run("git", "tag", "v0.10.0") }, want: "v0.1.0 is not above v0.10.0"},
		"pre-release of old": {prepare: func(r repository) { r.run("git", "tag", "v0.1.0") }, version: "v0.1.0-rc.1", want: "v0.1.0-rc.1 is not above v0.1.0"},
		"tag exists at origin": {prepare: func(r repository) {
			r.origin()
			r.run("git", "tag", "cmd/tool/v0.1.0")
			r.run("git", "push", "-q", "origin", "cmd/tool/v0.1.0")
			r.run("git", "tag", "-d", "cmd/tool/v0.1.0")
		}, want: "the tag cmd/tool/v0.1.0 exists at origin"},
		"behind origin": {prepare: func(r repository) {
			r.origin()
			r.write("post.go", "package post\n\nconst Name = \"newer\"\n")
			r.commit()
			r.run("git", "push", "-q", "origin", "main")
			r.run("git", "reset", "-q", "--hard", "HEAD^")
		}, want: "origin has commits that are not here"},
		"no origin": {prepare: func(r repository) { r.run("git", "remote", "add", "origin", r.TempDir()) }, want: "origin does not answer"},
		"wrong module path": {prepare: func(r repository) {
			r.write("go.work", "go 1.26.0\n\nuse (\n\t.\n\t./other\n)\n")
			r.write("other/go.mod", "module example.com/other\n\ngo 1.26.0\n")
			r.commit()
		}, want: "the module in ./other is called example.com/other"},
		"program that replaces": {prepare: func(r repository) {
			r.write("cmd/tool/go.mod", read(r.T, filepath.Join(r.dir, "cmd/tool/go.mod"))+"\nreplace example.com/fork => ../../fork\n")
			r.write("fork/go.mod", "module example.com/fork\n\ngo 1.26.0\n")
			r.commit()
		}, want: "./cmd/tool/go.mod replaces another module"},
		"does not compile": {prepare: func(r repository) {
			r.write("lib/lib.go", "package lib\n\nvar wrong int = \"\"\n")
			r.commit()
		}, want: "lib/lib.go:3"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepository(t)
			if test.prepare != nil {
				test.prepare(r)
			}
			if test.version == "" {
				test.version = "v0.1.0"
			}
			before := r.state()
			out, err := output(t.Context(), r.dir, "./release.sh", test.version)
			require.ErrorContains(t, err, test.want)
			require.Empty(t, out)
			require.Equal(t, before, r.state())
		})
	}
}

func (r repository) origin() {
	r.Helper()
	origin := r.TempDir()
	r.run("git", "init", "-q", "--bare", origin)
	r.run("git", "remote", "add", "origin", origin)
	r.run("git", "push", "-q", "origin", "main")
}

func TestReleaseNeedsAVersion(t *testing.T) {
	r := newRepository(t)
	_, err := output(t.Context(), r.dir, "./release.sh")
	require.ErrorContains(t, err, "exit status 2")
	require.ErrorContains(t, err, "usage: ./release.sh v1.2.3")
}

func TestReleaseNeedsItsTools(t *testing.T) {
	r := newRepository(t)
	tools := t.TempDir()
	for _, tool := range []string{"bash", "dirname", "git"} {
		at, err := exec.LookPath(tool)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(at, filepath.Join(tools, tool)))
	}
	before := r.state()
	command := exec.CommandContext(t.Context(), filepath.Join(tools, "bash"), "release.sh", "v0.1.0")
	command.Dir, command.Env = r.dir, []string{"PATH=" + tools}
	out, err := command.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, "release.sh: go is not installed\n", string(out))
	require.Equal(t, before, r.state())
}

// Released modules are what "go install" and "go get" need, the next release
// replaces what the one before wrote, and a push of the printed commands publishes
// all of it.
func TestReleases(t *testing.T) {
	r := newRepository(t)
	r.origin()
	for _, version := range []string{"v0.1.0-rc.1", "v0.1.0", "v0.2.0"} {
		push := r.run("./release.sh", version)
		require.Equal(t, fmt.Sprintf("git push origin main %[1]s\ngit push origin cmd/tool/%[1]s lib/%[1]s\n", version), push)
		for command := range strings.Lines(push) {
			words := strings.Fields(command)
			r.run(words[0], words[1:]...)
		}
		require.Empty(t, r.run("git", "status", "--porcelain"))
		require.Equal(t, "Release "+version+"\n", r.run("git", "log", "-1", "--format=%s"))
		for file, requires := range map[string]int{"lib/go.mod": 1, "cmd/tool/go.mod": 2, "go.work": 2} {
			text := read(t, filepath.Join(r.dir, file))
			require.Equal(t, requires, strings.Count(text, " "+version), text)
			require.Equal(t, strings.Count(text, " v"), strings.Count(text, " "+version), text)
		}

		proxy := t.TempDir()
		for _, dir := range []string{"", "lib", "cmd/tool"} {
			publish(t, proxy, r.dir, module.Version{Path: path.Join("example.com/post", dir), Version: version}, dir)
		}
		t.Setenv("GOPROXY", "file://"+proxy)
		t.Setenv("GOSUMDB", "off")
		t.Setenv("GOFLAGS", "-modcacherw")
		t.Setenv("GOMODCACHE", t.TempDir())
		t.Setenv("GOBIN", t.TempDir())
		_, err := output(t.Context(), t.TempDir(), "go", "install", "example.com/post/cmd/tool@"+version)
		require.NoError(t, err)
		out, err := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("GOBIN"), "tool")).CombinedOutput()
		require.NoError(t, err)
		require.Equal(t, "post post lib\n", string(out))
	}
}

// publish writes a module into a directory that is a module proxy:
// https://go.dev/ref/mod#goproxy-protocol
func publish(t *testing.T, proxy, repo string, m module.Version, dir string) {
	t.Helper()
	at := filepath.Join(proxy, m.Path, "@v", m.Version)
	require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(at), "list"), []byte(m.Version+"\n"), 0o600))
	require.NoError(t, os.WriteFile(at+".info", fmt.Appendf(nil, `{"Version":%q}`, m.Version), 0o600))
	require.NoError(t, os.WriteFile(at+".mod", []byte(read(t, filepath.Join(repo, dir, "go.mod"))), 0o600))
	archive, err := os.Create(at + ".zip")
	require.NoError(t, err)
	defer archive.Close()
	require.NoError(t, modzip.CreateFromVCS(archive, m, repo, path.Join(dir, m.Version), dir))
}

// Every module of the workspace can be published: names and sizes of its files are
// what the module proxy accepts.
func TestModulesCanBePublished(t *testing.T) {
	out, err := output(t.Context(), "..", "go", "list", "-m", "-f", "{{.Dir}}")
	require.NoError(t, err)
	dirs := strings.Fields(out)
	require.Greater(t, len(dirs), 5)
	for _, dir := range dirs {
		checked, err := modzip.CheckDir(dir)
		require.NoError(t, err, dir)
		require.NoError(t, checked.Err(), dir)
		require.NotEmpty(t, checked.Valid, dir)
	}
}
