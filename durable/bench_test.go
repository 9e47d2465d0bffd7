package durable_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

// benchRaw has the length of an ESP's delivery event.
const benchRaw = `{"RecordType":"Delivery","ServerID":23,"MessageStream":"outbound","MessageID":"%s-%s","Recipient":"%s@example.com",` +
	`"Tag":"welcome-email","DeliveredAt":"2026-11-28T12:00:00Z","Details":"smtp;250 2.0.0 OK %s mx.example.com accepted the message for delivery",` +
	`"Metadata":{"user":"%d","campaign":"autumn-2026","template":"welcome","variant":"b"},` +
	`"Headers":[{"Name":"X-Mailer","Value":"example"},{"Name":"List-Unsubscribe","Value":"<https://example.com/unsubscribe>"}],` +
	`"Geo":{"CountryISOCode":"RS","Country":"Serbia","RegionISOCode":"VO","Region":"Autonomna Pokrajina Vojvodina","City":"Novi Sad","Zip":"21000","Coords":"45.2517,19.8369","IP":"198.51.100.7"},` +
	`"UserAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_10_3) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/43.0.2357.130 Safari/537.36"}`

// benchEvents makes events of about 1 KiB of JSON with keys of their own.
func benchEvents(n int) []anymail.Event {
	run := rand.Text()
	evs := make([]anymail.Event, n)
	for i := range evs {
		ev := event(fmt.Sprintf("example:%s%06d", run, i))
		ev.Raw = anymail.Raw(fmt.Sprintf(benchRaw, rand.Text(), rand.Text(), rand.Text(), rand.Text(), i))
		evs[i] = ev
	}
	return evs
}

// onEachBench runs a benchmark on both databases. Each measurement makes a
// database of its own, so that none finds the rows of another.
func onEachBench(b *testing.B, bench func(b *testing.B, fresh func(testing.TB) database)) {
	b.Run("db=sqlite", func(b *testing.B) { bench(b, onSQLite) })
	b.Run("db=postgres", func(b *testing.B) { bench(b, onPostgres) })
}

// figures are the measured values, by benchmark and unit.
var figures = map[string]map[string]float64{}

func report(b *testing.B, value float64, unit string) {
	b.Helper()
	b.ReportMetric(value, unit)
	if figures[b.Name()] == nil {
		figures[b.Name()] = map[string]float64{}
	}
	figures[b.Name()][unit] = value
}

// measureInserts reports the median and 99th percentile of the time of an insert,
// and events per second. Making the events is not timed.
func measureInserts(b *testing.B, batch int, insert func([]anymail.Event) error) {
	b.Helper()
	took := make([]time.Duration, 0, b.N)
	var all time.Duration
	for range b.N {
		evs := benchEvents(batch)
		start := time.Now()
		err := insert(evs)
		d := time.Since(start)
		require.NoError(b, err)
		took = append(took, d)
		all += d
	}
	reportQuantiles(b, took)
	report(b, float64(b.N*batch)/all.Seconds(), "events/s")
	report(b, residentMiB(), "rss-MiB")
}

func reportQuantiles(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	report(b, float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	report(b, float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// residentMiB returns the memory that the process has from the system; 0 if that
// cannot be read.
func residentMiB() float64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(statm))[1])
	return float64(pages*os.Getpagesize()) / (1 << 20)
}

// BenchmarkEnqueue measures the work before the answer: events for one receiver
// into an otherwise idle queue, one request after the other. The floor is the
// same rows of river_job, with their unique keys and all indexes, by the fastest
// bare insert: one INSERT over a JSON array (SQLite), COPY (PostgreSQL).
func BenchmarkEnqueue(b *testing.B) {
	onEachBench(b, func(b *testing.B, fresh func(testing.TB) database) {
		for _, batch := range []int{1, 1000} {
			b.Run(fmt.Sprintf("batch=%d/floor", batch), func(b *testing.B) {
				measureInserts(b, batch, floor(b, fresh(b)))
			})
			b.Run(fmt.Sprintf("batch=%d/durable", batch), func(b *testing.B) {
				measureInserts(b, batch, enqueue(b, fresh(b)))
			})
		}
	})
}

func enqueue(b *testing.B, db database) func([]anymail.Event) error {
	b.Helper()
	signals := new(anymail.Signals)
	connect(b, signals, "crm", new(counter).receive)
	q := db.open(b, signals, durable.WithMaxPending(1<<30))
	return func(evs []anymail.Event) error { return q.Enqueue(b.Context(), evs) }
}

// BenchmarkPack measures the compression of a row of events.
func BenchmarkPack(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			var encoded [][]byte
			size := 0
			for _, ev := range benchEvents(n) {
				e, err := json.Marshal(ev)
				require.NoError(b, err)
				encoded, size = append(encoded, e), size+len(e)
			}
			var row []byte
			for b.Loop() {
				row = durable.Pack(encoded)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
			b.ReportMetric(float64(size)/float64(len(row)), "ratio")
		})
	}
}

// BenchmarkEnqueueParallel measures the same with single events from 64
// concurrent requests.
func BenchmarkEnqueueParallel(b *testing.B) {
	onEachBench(b, func(b *testing.B, fresh func(testing.TB) database) {
		for what, open := range map[string]func(*testing.B, database) func([]anymail.Event) error{"floor": floor, "durable": enqueue} {
			b.Run(what, func(b *testing.B) {
				insert := open(b, fresh(b))
				var mu sync.Mutex
				var took []time.Duration
				b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					var own []time.Duration
					for pb.Next() {
						evs := benchEvents(1)
						start := time.Now()
						if err := insert(evs); err != nil {
							b.Error(err)
						}
						own = append(own, time.Since(start))
					}
					mu.Lock()
					defer mu.Unlock()
					took = append(took, own...)
				})
				b.StopTimer()
				reportQuantiles(b, took)
				report(b, float64(b.N)/b.Elapsed().Seconds(), "events/s")
				report(b, residentMiB(), "rss-MiB")
			})
		}
	})
}

// BenchmarkWork measures the work from the queue to a receiver: one that does
// nothing, and one that writes a row in the job's transaction.
func BenchmarkWork(b *testing.B) {
	onEachBench(b, func(b *testing.B, fresh func(testing.TB) database) {
		for _, workers := range []int{durable.DefaultWorkers, 200} {
			b.Run(fmt.Sprintf("workers=%d/plain", workers), func(b *testing.B) {
				benchWork(b, fresh(b), workers, func(context.Context, *anymail.TrackingEvent) error { return nil })
			})
		}
		b.Run(fmt.Sprintf("workers=%d/tx", durable.DefaultWorkers), func(b *testing.B) {
			benchWork(b, fresh(b), durable.DefaultWorkers, func(ctx context.Context, ev *anymail.TrackingEvent) error {
				tx, err := durable.Tx(ctx)
				if err != nil {
					return err
				}
				_, err = tx.ExecContext(ctx, "INSERT INTO effects (key) VALUES ($1)", ev.Key)
				return err
			})
		})
	})
}

func benchWork(b *testing.B, db database, workers int, receive func(context.Context, *anymail.TrackingEvent) error) {
	var signals anymail.Signals
	var done atomic.Int64
	connect(b, &signals, "crm", func(ctx context.Context, ev *anymail.TrackingEvent) error {
		defer done.Add(1)
		return receive(ctx, ev)
	})
	q := db.open(b, &signals, durable.WithMaxPending(1<<30), durable.WithWorkers(workers))
	_, err := q.DB().ExecContext(b.Context(), "CREATE TABLE effects (key text NOT NULL)")
	require.NoError(b, err)
	for left := b.N; left > 0; left -= 1000 {
		require.NoError(b, q.Enqueue(b.Context(), benchEvents(min(left, 1000))))
	}
	b.ResetTimer()
	start(b, q)
	for done.Load() < int64(b.N) {
		time.Sleep(5 * time.Millisecond)
	}
	settle(b, q) // until all jobs are stored as done
	b.StopTimer()
	report(b, float64(b.N)/b.Elapsed().Seconds(), "events/s")
	report(b, residentMiB(), "rss-MiB")
}

// steadyEnv is for how long BenchmarkSteady runs: 5 seconds if it is not set.
const steadyEnv = "ANYMAIL_BENCH_STEADY"

// BenchmarkSteady lets 64 clients post single events while a receiver runs, and logs
// how the queue, the memory and the database grow.
func BenchmarkSteady(b *testing.B) {
	lasts := steadyTime(b)
	onEachBench(b, func(b *testing.B, fresh func(testing.TB) database) {
		s := newSteady(b, fresh(b))
		began := time.Now()
		posted := make(chan struct{})
		go func() { defer close(posted); s.post(b, lasts) }()
		for range 10 {
			before := s.accepted.Load()
			time.Sleep(lasts / 10)
			stats, err := s.q.Stats(b.Context())
			require.NoError(b, err)
			b.Logf("%4.0f s: %6.0f events/s accepted, %d refusals, %d waiting, %.0f MiB RSS", time.Since(began).Seconds(),
				float64(s.accepted.Load()-before)/(lasts/10).Seconds(), s.refused.Load(), stats.Pending+stats.Running, residentMiB())
		}
		<-posted
		report(b, float64(s.accepted.Load())/time.Since(began).Seconds(), "events/s")
		settle(b, s.q)
		require.Equal(b, s.accepted.Load(), s.done.Load())
		b.Logf("%d events, each done once", s.done.Load())
	})
}

func steadyTime(tb testing.TB) time.Duration {
	tb.Helper()
	text := os.Getenv(steadyEnv)
	if text == "" {
		return 5 * time.Second
	}
	lasts, err := time.ParseDuration(text)
	require.NoError(tb, err)
	return lasts
}

// steady is a queue with a receiver, and clients that post to it.
type steady struct {
	q                       *durable.Queue
	accepted, refused, done atomic.Int64
}

func newSteady(tb testing.TB, db database) *steady {
	tb.Helper()
	s, signals := new(steady), new(anymail.Signals)
	connect(tb, signals, "crm", func(context.Context, *anymail.TrackingEvent) error { s.done.Add(1); return nil })
	s.q = db.open(tb, signals, durable.WithMaxPending(100_000))
	start(tb, s.q)
	return s
}

// post lets 64 clients post. A client whose event is refused because the queue is full
// waits, as an ESP does, but for less time.
func (s *steady) post(tb testing.TB, lasts time.Duration) {
	tb.Helper()
	began := time.Now()
	var clients sync.WaitGroup
	for range 64 {
		clients.Go(func() {
			for time.Since(began) < lasts {
				for _, ev := range benchEvents(100) {
					for s.q.Enqueue(tb.Context(), []anymail.Event{ev}) != nil {
						s.refused.Add(1)
						time.Sleep(10 * time.Millisecond)
					}
					s.accepted.Add(1)
				}
			}
		})
	}
	clients.Wait()
}

// BenchmarkProcesses measures one and two processes on one PostgreSQL, each with
// clients and a receiver as in BenchmarkSteady.
func BenchmarkProcesses(b *testing.B) {
	lasts := steadyTime(b)
	for _, scale := range []struct{ processes, cores int }{{1, 1}, {1, 2}, {2, 1}, {2, 2}} {
		b.Run(fmt.Sprintf("processes=%d/cores=%d", scale.processes, scale.cores), func(b *testing.B) {
			db := onPostgres(b)
			require.NoError(b, db.open(b, new(anymail.Signals)).Close()) // makes the tables
			var all []*steadyProcess
			for range scale.processes {
				all = append(all, startSteady(b, db, scale.cores, lasts))
			}
			for _, p := range all {
				p.goOn(b)
			}
			accepted, done, spent := int64(0), int64(0), time.Duration(0)
			for _, p := range all {
				accepted += p.read(b)
			}
			for _, p := range all {
				p.goOn(b)
				done += p.read(b)
				require.NoError(b, p.cmd.Wait())
				spent += p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
			}
			require.Equal(b, accepted, done)
			report(b, float64(accepted)/lasts.Seconds(), "events/s")
			report(b, float64(spent.Microseconds())/float64(accepted), "cpu-µs/event")
		})
	}
}

// steadyProcess is a process that runs steadyChild.
type steadyProcess struct {
	cmd *exec.Cmd
	in  io.Writer
	out io.Reader
}

func (p *steadyProcess) goOn(tb testing.TB) {
	tb.Helper()
	_, err := fmt.Fprintln(p.in)
	require.NoError(tb, err)
}

func (p *steadyProcess) read(tb testing.TB) (n int64) {
	tb.Helper()
	_, err := fmt.Fscanln(p.out, &n)
	require.NoError(tb, err)
	return n
}

const steadyChildEnv = "ANYMAIL_DURABLE_STEADY_CHILD"

func startSteady(b *testing.B, db database, cores int, lasts time.Duration) *steadyProcess {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), steadyChildEnv+"="+db.dsn, steadyEnv+"="+lasts.String(), fmt.Sprint("GOMAXPROCS=", cores))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	p := &steadyProcess{cmd, in, bufio.NewReader(out)}
	p.read(b) // it is ready
	return p
}

// steadyChild says that it is ready, posts after it has read a line, and writes how
// many of its events were accepted, and after another line how many it has done.
func steadyChild(dsn string) {
	t := new(childTB)
	s := newSteady(t, database{"postgres", dsn, true})
	fmt.Println(0)
	_, _ = fmt.Scanln()
	s.post(t, steadyTime(t))
	fmt.Println(s.accepted.Load())
	_, _ = fmt.Scanln()
	settle(t, s.q)
	fmt.Println(s.done.Load())
}

// floor returns a function that inserts the events of a request as one row of a
// table, and does nothing else.
func floor(b *testing.B, db database) func([]anymail.Event) error {
	b.Helper()
	q := db.open(b, new(anymail.Signals))
	kind := map[string]string{"sqlite": "blob", "postgres": "bytea"}[db.kind]
	_, err := q.DB().ExecContext(b.Context(), "CREATE TABLE floor (events "+kind+")")
	require.NoError(b, err)
	return func(evs []anymail.Event) error {
		encoded, err := json.Marshal(evs)
		if err == nil {
			_, err = q.DB().ExecContext(b.Context(), "INSERT INTO floor VALUES ($1)", encoded)
		}
		return err
	}
}

// printTables prints the figures as the tables of docs/durable.md.
func printTables(w io.Writer) {
	if len(figures) == 0 {
		return
	}
	row := func(what string, cells ...string) {
		fmt.Fprintf(w, "| %s |\n", strings.Join(append([]string{what}, cells...), " | "))
	}
	cell := func(format, benchmark string, units ...string) string {
		values := make([]any, len(units))
		for i, unit := range units {
			value, ok := figures["Benchmark"+benchmark][unit]
			if !ok {
				return "not measured"
			}
			values[i] = value
		}
		return fmt.Sprintf(format, values...)
	}

	fmt.Fprintf(w, "\n%s, %d CPUs, %s; load average at the end %s\n\n", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), loadAverage())
	row("before the answer", "SQLite floor", "SQLite", "PostgreSQL floor", "PostgreSQL")
	row("---", "---", "---", "---", "---")
	for _, r := range []struct{ rate, latency, benchmark string }{
		{"single events, per second", "median / p99", "Enqueue/db=%s/batch=1/%s"},
		{"1000 in a request, events per second", "median / p99 of such a request", "Enqueue/db=%s/batch=1000/%s"},
		{"single events from 64 concurrent requests, per second", "median / p99 of each", "EnqueueParallel/db=%s/%s"},
	} {
		var rates, latencies []string
		for _, db := range []string{"sqlite", "postgres"} {
			for _, what := range []string{"floor", "durable"} {
				benchmark := fmt.Sprintf(r.benchmark, db, what)
				rates = append(rates, cell("%.0f", benchmark, "events/s"))
				latencies = append(latencies, cell("%.1f / %.1f ms", benchmark, "p50-ms", "p99-ms"))
			}
		}
		row(r.rate, rates...)
		row(r.latency, latencies...)
	}
	fmt.Fprintln(w)
	row("receivers, events per second", "SQLite", "PostgreSQL")
	row("---", "---", "---")
	for _, r := range []struct{ what, benchmark string }{
		{"receiver that does nothing, 16 workers", "workers=16/plain"},
		{"the same, 200 workers", "workers=200/plain"},
		{"receiver that writes a row in `Tx`, 16 workers", "workers=16/tx"},
	} {
		row(r.what, cell("%.0f", "Work/db=sqlite/"+r.benchmark, "events/s"), cell("%.0f", "Work/db=postgres/"+r.benchmark, "events/s"))
	}
	least, most := math.Inf(1), 0.0
	for _, f := range figures {
		least, most = min(least, f["rss-MiB"]), max(most, f["rss-MiB"])
	}
	fmt.Fprintf(w, "\nThe process had %.0f to %.0f MiB of memory (RSS).\n", least, most)
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
