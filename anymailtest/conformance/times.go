package conformance

import (
	"bytes"
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/simulator"
)

// testTimes: the events of a sample do not depend on the zone of the process or on
// the offset in which a time is written, and a time that is missing is never
// replaced by that of receipt.
func testTimes(t *testing.T, sim *simulator.Simulator) {
	adapter, _ := newAccount(t, sim)
	local := time.Local
	defer func() { time.Local = local }() // no server is running
	for _, sample := range sim.Samples {
		p := simulator.NewParams()
		p.Time = p.Time.Add(-72 * time.Hour)
		request := sample.Make(p)
		time.Local = time.UTC
		want, err := simulator.Parse(adapter, request)
		if err != nil {
			continue // testSamples reports it
		}
		same := func(what string, r simulator.Request) {
			got, err := simulator.Parse(adapter, r)
			if err != nil {
				t.Errorf("%s: %s: %v", sample.Name, what, err)
			} else if diff := cmp.Diff(timestamps(want), timestamps(got)); diff != "" {
				t.Errorf("%s: %s, the events' times change (-before +after):\n%s", sample.Name, what, diff)
			}
		}
		time.Local = time.FixedZone("Kathmandu", 5*3600+45*60)
		same("in another zone", request)
		time.Local = time.UTC
		moved := request
		moved.Body = inOtherOffset(request.Body)
		same("written in another offset", moved)

		for _, body := range withoutMembers(request.Body) {
			less := request
			less.Body = body
			events, err := simulator.Parse(adapter, less)
			if err != nil {
				continue
			}
			for _, ev := range events {
				if at := ev.Base().Timestamp; time.Since(at).Abs() < time.Hour {
					t.Errorf("%s: without one of its members, the time of an event is that of its receipt:\n%.500s", sample.Name, body)
					return
				}
			}
		}
	}
}

func timestamps(events []anymail.Event) (list []time.Time) {
	for _, ev := range events {
		list = append(list, ev.Base().Timestamp)
	}
	return list
}

var zulu = regexp.MustCompile(`"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)Z"`)

// inOtherOffset writes the times of RFC 3339 in a JSON text in another offset.
func inOtherOffset(body []byte) []byte {
	if !json.Valid(body) {
		return body
	}
	return zulu.ReplaceAllFunc(body, func(text []byte) []byte {
		at, err := time.Parse(`"`+time.RFC3339Nano+`"`, string(text))
		if err != nil {
			return text
		}
		return []byte(at.In(time.FixedZone("", 5*3600+45*60)).Format(`"` + time.RFC3339Nano + `"`))
	})
}

// withoutMembers returns a JSON text without one of its members, for each of them.
func withoutMembers(body []byte) (list [][]byte) {
	var whole any
	if decodeNumbers(body, &whole) != nil {
		return nil
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, element := range v {
				walk(element)
			}
		case map[string]any:
			for name, value := range v {
				delete(v, name)
				list = append(list, simulator.MustJSON(whole))
				v[name] = value
				walk(value)
			}
		}
	}
	walk(whole)
	return list
}

func decodeNumbers(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return d.Decode(v)
}
