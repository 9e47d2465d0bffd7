package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/simulator"
)

// day is two gateways on one PostgreSQL, ESPs that post to either of them, and two
// sinks that count.
type day struct {
	schema     schema
	dir        string
	crm, audit *hook
	crmWorks   atomic.Bool
	running    [2]*process
	bases      [2]atomic.Value // of the running gateways
	accepted   atomic.Int64    // events that were answered with 200
	refused    atomic.Int64    // posts that were not
}

func startDay(t *testing.T) *day {
	d := &day{schema: newSchema(t), dir: t.TempDir()}
	d.crmWorks.Store(true)
	d.crm = newHook(t, func(anymail.Event) int {
		if !d.crmWorks.Load() {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	d.audit = newHook(t, func(anymail.Event) int { return http.StatusOK })
	write(t, d.dir, "database", d.schema.dsn)
	return d
}

// configure writes the configuration with accounts at Mailgun, each with its keys.
func (d *day) configure(t *testing.T, accounts map[string][]esp) {
	t.Helper()
	config := "queue_file: database\nidempotency_file: database\nshutdown_delay: 100ms\ndelivery: {max_attempts: 2}\nsinks:\n"
	for name, sink := range map[string]*hook{"crm": d.crm, "audit": d.audit} {
		config += fmt.Sprintf("  - {type: webhook, name: %s, secrets: %s, url: %q}\n", name, whsec, sink.URL)
	}
	config += "adapters:\n"
	for name, keys := range accounts {
		var list []string
		for _, e := range keys {
			list = append(list, e.credential.Config)
		}
		text, err := json.Marshal(list)
		require.NoError(t, err)
		config += fmt.Sprintf("  - {esp: mailgun, name: %s, settings: {signing_keys: %s}}\n", name, text)
	}
	write(t, d.dir, "anymail.yaml", config)
}

func (d *day) start(t *testing.T, i int) {
	t.Helper()
	d.running[i] = serve(t, d.dir)
	d.bases[i].Store(d.running[i].base)
}

// reload makes both gateways read the configuration.
func (d *day) reload(t *testing.T, accounts map[string][]esp) {
	t.Helper()
	d.configure(t, accounts)
	for _, p := range d.running {
		lines, _, _ := p.stderr.get()
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
		p.stderr.wait(t, "the reload", func(now []string) bool {
			return contains(`msg="anymail: reloaded"`)(now[len(lines):])
		})
	}
}

// post posts events as an ESP does: until they are answered with 200.
func (d *day) post(t *testing.T, e esp, n int) (all []simulator.Params) {
	t.Helper()
	for i := range n {
		params := simulator.NewParams()
		all = append(all, params)
		d.postOne(t, e, i, params)
		d.accepted.Add(1)
	}
	return all
}

func (d *day) postOne(t *testing.T, e esp, i int, params simulator.Params) {
	t.Helper()
	for until := time.Now().Add(patience); ; i++ {
		status, err := do(e.request(t, d.bases[i%2].Load().(string), "", params))
		if err == nil && status == http.StatusOK {
			return
		}
		d.refused.Add(1)
		require.True(t, time.Now().Before(until), "the ESP gives up")
		time.Sleep(10 * time.Millisecond)
	}
}

// arrived waits until each accepted event has arrived at a sink, except for some.
func (d *day) arrived(t *testing.T, sink *hook, except int) {
	t.Helper()
	want := int(d.accepted.Load()) - except
	sink.wait(t, fmt.Sprint(want, " events"), func() bool { return len(sink.done) == want })
}

// dead waits for n dead letters and returns their keys.
func (d *day) dead(t *testing.T, n int) (keys []string) {
	t.Helper()
	require.Eventually(t, func() bool {
		code, out, info := run(t, d.dir, "dead", "list", "--json", "--sink", "crm")
		require.Zero(t, code, info)
		var jobs []struct{ Key string }
		require.NoError(t, json.Unmarshal([]byte(out), &jobs))
		keys = nil
		for _, job := range jobs {
			keys = append(keys, job.Key)
		}
		return len(keys) >= n
	}, patience, 200*time.Millisecond)
	require.Len(t, keys, n)
	return keys
}

func (d *day) retryAll(t *testing.T, n int) {
	t.Helper()
	code, out, info := run(t, d.dir, "dead", "retry", "--all", "--sink", "crm")
	require.Zero(t, code, info)
	require.Equal(t, fmt.Sprintf("retrying %d\n", n), out)
}

// A day of two gateways: an account is added and its key rotated, a sink breaks and
// recovers, dead letters are retried, both gateways are replaced, and the database is
// restored from a backup. Each event arrives at each sink exactly as often as
// docs/gateway.md promises.
func TestADaysOperation(t *testing.T) {
	for _, program := range []string{"pg_dump", "pg_restore"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("no " + program)
		}
	}
	const n = 10 // events of each step
	d := startDay(t)
	older, newer := newESP(t, "mailgun"), newESP(t, "mailgun")
	shop := newESP(t, "mailgun")
	shop.name = "shop"

	// The morning: two gateways, one account.
	d.configure(t, map[string][]esp{"mailgun": {older}})
	d.start(t, 0)
	d.start(t, 1)
	first := d.post(t, older, n)

	// A second account.
	require.Equal(t, http.StatusNotFound, shop.post(t, d.running[0].base, "", simulator.NewParams()))
	d.reload(t, map[string][]esp{"mailgun": {older}, "shop": {shop}})
	d.post(t, shop, n)

	// Its key is rotated: both are valid, then only the new one.
	fresh := newer
	fresh.name = "shop"
	d.reload(t, map[string][]esp{"mailgun": {older}, "shop": {fresh, shop}})
	d.post(t, shop, n)
	d.post(t, fresh, n)
	_, body := get(t, d.running[0].admin+"/metrics")
	require.Contains(t, body, `anymail_key_matches_total{adapter="shop",endpoint="tracking",index="0",use="key"}`)
	require.Contains(t, body, `anymail_key_matches_total{adapter="shop",endpoint="tracking",index="1",use="key"}`)
	d.reload(t, map[string][]esp{"mailgun": {older}, "shop": {fresh}})
	require.Equal(t, http.StatusBadRequest, shop.post(t, d.running[0].base, "", simulator.NewParams()))
	d.post(t, fresh, n)
	d.arrived(t, d.crm, 0)

	// A sink breaks. The other one gets the events, and the ESP notices nothing.
	d.crmWorks.Store(false)
	d.post(t, older, n)
	d.arrived(t, d.audit, 0)
	d.dead(t, n)
	d.crmWorks.Store(true)
	d.retryAll(t, n)
	d.arrived(t, d.crm, 0)

	// Both gateways are replaced, one after the other, while events arrive.
	posted := make(chan struct{})
	go func() {
		defer close(posted)
		d.post(t, older, 5*n)
	}()
	for i, p := range d.running {
		require.NoError(t, p.stop(t))
		d.start(t, i)
	}
	<-posted
	d.arrived(t, d.crm, 0)
	d.arrived(t, d.audit, 0)

	// A backup is made while there are dead letters. They are delivered, then the
	// database is lost: what was delivered since the backup is repeated.
	d.crmWorks.Store(false)
	d.post(t, older, n)
	d.arrived(t, d.audit, 0)
	repeated := d.dead(t, n)
	backup := d.dir + "/backup"
	out, err := exec.CommandContext(t.Context(), "pg_dump", "--format=custom", "--schema="+d.schema.name, "--file="+backup, "--dbname="+d.schema.server).CombinedOutput()
	require.NoError(t, err, string(out))
	d.crmWorks.Store(true)
	d.retryAll(t, n)
	d.arrived(t, d.crm, 0)
	for _, p := range d.running {
		require.NoError(t, p.stop(t))
	}
	_, err = d.schema.db.Exec("DROP SCHEMA " + d.schema.name + " CASCADE")
	require.NoError(t, err)
	out, err = exec.CommandContext(t.Context(), "pg_restore", "--dbname="+d.schema.server, backup).CombinedOutput()
	require.NoError(t, err, string(out))
	d.start(t, 0)
	d.start(t, 1)
	d.dead(t, n)
	d.retryAll(t, n)
	d.crm.wait(t, "the repeats", func() bool {
		return !slices.ContainsFunc(repeated, func(key string) bool { return d.crm.done[key] < 2 })
	})

	// The ESP redelivers the first events, which has no effect, and posts new ones.
	for i, params := range first {
		d.postOne(t, older, i, params)
	}
	d.post(t, older, n)
	d.arrived(t, d.crm, 0)
	d.arrived(t, d.audit, 0)
	for _, p := range d.running {
		require.NoError(t, p.stop(t))
	}

	repeats := 0
	for name, sink := range map[string]*hook{"crm": d.crm, "audit": d.audit} {
		for key, times := range sink.done {
			want := 1
			if name == "crm" && slices.Contains(repeated, key) {
				want = 2
			}
			require.Equal(t, want, times, "%s: %s", name, key)
			repeats += times - 1
		}
	}
	t.Logf("%d events arrived at each of 2 sinks; %d were repeated, by the restore; %d posts were refused and repeated", d.accepted.Load(), repeats, d.refused.Load())
}
