// Command load measures how many requests gateways on one PostgreSQL accept and
// deliver, and who spends the processor's time on it: the figures in docs/gateway.md.
//
//	go run ./cmd/anymail-gateway/internal/load -replicas 2
//
// It builds the gateway, starts replicas with a queue and an idempotency store in a
// schema of its own, and posts signed events of one ESP to them in turn. The sinks are
// webhooks that this process answers immediately.
package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"text/tabwriter"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

type settings struct {
	replicas, sinks, requests, clients, workers, repeats int

	postgres, schema, dir string
	db                    *sql.DB
}

func main() {
	var s settings
	flag.IntVar(&s.replicas, "replicas", 1, "gateways")
	flag.IntVar(&s.sinks, "sinks", 3, "webhooks that get each event")
	flag.IntVar(&s.requests, "requests", 6000, "requests with one event each")
	flag.IntVar(&s.clients, "clients", 32, "requests at once")
	flag.IntVar(&s.workers, "workers", 16, "delivery.workers")
	flag.IntVar(&s.repeats, "repeats", 50, "delivery.max_repeats")
	flag.StringVar(&s.postgres, "postgres", cmp.Or(os.Getenv("ANYMAIL_TEST_POSTGRES"), "postgres://postgres@127.0.0.1:5432/test?sslmode=disable"), "URL of the database")
	flag.Parse()
	if err := run(context.Background(), s); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

const (
	secret = "anymail:0123456789abcdefghij"
	whsec  = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
)

func run(ctx context.Context, s settings) (err error) {
	if s.dir, err = os.MkdirTemp("", "anymail-load"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(s.dir) }()
	program := filepath.Join(s.dir, "gateway")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/goanymail/anymail/cmd/anymail-gateway") //nolint:gosec // a directory of its own
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	if err := s.makeSchema(ctx); err != nil {
		return err
	}
	defer s.dropSchema(ctx)

	var delivered atomic.Int64
	all := make(chan struct{}) // closed when each sink has each event
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if delivered.Add(1) == int64(s.requests*s.sinks) {
			close(all)
		}
	}))
	defer sink.Close()
	if err := s.configure(sink.URL); err != nil {
		return err
	}
	var gateways []*gateway
	defer func() {
		for _, g := range gateways {
			g.stop()
		}
	}()
	for range s.replicas {
		g, err := s.start(ctx)
		if err != nil {
			return err
		}
		gateways = append(gateways, g)
	}
	requests, err := s.prepare(gateways)
	if err != nil {
		return err
	}

	before, err := s.cpuTimes(ctx, gateways)
	if err != nil {
		return err
	}
	begin := time.Now()
	latencies, err := s.post(requests)
	accepted := time.Since(begin)
	if err != nil {
		return err
	}
	select {
	case <-all:
	case <-time.After(10 * time.Minute):
		return fmt.Errorf("only %d events were delivered", delivered.Load())
	}
	total := time.Since(begin)
	after, err := s.cpuTimes(ctx, gateways)
	if err != nil {
		return err
	}

	slices.Sort(latencies)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("replicas, sinks, workers, max_repeats, clients", "%d, %d, %d, %d, %d", s.replicas, s.sinks, s.workers, s.repeats, s.clients)
	row("requests accepted per second", "%.0f", float64(s.requests)/accepted.Seconds())
	row("answers, median and 99 %", "%s, %s", latencies[len(latencies)/2].Round(time.Millisecond), latencies[len(latencies)*99/100].Round(time.Millisecond))
	row("requests accepted and delivered per second", "%.0f", float64(s.requests)/total.Seconds())
	row("deliveries", "%d", delivered.Load())
	for i, name := range []string{"gateways", "PostgreSQL for them", "this program, clients and sinks"} {
		row("processor time per request, "+name, "%s", ((after[i] - before[i]) / time.Duration(s.requests)).Round(10*time.Microsecond))
	}
	return table.Flush()
}

// makeSchema makes a schema in the database and adds it to the URL, also as the name
// of the application.
func (s *settings) makeSchema(ctx context.Context) (err error) {
	if s.db, err = sql.Open("pgx", s.postgres); err != nil {
		return err
	}
	u, err := url.Parse(s.postgres)
	if err != nil {
		return err
	}
	s.schema = fmt.Sprintf("load_%d", time.Now().UnixNano())
	query := u.Query()
	query.Set("search_path", s.schema)
	query.Set("application_name", s.schema)
	u.RawQuery = query.Encode()
	s.postgres = u.String()
	_, err = s.db.ExecContext(ctx, "CREATE SCHEMA "+s.schema)
	return err
}

func (s *settings) dropSchema(ctx context.Context) {
	_, _ = s.db.ExecContext(context.WithoutCancel(ctx), "DROP SCHEMA "+s.schema+" CASCADE")
	_ = s.db.Close()
}

func (s *settings) configure(sink string) error {
	var config strings.Builder
	fmt.Fprintf(&config, "shared_secrets: %s\nqueue: %q\nidempotency: %q\ndelivery: {workers: %d, max_repeats: %d}\nlog: {level: error}\nsinks:\n", secret, s.postgres, s.postgres, s.workers, s.repeats)
	for i := range s.sinks {
		fmt.Fprintf(&config, "  - {type: webhook, name: sink%d, url: %q, secrets: %s}\n", i, sink, whsec)
	}
	return os.WriteFile(filepath.Join(s.dir, "anymail.yaml"), []byte(config.String()), 0o600)
}

// gateway is a running process.
type gateway struct {
	cmd  *exec.Cmd
	base string
}

func (s *settings) start(ctx context.Context) (*gateway, error) {
	free, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		return nil, err
	}
	g := &gateway{exec.CommandContext(ctx, filepath.Join(s.dir, "gateway"), "serve"), "http://" + address + "/anymail"} //nolint:gosec // as above
	g.cmd.Dir, g.cmd.Stderr = s.dir, os.Stderr
	g.cmd.Env = append(os.Environ(), "ANYMAIL_LISTEN="+address, "ANYMAIL_ADMIN=off")
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	for until := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return g, c.Close()
		}
		if time.Now().After(until) {
			g.stop()
			return nil, errors.New("the gateway does not listen")
		}
	}
}

func (g *gateway) stop() {
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	_ = g.cmd.Wait()
}

// prepare makes the requests in advance, so that signing takes no time later.
func (s *settings) prepare(gateways []*gateway) ([]simulator.Request, error) {
	sim := allsim.Find("postmark")
	sample, ok := sim.Sample("Delivery")
	if !ok {
		return nil, errors.New("the simulator has no such sample")
	}
	requests := make([]simulator.Request, s.requests)
	for i := range requests {
		w := simulator.Webhook{Simulator: sim, URL: gateways[i%len(gateways)].base, Secret: secret}
		var err error
		if requests[i], err = w.Sign(sample.Make(simulator.NewParams())); err != nil {
			return nil, err
		}
	}
	return requests, nil
}

// post posts the requests and returns how long each answer took.
func (s *settings) post(requests []simulator.Request) ([]time.Duration, error) {
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: s.clients}}
	latencies, failed := make([]time.Duration, len(requests)), make(chan error, s.clients)
	var next atomic.Int64
	var clients sync.WaitGroup
	for range s.clients {
		clients.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(requests) {
					return
				}
				begin := time.Now()
				req, err := requests[i].HTTP()
				if err == nil {
					err = send(client, req)
				}
				if err != nil {
					failed <- err
					return
				}
				latencies[i] = time.Since(begin)
			}
		})
	}
	clients.Wait()
	close(failed)
	return latencies, <-failed
}

func send(client *http.Client, req *http.Request) error {
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		return errors.New("the answer is " + resp.Status)
	}
	return nil
}

// cpuTimes returns the processor time of the gateways, of PostgreSQL's processes for
// them if it runs on this machine, and of this process. It is zero on systems without
// /proc.
func (s *settings) cpuTimes(ctx context.Context, gateways []*gateway) (times [3]time.Duration, err error) {
	for _, g := range gateways {
		times[0] += cpuTime(strconv.Itoa(g.cmd.Process.Pid))
	}
	rows, err := s.db.QueryContext(ctx, "SELECT pid FROM pg_stat_activity WHERE application_name = $1", s.schema)
	if err != nil {
		return times, err
	}
	defer rows.Close()
	for rows.Next() {
		var pid string
		if err := rows.Scan(&pid); err != nil {
			return times, err
		}
		times[1] += cpuTime(pid)
	}
	times[2] = cpuTime("self")
	return times, rows.Err()
}

var afterName = regexp.MustCompile(`^.*\) `)

// cpuTime reads the user and system time of a process: proc_pid_stat(5), in ticks of
// 10 ms.
func cpuTime(pid string) time.Duration {
	text, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return 0
	}
	fields := strings.Fields(afterName.ReplaceAllString(string(text), ""))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
