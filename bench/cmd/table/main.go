// Table reads the output of "go test -bench" and writes it as tables in Markdown,
// with the best of the repetitions of each figure. With -write FILE it puts them
// into that file, between two comments that name the script. With -plots DIR it draws
// the curves of BenchmarkGrowth and BenchmarkKeys into that folder. From the output of
// ../reference it makes that program's table, of medians.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
)

const end = "<!-- end of figures -->\n"

func main() {
	log.SetFlags(0)
	file := flag.String("write", "", "put the tables into this `file`, between its comments")
	plots := flag.String("plots", "", "draw curves into this `folder`")
	flag.Parse()
	fs, err := read(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	if *plots != "" {
		if err := fs.draw(*plots); err != nil {
			log.Fatal(err)
		}
	}
	script, tables := "bench.sh", fs.tables
	if fs.reference != "" {
		script, tables = "bench/reference.sh", fs.referenceTable
	}
	if *file == "" {
		fmt.Print(tables())
		return
	}
	text, err := os.ReadFile(*file)
	if err != nil {
		log.Fatal(err)
	}
	begin := "<!-- figures: written by " + script + " -->\n"
	before, rest, ok := bytes.Cut(text, []byte(begin))
	_, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		log.Fatalf("%s has no comments to write the figures of %s between", *file, script)
	}
	text = bytes.Join([][]byte{before, []byte(begin), []byte(tables()), []byte(end), after}, nil)
	if err := os.WriteFile(*file, text, 0o644); err != nil { //nolint:gosec // a page of the documentation
		log.Fatal(err)
	}
}

// figures holds all values by benchmark and unit.
type figures struct {
	names     []string // in order
	values    map[string]map[string][]float64
	cpu       string
	reference string // what anymail was compared with, by ../reference
}

func read(r io.Reader) (*figures, error) {
	fs := &figures{values: map[string]map[string][]float64{}}
	reader := benchfmt.NewReader(io.TeeReader(r, os.Stderr), "go test -bench")
	for reader.Scan() {
		result, ok := reader.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		fs.cpu, fs.reference = result.GetConfig("cpu"), result.GetConfig("reference")
		name := result.Name.String()
		if fs.values[name] == nil {
			fs.values[name] = map[string][]float64{}
			fs.names = append(fs.names, name)
		}
		for _, v := range result.Values {
			value, unit := v.Value, v.Unit
			if v.OrigUnit != "" {
				value, unit = v.OrigValue, v.OrigUnit
			}
			fs.values[name][unit] = append(fs.values[name][unit], value)
		}
	}
	return fs, reader.Err()
}

// best returns the lowest value of the repetitions, or of rates the highest: the
// machine slowed the others down. It returns 0 if there is no such figure.
func (fs *figures) best(name, unit string) float64 {
	list := fs.values[name][unit]
	switch {
	case len(list) == 0:
		return 0
	case strings.HasSuffix(unit, "/s"):
		return slices.Max(list)
	}
	return slices.Min(list)
}

// median returns the median of the repetitions.
func (fs *figures) median(name, unit string) float64 { return median(fs.values[name][unit]) }

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	if len(list) == 0 {
		return 0
	}
	return list[len(list)/2]
}

// time returns the processor time of an operation in microseconds, or the time on
// the clock if that cannot be measured.
func (fs *figures) time(name string) float64 {
	if cpu := fs.best(name, "cpu-ns/op"); cpu > 0 {
		return cpu / 1000
	}
	return fs.best(name, "ns/op") / 1000
}

// below returns the names of the benchmarks of a group, without the group.
func (fs *figures) below(group string) (names []string) {
	for _, name := range fs.names {
		if rest, ok := strings.CutPrefix(name, group+"/"); ok {
			names = append(names, rest)
		}
	}
	return names
}

func (fs *figures) tables() string {
	var b strings.Builder
	count := 0
	for _, units := range fs.values {
		count = max(count, len(units["ns/op"]))
	}
	fmt.Fprintf(&b, "\n%s; the best of %d runs.\n", fs.machine(), count)
	fs.requests(&b)
	fs.servers(&b)
	fs.inbound(&b)
	fs.keys(&b)
	fs.json(&b)
	b.WriteByte('\n')
	return b.String()
}

func (fs *figures) machine() string {
	return fmt.Sprintf("%s, %d processors, %s %s/%s", fs.cpu, runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// referenceTable has django-anymail's figure before anymail's, and the median of the
// rounds' ratios.
func (fs *figures) referenceTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s; %s.\n", fs.machine(), fs.reference)
	b.WriteString("\n| request | rounds | requests/s | × | events/s | processor µs for a request | × | MB of memory | × |\n" +
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, request := range fs.below("Reference") {
		values := fs.values["Reference/"+request]
		pair := func(unit string, times float64) string {
			return number(times*median(values["django-anymail-"+unit])) + ", " + number(times*median(values["anymail-"+unit]))
		}
		ratio := func(unit, dividend, divisor string) float64 {
			var all []float64
			for i, v := range values[dividend+"-"+unit] {
				all = append(all, v/values[divisor+"-"+unit][i])
			}
			return median(all)
		}
		events := median(values["events"])
		fmt.Fprintf(&b, "| %s | %d | %s | %.1f | %s | %s | %.1f | %s | %.1f |\n", request, len(values["events"]),
			pair("requests/s", 1), ratio("requests/s", "anymail", "django-anymail"), pair("requests/s", events),
			pair("µs", 1), ratio("µs", "django-anymail", "anymail"), pair("MB", 1), ratio("MB", "django-anymail", "anymail"))
	}
	b.WriteByte('\n')
	return b.String()
}

func (fs *figures) requests(b *strings.Builder) {
	b.WriteString("\n| request | floor µs | anymail µs | × floor | verify and parse µs | × floor | peers µs | allocations per event | bytes per event | events/s on 1, 2 cores |\n" +
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	var subjects []string
	for _, name := range fs.below("Request") {
		if subject, _, _ := strings.Cut(name, "/"); !slices.Contains(subjects, subject) {
			subjects = append(subjects, subject)
		}
	}
	for _, subject := range subjects {
		name := "Request/" + subject
		events := 1.0
		if strings.HasSuffix(subject, "1000") {
			events = 1000
		}
		var peers []string
		for _, peer := range fs.below(name) {
			if peer != "floor" && peer != "anymail" && peer != "stages" {
				peers = append(peers, peer+" "+number(fs.time(name+"/"+peer)))
			}
		}
		floor, all, stages := fs.time(name+"/floor"), fs.time(name+"/anymail"), fs.time(name+"/stages")
		fmt.Fprintf(b, "| %s | %s | %s | %.2f | %s | %.2f | %s | %s | %.0f | %.0f, %.0f |\n", subject, number(floor), number(all), all/floor,
			number(stages), stages/floor, strings.Join(peers, ", "), number(fs.best(name+"/anymail", "allocs/op")/events),
			fs.best(name+"/anymail", "B/op")/events,
			fs.best("Parallel/"+subject, "events/s"), fs.best("Parallel/"+subject+"-2", "events/s"))
	}
}

func (fs *figures) servers(b *strings.Builder) {
	b.WriteString("\n| a server's µs for a request | bare handler, without the signature | bare handler | anymail | × without the signature | × bare |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, esp := range fs.below("Server") {
		median := func(unit string) float64 { return fs.median("Server/"+esp, unit) }
		name, _, _ := strings.Cut(esp, "-") // without the number of processors
		fmt.Fprintf(b, "| %s | %s | %s | %s | %.2f | %.2f |\n", name, number(median("unchecked-µs")), number(median("bare-µs")),
			number(median("anymail-µs")), median("ratio-unchecked"), median("ratio"))
	}
}

func (fs *figures) inbound(b *strings.Builder) {
	b.WriteString("\n| mail of 25 MiB by | most in use, × its size | without Raw | with its attachments stored | allocated, × its size | MB/s |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, route := range fs.below("Inbound") {
		name := "Inbound/" + route
		fmt.Fprintf(b, "| %s | %.2f | %.2f | %.2f | %.2f | %.0f |\n", strings.NewReplacer("_", " ", "/", ": ").Replace(route),
			fs.median(name, "peak/size"), fs.median(name, "noraw/size"), fs.median(name, "stored/size"), fs.best(name, "total/size"), fs.best(name, "cpu-MB/s"))
	}
}

func (fs *figures) keys(b *strings.Builder) {
	b.WriteString("\n| keys in a MemoryStore | MB | ns for a lookup |\n| --- | --- | --- |\n")
	for _, n := range fs.below("Keys") {
		fmt.Fprintf(b, "| %s | %.1f | %.0f |\n", n, fs.best("Keys/"+n, "MB"), 1000*fs.time("Keys/"+n))
	}
}

func (fs *figures) json(b *strings.Builder) {
	b.WriteString("\n| JSON decoder | Mailgun µs | allocations | SendGrid, 1000 events, µs | allocations | adds to a program, MB |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, decoder := range fs.below("JSON/Mailgun") {
		single, batch := "JSON/Mailgun/"+decoder, "JSON/SendGrid1000/"+decoder
		weight := "" // wire's is that of the library below it
		if mb := fs.best("JSON/weight/"+decoder, "MB"); mb > 0 {
			weight = fmt.Sprintf("%.1f", mb)
		}
		fmt.Fprintf(b, "| %s | %s | %.0f | %s | %.0f | %s |\n", decoder, number(fs.time(single)), fs.best(single, "allocs/op"),
			number(fs.time(batch)), fs.best(batch, "allocs/op"), weight)
	}
}

// number has three significant digits.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
