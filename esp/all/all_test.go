package all_test

import (
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/esp/all/allsim"
)

// Each package of an ESP is in the list, in alphabetical order.
func TestSpecsAreComplete(t *testing.T) {
	entries, err := os.ReadDir("..")
	require.NoError(t, err)
	var folders, names []string
	for _, entry := range entries {
		if entry.IsDir() && entry.Name() != "all" {
			folders = append(folders, entry.Name())
		}
	}
	for _, s := range all.Specs() {
		names = append(names, s.Name)
	}
	require.Equal(t, folders, names, "run: go run internal/generate/main.go")
}

// The table of the README has a row for each Spec, and no others.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	var rows, specs [][]string
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]+) \|.*\| \[(\w+)\]\(docs/esps/(\w+)\.md\) \|$`).FindAllStringSubmatch(string(readme), -1) {
		rows = append(rows, row[1:])
	}
	for _, s := range all.Specs() {
		specs = append(specs, []string{s.Title, s.Name, s.Name})
	}
	require.Equal(t, specs, rows, "run: go run internal/generate/main.go")
}

func TestFind(t *testing.T) {
	s, ok := all.Find("amazon_ses")
	require.True(t, ok)
	require.Equal(t, "amazonses", s.Name)
	_, ok = all.Find("nobody")
	require.False(t, ok)
}

// Every ESP says of itself what programs and docs need, and starts without
// settings.
func TestSpecs(t *testing.T) {
	for _, s := range all.Specs() {
		t.Run(s.Name, func(t *testing.T) {
			adapter, err := s.Adapter(esp.Values{})
			require.NoError(t, err)
			require.Equal(t, s.Name, adapter.ESP())
			require.NotEmpty(t, s.Retries)
			require.Equal(t, allsim.Find(s.Name).Sign != nil, s.Signature != "", "Signature says whether the ESP signs")
			for _, ep := range adapter.Endpoints() {
				require.Equal(t, s.Patience, ep.Patience, ep.Path)
			}
			if s.InboundNeeds != "" {
				require.False(t, hasInbound(adapter))
				adapter, err = s.Adapter(esp.Values{Settings: map[string][]string{s.InboundNeeds: {"key"}}})
				require.NoError(t, err)
			}
			_, receives := allsim.Find(s.Name).SampleOf(anymail.EventInbound)
			require.Equal(t, receives, hasInbound(adapter))
			require.GreaterOrEqual(t, s.Patience, time.Duration(0))
			names := map[string]bool{}
			for _, setting := range s.Settings {
				require.NotEmpty(t, setting.Help)
				require.Regexp(t, `^[a-z][a-z0-9]*(_[a-z0-9]+)*$`, setting.Name)
				require.False(t, names[setting.Name], "%s is there twice", setting.Name)
				names[setting.Name] = true
			}
		})
	}
}

func hasInbound(adapter anymail.Adapter) bool {
	return slices.ContainsFunc(adapter.Endpoints(), func(ep anymail.Endpoint) bool { return ep.Path == "inbound" })
}

// What every setting of every ESP refuses, by its kind. The error names the
// setting and does not hold the value.
func TestSettings(t *testing.T) {
	for _, s := range all.Specs() {
		refuses := func(t *testing.T, name string, values ...string) {
			t.Helper()
			_, err := s.Adapter(esp.Values{Settings: map[string][]string{name: values}})
			require.ErrorIs(t, err, anymail.ErrConfig)
			require.ErrorContains(t, err, s.Name+"."+name+":")
			require.NotContains(t, err.Error(), "s3cret")
		}
		for _, setting := range s.Settings {
			t.Run(s.Name+"."+setting.Name, func(t *testing.T) {
				switch setting.Kind {
				case esp.KindText:
					refuses(t, setting.Name, "s3cret", "s3cret")
				case esp.KindBool:
					refuses(t, setting.Name, "true", "true")
					refuses(t, setting.Name, "s3cret")
					_, err := s.Adapter(esp.Values{Settings: map[string][]string{setting.Name: {"true"}}})
					require.NoError(t, err)
				case esp.KindList, esp.KindKeys:
				default:
					t.Errorf("kind %d is not known", setting.Kind)
				}
				refuses(t, setting.Name+"s", "s3cret")
				_, err := s.Adapter(esp.Values{Settings: map[string][]string{setting.Name: {}}})
				require.NoError(t, err, "no value")
			})
		}
		refuses(t, "no_such_setting", "s3cret")
	}
}

func TestSettingsReachTheAdapter(t *testing.T) {
	adapter := func(name string, settings map[string][]string) error {
		s, ok := all.Find(name)
		require.True(t, ok, name)
		_, err := s.Adapter(esp.Values{Settings: settings})
		return err
	}
	require.NoError(t, adapter("mailgun", map[string][]string{"signing_keys": {"older", "newer"}}))
	err := adapter("mailgun", map[string][]string{"signing_key": {"a-secret"}})
	require.ErrorIs(t, err, anymail.ErrConfig)
	require.ErrorContains(t, err, "mailgun.signing_key: is not a setting of Mailgun, which has signing_keys")
	require.NotContains(t, err.Error(), "a-secret")
	require.ErrorIs(t, adapter("sparkpost", map[string][]string{"relay_header_name": {"X-Hook"}}), anymail.ErrConfig, "it needs values")
	require.NoError(t, adapter("sparkpost", map[string][]string{"events_header_name": {"X-Hook"}, "events_header_values": {"older", "newer"}, "initial_opens": {"true"}}))
	require.ErrorIs(t, adapter("postal", map[string][]string{"require_sha256": {"perhaps"}}), anymail.ErrConfig)
	require.ErrorIs(t, adapter("postmark", map[string][]string{"header_name": {"A", "B"}, "header_values": {"x"}}), anymail.ErrConfig)
}
