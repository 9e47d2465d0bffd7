package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// curves are the plots: what grows, and what one point of the curve measures. A
// time is divided by x if per says so.
var curves = []struct {
	group, file, x, y string
	per               bool
}{
	{"Growth/events", "events", "events in a request", "µs per event", true},
	{"Growth/receivers", "receivers", "receivers", "µs per request", false},
	{"Growth/accounts", "accounts", "registered accounts", "µs per request", false},
	{"Growth/MiB", "attachments", "MiB of mail", "µs per MiB", true},
	{"Keys", "keys", "keys in a MemoryStore", "µs for a lookup", false},
}

// draw writes a file for each curve.
func (fs *figures) draw(folder string) error {
	for _, curve := range curves {
		var points plotter.XYs
		for _, name := range fs.names {
			rest, ok := strings.CutPrefix(name, curve.group)
			if !ok {
				continue
			}
			x, err := strconv.ParseFloat(rest[1:], 64) // behind "=" or "/"
			if err != nil {
				return fmt.Errorf("benchmark %s: %w", name, err)
			}
			y := fs.time(name)
			if curve.per {
				y /= x
			}
			points = append(points, plotter.XY{X: x, Y: y})
		}
		if len(points) == 0 {
			return fmt.Errorf("plot %s: no benchmark %s", curve.file, curve.group)
		}
		line, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return fmt.Errorf("plot %s: %w", curve.file, err)
		}
		first, last, _, _ := plotter.XYRange(points)
		p := plot.New()
		p.X.Label.Text, p.Y.Label.Text = curve.x, curve.y
		if last >= 1000*first {
			p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
		}
		p.Y.Min = 0
		p.Add(plotter.NewGrid(), line, marks)
		if err := p.Save(12*vg.Centimeter, 8*vg.Centimeter, filepath.Join(folder, curve.file+".svg")); err != nil {
			return fmt.Errorf("plot %s: %w", curve.file, err)
		}
	}
	return nil
}
