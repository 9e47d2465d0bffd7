package all_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

// hostile are JSON texts that no parser expects.
var hostile = []string{
	`null`, `true`, `-1`, `1e999`, `99999999999999999999999999`,
	`""`, `"\u0000"`, `"\ud800"`, "\"\xff\xfe\"", `"2026-13-45T99:99:99Z"`, `"` + strings.Repeat("x", 66<<10) + `"`,
	`[]`, `{}`, `[null]`, `[{}]`, `["a",1]`, `{"":null,"a":{"a":"b"},"a":[]}`,
	strings.Repeat("[", 1000) + strings.Repeat("]", 1000), strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000),
}

// Whatever replaces one value of an event, no parser panics, and what
// it makes of the event has a JSON form.
func TestHostileValues(t *testing.T) {
	for _, sim := range allsim.List() {
		t.Run(sim.ESP, func(t *testing.T) {
			adapter, err := sim.NewAdapter()
			require.NoError(t, err)
			seen := map[string]bool{}
			for _, sample := range sim.Samples {
				request := sample.Make(simulator.NewParams())
				for place, put := range places(t, request) {
					at := sample.Endpoint + " " + place
					if seen[at] {
						continue
					}
					seen[at] = true
					for _, value := range hostile {
						r := request
						r.Body = put(value)
						events, err := parse(adapter, r)
						if err != nil {
							require.NotErrorIs(t, err, errPanic, "%s: %.40q at %s", sample.Name, value, place)
							require.Empty(t, events)
							continue
						}
						if len(value) > 1000 {
							continue // what comes of it takes long to write and to read
						}
						for _, ev := range events {
							form, err := json.Marshal(ev)
							require.NoError(t, err, "%s: %.40q at %s", sample.Name, value, place)
							_, err = anymail.DecodeEvent(form)
							require.NoError(t, err, "%s: %.40q at %s", sample.Name, value, place)
						}
					}
				}
			}
			if sim.ESP == "relay" {
				t.Skip("it posts no values, but whole messages")
			}
			require.NotEmpty(t, seen)
		})
	}
}

var errPanic = errors.New("panic")

func parse(adapter anymail.Adapter, r simulator.Request) (events []anymail.Event, err error) {
	defer func() {
		if v := recover(); v != nil {
			events, err = nil, fmt.Errorf("%w: %v", errPanic, v)
		}
	}()
	return simulator.Parse(adapter, r)
}

// places returns the values of the JSON that a request has, by their paths, and
// for each what makes the request's body with another value there.
func places(t *testing.T, r simulator.Request) map[string]func(string) []byte {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	out := map[string]func(string) []byte{}
	if media == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(r.Body))
		require.NoError(t, err)
		for field := range form {
			for path, put := range jsonPlaces([]byte(form.Get(field))) {
				out[field+path] = func(value string) []byte {
					changed := url.Values{}
					for name, values := range form {
						changed[name] = slices.Clone(values)
					}
					changed.Set(field, string(put(value)))
					return []byte(changed.Encode())
				}
			}
		}
		return out
	}
	return jsonPlaces(r.Body)
}

const placeholder = `"put it here"`

// jsonPlaces is places of a JSON text, which goes into strings that hold JSON
// themselves. Of an array the first element stands for all.
func jsonPlaces(text []byte) map[string]func(string) []byte {
	out := map[string]func(string) []byte{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var root any
	if d.Decode(&root) != nil {
		return out
	}
	render := func() []byte {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(root); err != nil {
			panic(err)
		}
		return bytes.TrimSpace(b.Bytes())
	}
	var walk func(path string, v any, set func(any))
	walk = func(path string, v any, set func(any)) {
		set(json.RawMessage(placeholder))
		template := string(render())
		set(v)
		out[path] = func(value string) []byte { return []byte(strings.Replace(template, placeholder, value, 1)) }
		switch v := v.(type) {
		case map[string]any:
			for name, member := range v {
				walk(path+"."+name, member, func(x any) { v[name] = x })
			}
		case []any:
			if len(v) > 0 {
				walk(path+"[]", v[0], func(x any) { v[0] = x })
			}
		case string:
			if strings.HasPrefix(v, "{") || strings.HasPrefix(v, "[") {
				for inner, put := range jsonPlaces([]byte(v)) {
					out[path+"|"+inner] = func(value string) []byte {
						quoted, err := json.Marshal(string(put(value)))
						if err != nil {
							panic(err)
						}
						return []byte(strings.Replace(template, placeholder, string(quoted), 1))
					}
				}
			}
		}
	}
	walk("", root, func(x any) { root = x })
	return out
}
