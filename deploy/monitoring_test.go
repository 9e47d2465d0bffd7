package deploy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// metrics returns the labels of each metric in docs/gateway.md. A test of the gateway
// compares that table with what it exposes.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{"process_resident_memory_bytes": nil, "process_cpu_seconds_total": nil}
	for _, row := range regexp.MustCompile("(?m)^\\| `(anymail_[a-z_]+)` \\| ([^|]*)\\|").FindAllStringSubmatch(read(t, "../docs/gateway.md"), -1) {
		all[row[1]] = regexp.MustCompile(`\w+`).FindAllString(row[2], -1)
	}
	require.Greater(t, len(all), 10)
	return all
}

var (
	metricNames = regexp.MustCompile(`\b(?:anymail|process)_\w+`)
	grouped     = regexp.MustCompile(`\b(?:by|on) \(([^)]*)\)`)
	matched     = regexp.MustCompile(`(\w+) *(?:=~|!~|!=|=)"`)
	shown       = regexp.MustCompile(`\{\{ *(?:\$labels\.)?(\w+) *\}\}`)
)

// checkQuery checks that metrics exist with the labels that a query matches, groups
// by and shows.
func checkQuery(t *testing.T, query string, texts ...string) {
	t.Helper()
	documented := metrics(t)
	labels := []string{"instance", "le"} // by Prometheus, and of histograms
	names := metricNames.FindAllString(query, -1)
	require.NotEmpty(t, names, query)
	for _, name := range names {
		base := regexp.MustCompile(`_seconds_(bucket|count|sum)$`).ReplaceAllString(name, "_seconds")
		of, ok := documented[base]
		require.True(t, ok, "%s in %s", name, query)
		labels = append(labels, of...)
	}
	var used []string
	for _, list := range grouped.FindAllStringSubmatch(query, -1) {
		used = append(used, strings.Split(list[1], ", ")...)
	}
	kept := used
	for _, match := range matched.FindAllStringSubmatch(query, -1) {
		used = append(used, match[1])
	}
	for _, label := range used {
		require.Contains(t, labels, label, query)
	}
	for _, text := range texts {
		for _, label := range shown.FindAllStringSubmatch(text, -1) {
			if len(kept) > 0 && !slices.Contains(kept, "instance") {
				require.Contains(t, kept, label[1], "%s of %s", text, query)
			}
			require.Contains(t, labels, label[1], "%s of %s", text, query)
		}
	}
}

// promtool runs Prometheus' tool if it is installed.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("no promtool")
	}
	out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput()
	require.NoError(t, err, string(out))
}

func TestAlerts(t *testing.T) {
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "monitoring/alerts.yaml")), &rules))
	tested := read(t, "monitoring/alerts_test.yaml")
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			checkQuery(t, rule.Expr, rule.Annotations["summary"], rule.Annotations["description"])
			for _, text := range rule.Annotations {
				for _, name := range regexp.MustCompile(`\banymail_\w+`).FindAllString(text, -1) {
					require.Contains(t, metrics(t), name)
				}
			}
			require.Regexp(t, `alertname: `+rule.Alert+`\n +exp_alerts:`, tested, "a test in which it fires")
			require.Contains(t, tested, "alertname: "+rule.Alert+"}", "a test in which it does not")
		}
	}
	promtool(t, "check", "rules", "monitoring/alerts.yaml")
	promtool(t, "test", "rules", "monitoring/alerts_test.yaml")
}

func TestDashboard(t *testing.T) {
	type target struct {
		RefID, Expr, LegendFormat string
	}
	var dashboard struct {
		Title      string
		Templating struct {
			List []struct{ Name, Definition string }
		}
		Panels []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ H, W, X, Y int }
			Targets []target
		}
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, "monitoring/dashboard.json")), &dashboard))
	used := map[string]bool{}
	ids, places := map[int]bool{}, map[[2]int]string{}
	rules := "groups: [{name: dashboard, rules: [\n"
	for _, panel := range dashboard.Panels {
		require.False(t, ids[panel.ID], panel.Title)
		ids[panel.ID] = true
		at := panel.GridPos
		require.LessOrEqual(t, at.X+at.W, 24, panel.Title)
		for x := range at.W {
			for y := range at.H {
				place := [2]int{at.X + x, at.Y + y}
				require.Empty(t, places[place], "%s is on it", panel.Title)
				places[place] = panel.Title
			}
		}
		require.Equal(t, panel.Type == "row", len(panel.Targets) == 0, panel.Title)
		for _, target := range panel.Targets {
			checkQuery(t, target.Expr, target.LegendFormat)
			for _, name := range metricNames.FindAllString(target.Expr, -1) {
				used[strings.TrimSuffix(name, "_bucket")] = true
			}
			expr, err := json.Marshal(strings.NewReplacer("$__rate_interval", "5m", "$adapter", ".*").Replace(target.Expr))
			require.NoError(t, err)
			rules += fmt.Sprintf("{record: a, expr: %s, labels: {panel: '%d%s'}},\n", expr, panel.ID, target.RefID)
		}
	}
	for _, variable := range dashboard.Templating.List {
		if variable.Definition != "" {
			checkQuery(t, variable.Definition)
		}
	}
	for name := range metrics(t) {
		switch name {
		case "anymail_queue_up", "anymail_config_last_reload_successful", "anymail_config_last_reload_success_timestamp_seconds": // alerts tell
		default:
			require.True(t, used[name], "%s is in no panel", name)
		}
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	require.NoError(t, os.WriteFile(file, []byte(rules+"]}]\n"), 0o600))
	promtool(t, "check", "rules", file)
}
