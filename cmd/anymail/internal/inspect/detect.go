package inspect

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/goanymail/anymail/cmd/anymail/internal/capture"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/simulator"
)

// ErrUndetected means that the ESP of a request cannot be told.
var ErrUndetected = errors.New("cannot tell which ESP the request is from")

// Detector knows what the requests of each ESP have.
type Detector struct {
	specs   []esp.Spec
	senders map[string][]string // which ESPs send a feature
}

// Detect finds the ESP of a request: the one that the server found, or that the URL
// names, or else the one with the most headers and members that no other ESP
// sends, or the only one that sends all of them. None of this proves anything. Because says what it was recognized by. The
// error is [ErrUndetected].
func (d *Detector) Detect(r *capture.Request) (spec esp.Spec, because string, err error) {
	if r.Found != nil {
		if spec, ok := esp.Find(d.specs, r.Found.ESP); ok {
			return spec, "the server says so that refused it", nil
		}
	}
	if spec, ok := d.namedBy(r.URL); ok {
		return spec, "the URL names it", nil
	}
	score, sends := map[string]int{}, map[string]int{}
	sent := features(r.Header, r.Body)
	for feature := range sent {
		esps := d.senders[feature]
		for _, name := range esps {
			sends[name]++
		}
		if len(esps) == 1 {
			score[esps[0]]++
		}
	}
	if len(score) == 0 { // nothing is unique; perhaps all of it together is
		for name, n := range sends {
			if n == len(sent) {
				score[name] = n
			}
		}
	}
	var best []string
	for name, n := range score {
		switch {
		case len(best) == 0 || n > score[best[0]]:
			best = []string{name}
		case n == score[best[0]]:
			best = append(best, name)
		}
	}
	switch len(best) {
	case 0:
		return spec, "", ErrUndetected
	case 1:
		spec, _ = esp.Find(d.specs, best[0])
		return spec, "no other sends such headers and members", nil
	}
	slices.Sort(best)
	return spec, "", fmt.Errorf("%w: it may be %s", ErrUndetected, strings.Join(best, " or "))
}

// namedBy returns the ESP that is named in the path of a URL, the last one if there
// are several.
func (d *Detector) namedBy(called string) (esp.Spec, bool) {
	u, err := url.Parse(called)
	if err != nil {
		return esp.Spec{}, false
	}
	for _, segment := range slices.Backward(strings.Split(u.Path, "/")) {
		if spec, ok := esp.Find(d.specs, strings.ToLower(segment)); ok {
			return spec, true
		}
	}
	return esp.Spec{}, false
}

// NewDetector learns from the samples of the ESPs' simulators.
func NewDetector(specs []esp.Spec, sims []*simulator.Simulator) (*Detector, error) {
	d := &Detector{specs, map[string][]string{}}
	for _, sim := range sims {
		var credential simulator.Credential
		if sim.NewCredential != nil {
			credential = sim.NewCredential()
		}
		signed := map[string]bool{} // one of each endpoint is enough
		for _, sample := range sim.Samples {
			r := sample.Make(simulator.NewParams())
			r.URL, r.Header = "https://example.com/", r.Header.Clone()
			if !signed[sample.Endpoint] {
				if err := sim.SignNow(&r, credential); err != nil {
					return nil, err
				}
			}
			signed[sample.Endpoint] = true
			for feature := range features(r.Header, r.Body) {
				if !slices.Contains(d.senders[feature], sim.ESP) {
					d.senders[feature] = append(d.senders[feature], sim.ESP)
				}
			}
		}
	}
	return d, nil
}

var index = regexp.MustCompile(`\[\d+\]`)

// features are the names of a request's headers and the paths of its members.
func features(h http.Header, body []byte) map[string]bool {
	set := map[string]bool{}
	for name := range h {
		set["header "+name] = true
	}
	for _, path := range paths(h, body) {
		set[index.ReplaceAllString(path, "")] = true
	}
	return set
}
