package bench

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/postmark/postmarksim"
	"github.com/goanymail/anymail/esp/sendgrid/sendgridsim"
	"github.com/goanymail/anymail/esp/sparkpost/sparkpostsim"
	"github.com/goanymail/anymail/simulator"
)

// BenchmarkGrowth measures how the cost of a request grows with one quantity while
// the others stay. cmd/plot draws the curves: the part of a name before "=" is a
// curve's name, the part behind it is x.
func BenchmarkGrowth(b *testing.B) {
	grow := func(what string, xs []int, measure func(b *testing.B, x int)) {
		for _, x := range xs {
			b.Run(what+"="+strconv.Itoa(x), func(b *testing.B) { measure(b, x) })
		}
	}
	grow("events", []int{1, 3, 10, 30, 100, 300, 1000, 3000}, func(b *testing.B, n int) {
		newWorld(b, sparkpostsim.New(), max(4, 2000/n), n, "injection", "delivery", "open", "click").run(b)
	})
	grow("receivers", []int{1, 2, 4, 8, 16, 32, 64}, func(b *testing.B, n int) {
		w := newWorld(b, postmarksim.New(), 1024, 1, "Click")
		for i := range n - 1 {
			require.NoError(b, w.dispatcher.Tracking.Connect(fmt.Sprint("more-", i), func(context.Context, *anymail.TrackingEvent) error { return nil }))
		}
		w.run(b)
	})
	grow("accounts", []int{1, 10, 100, 1000, 10_000, 100_000}, func(b *testing.B, n int) {
		sim := postmarksim.New()
		w := newWorld(b, sim, min(max(n, 1024), 20_000), 1, "Click")
		for i := range n {
			adapter, _, err := sim.NewAccount()
			require.NoError(b, err)
			require.NoError(b, w.dispatcher.Register(fmt.Sprint("account-", i), adapter))
		}
		for i := range w.requests { // accounts by turns, each far from the one before
			account := fmt.Sprint("/account-", i*7919%n, "/")
			w.requests[i].URL = strings.Replace(w.requests[i].URL, "/postmark/", account, 1)
		}
		w.run(b)
	})
	grow("MiB", []int{1, 5, 10, 25}, func(b *testing.B, size int) {
		sim := sendgridsim.New()
		w := newWorldOf(b, sim, 1)
		adapter, credential, err := sim.NewAccount()
		require.NoError(b, err)
		require.NoError(b, w.dispatcher.Register("mail", adapter, anymail.WithIdempotencyStore(noStore{})))
		p := simulator.NewParams()
		p.MIME = mail()[:size*mailSize/25]
		sample, ok := sim.Sample("inbound-raw")
		require.True(b, ok)
		r := sample.Make(p)
		r.URL = "https://hooks.example.com/mail/" + r.Endpoint
		require.NoError(b, sim.Sign(&r, credential, time.Now()))
		w.requests = []simulator.Request{r}
		w.run(b)
	})
}

// noStore remembers nothing, so that one request is not a repetition.
type noStore struct{}

func (noStore) Claim(_ context.Context, _ string, keys []string) ([]anymail.Claim, error) {
	return make([]anymail.Claim, len(keys)), nil
}
func (noStore) Finish(context.Context, string, string, bool) error { return nil }
