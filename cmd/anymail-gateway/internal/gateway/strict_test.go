package gateway_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail-gateway/internal/gateway"
	kinds "github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/server"
)

// What a template or a slip leaves in a file, in YAML. None of it is a value.
var (
	noValues  = []string{"", "null", "~", "Null", "!!null ''", "&anchor"}
	noTexts   = []string{`""`, `" "`, `"a "`, `"\ta"`, `"a\nb"`, `"a\0b"`, `"\uFEFFa"`, "true", ".nan", ".inf", "-.Inf", "!!binary AAAA", "{a: b}", "{}", "[[a]]"}
	noLists   = []string{"[]", "[null]", "[~]", `[""]`, `[" "]`, "[a, ~]", "[{a: b}]", "[true]", "[.nan]"}
	noNumbers = []string{`""`, `" "`, "a", "NaN", ".nan", "Inf", "+Inf", "-Inf", ".inf", "infinity", "-1", "-1s", "1e999", "99999999999999999999999999", "9999999h", "900PB", "true", "[]", "[1]", "{}", "{a: b}"}
	noTruths  = []string{`""`, `" "`, "a", "2", "-1", ".nan", "maybe", "[]", "[true]", "{}", "{a: b}"}
)

// wrongValues returns values that no key of a type may have.
func wrongValues(t *testing.T, k gateway.Key) []string {
	t.Helper()
	var list []string
	switch reflect.New(k.Type).Interface().(type) {
	case *string:
		list = append(noTexts, "[]", "[a]") //nolint:gocritic // a new list
	case *[]string, *[]netip.Prefix:
		list = slices.Concat(noTexts, noLists)
	case *bool, *anymail.Tri:
		list = noTruths
	case *int, *float64, *gateway.Size, *time.Duration:
		list = noNumbers
		if !strings.HasPrefix(k.Range, "0 or ") {
			list = append(list, "0")
		}
	case *[]gateway.Adapter, *[]gateway.Sink:
		list = []string{`""`, "a", "true", "{a: b}", "{}", "[]", "[null]", "[a]", "[{}]", "[[]]"}
	case *map[string][]string:
		list = []string{`""`, "a", "true", "[]", "[a]", "{}"}
	default:
		t.Fatalf("%s: values of a new type, %s", k.Path, k.Type)
	}
	return append(list, noValues...)
}

// document returns a file in which a key has a value, and the key's name in errors
// and its line.
func document(path, value string) (text, key string, line int) {
	if outer, inner, ok := strings.Cut(path, "[]."); ok {
		first := map[string]string{"adapters": "esp: mailgun", "sinks": "type: stdout"}[outer]
		if strings.HasPrefix(first, inner+":") {
			return fmt.Sprintf("%s:\n- %s: %s\n", outer, inner, value), outer + "[0]." + inner, 2
		}
		around, name, nested := strings.Cut(inner, ".")
		if nested {
			return fmt.Sprintf("%s:\n- %s\n  %s:\n    %s: %s\n", outer, first, around, name, value), outer + "[0]." + inner, 4
		}
		return fmt.Sprintf("%s:\n- %s\n  %s: %s\n", outer, first, inner, value), outer + "[0]." + inner, 3
	}
	indent := ""
	for name := range strings.SplitSeq(path, ".") {
		line++
		text += indent + name + ":"
		indent = "\n" + strings.Repeat("  ", line)
	}
	return text + " " + value + "\n", path, line
}

// requireWrong expects an error about the key, with its place.
func requireWrong(t *testing.T, text, key, place string, environ ...string) {
	t.Helper()
	if !strings.Contains(text+strings.Join(environ, ""), "adapters") && !strings.Contains(strings.Join(environ, ""), "ADAPTERS") {
		text += "adapters: [{esp: mailjet, insecure: true}]\n" // made faster than all
	}
	write(t, ".", "anymail.yaml", text)
	config, err := gateway.Load("anymail.yaml", environ)
	if err == nil {
		err = gateway.Check(config)
	}
	require.Error(t, err, text)
	for line := range strings.Lines(err.Error()) {
		if rest, ok := strings.CutPrefix(line, place+": "+key); ok && strings.ContainsAny(rest[:1], ":.[_") {
			return
		}
	}
	require.Fail(t, "the error does not name the key and its place", "%s: %s\nin %v\nfor %q", place, key, err, text)
}

// A value that is null, empty or invalid is an error that names file, line and key,
// for each key there is. An empty list means no elements only if the manual says so.
func TestEveryKeyNeedsAValue(t *testing.T) {
	for _, k := range gateway.Keys() {
		t.Run(k.Path, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for _, value := range wrongValues(t, k) {
				if k.Empty && value == "[]" {
					continue
				}
				text, key, line := document(k.Path, value)
				requireWrong(t, text, key, fmt.Sprintf("anymail.yaml:%d", line))
				if k.Secret && strings.HasSuffix(text, ": "+value+"\n") {
					name := key[strings.LastIndex(key, ".")+1:]
					requireWrong(t, strings.Replace(text, name+": "+value, name+"_file: "+value, 1), key, fmt.Sprintf("anymail.yaml:%d", line))
				}
			}
		})
	}
}

// A variable of the environment is held to the same rules.
func TestEveryVariableNeedsAValue(t *testing.T) {
	for _, k := range gateway.Keys() {
		if k.Env == "" {
			continue
		}
		t.Run(k.Env, func(t *testing.T) {
			t.Chdir(t.TempDir())
			values := []string{" ", "\t", "a\x00b", "\ufeffa"}
			switch reflect.New(k.Type).Interface().(type) {
			case *[]string, *[]netip.Prefix, *[]gateway.Adapter, *[]gateway.Sink:
				values = append(values, ",", "[]", "[null]", "[~]", `[""]`, "[{a: b}]")
			case *bool, *anymail.Tri:
				values = append(values, "a", "2", "null")
			case *int, *float64, *gateway.Size, *time.Duration:
				values = append(values, "a", "null", "NaN", "Inf", "-1", "1e999", "99999999999999999999999999")
			}
			for _, value := range values {
				requireWrong(t, "", k.Path, k.Env, k.Env+"="+value)
			}
		})
	}
}

// The same for each setting of each ESP.
func TestEverySettingNeedsAValue(t *testing.T) {
	for _, spec := range all.Specs() {
		for _, s := range spec.Settings {
			t.Run(spec.Name+"/"+s.Name, func(t *testing.T) {
				t.Chdir(t.TempDir())
				var values []string
				switch s.Kind {
				case kinds.KindText:
					values = append(noTexts, "[]", "[a, b]", "[null]", `[""]`) //nolint:gocritic // a new list
				case kinds.KindBool:
					values = append([]string{"[true, false]", "[null]"}, noTruths[:6]...)
				case kinds.KindList:
					values = slices.Concat(noTexts, noLists)
				case kinds.KindKeys:
					values = append([]string{`"null"`, `["~"]`, `"<no value>"`, "None"}, append(noTexts, noLists...)...)
				default:
					t.Fatal("settings of a new kind")
				}
				key := "adapters[0].settings." + s.Name
				for _, value := range append(values, noValues...) {
					const text = "shared_secrets: " + sharedSecret + "\nadapters:\n- esp: %s\n  settings:\n    %s: %s\n"
					requireWrong(t, fmt.Sprintf(text, spec.Name, s.Name, value), key, "anymail.yaml:5")
				}
				environ := "ANYMAIL_ADAPTERS=[{esp: " + spec.Name + ", settings: {" + s.Name + ": null}}]"
				requireWrong(t, "", key, "ANYMAIL_ADAPTERS", environ)
			})
		}
	}
}

// Each key that is a number has bounds, and they hold.
func TestEveryNumberHasBounds(t *testing.T) {
	for _, k := range gateway.Keys() {
		switch reflect.New(k.Type).Interface().(type) {
		case *int, *float64, *gateway.Size, *time.Duration:
		default:
			require.Empty(t, k.Range, k.Path)
			continue
		}
		text, orZero := strings.CutPrefix(k.Range, "0 or ")
		lowest, highest, ok := strings.Cut(text, " to ")
		require.True(t, ok, k.Path)
		require.True(t, gateway.InRange(k, lowest), "%s: %s", k.Path, lowest)
		require.True(t, gateway.InRange(k, highest), "%s: %s", k.Path, highest)
		require.Equal(t, orZero, gateway.InRange(k, "0"), k.Path)
	}
}

// The server ends a request later than the Dispatcher does, which has an answer
// for it.
func TestTheServerIsMorePatient(t *testing.T) {
	s := server.New(nil)
	times := map[string]time.Duration{"limits.request_time": s.WriteTimeout - time.Nanosecond, "limits.body_time": s.ReadTimeout}
	for _, k := range gateway.Keys() {
		if most, ok := times[k.Path]; ok {
			require.False(t, gateway.InRange(k, (most+time.Nanosecond).String()), k.Path)
			delete(times, k.Path)
		}
	}
	require.Empty(t, times)
}
