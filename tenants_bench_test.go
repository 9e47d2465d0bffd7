package anymail_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

func newBenchDispatcher(b *testing.B, options ...anymail.Option) *anymail.Dispatcher {
	b.Helper()
	d, err := anymail.New(append([]anymail.Option{anymail.WithSharedSecret(secret), anymail.WithLogger(quiet)}, options...)...)
	require.NoError(b, err)
	return d
}

func heapInUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// registerAccounts registers n accounts, each with a key and a secret of its own.
func registerAccounts(b *testing.B, d *anymail.Dispatcher, n int) {
	b.Helper()
	for i := range n {
		require.NoError(b, d.Register(fmt.Sprint("account-", i), newAcme(fmt.Sprint("key-", i)),
			anymail.WithSharedSecret(fmt.Sprint(secret, i))))
	}
}

func BenchmarkRegisterAccounts(b *testing.B) {
	for _, n := range []int{1000, 20_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				before := heapInUse()
				d, begin := newBenchDispatcher(b), time.Now()
				registerAccounts(b, d, n)
				b.ReportMetric(time.Since(begin).Seconds()*1000, "ms")
				b.ReportMetric(float64(heapInUse()-before)/float64(n), "B/account")
				runtime.KeepAlive(d)
			}
		})
	}
}

// serveAccount posts one event to an account and fails unless it is accepted.
func serveAccount(b *testing.B, d *anymail.Dispatcher, name, credentials string) {
	r := httptest.NewRequest(http.MethodPost, "/"+name+"/tracking/", strings.NewReader("[]"))
	r.Header = newPost("[]").with("Authorization", basic(credentials)).header
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		b.Fatal(w.Code)
	}
}

// unsigned has no signature, so that the rest of a request shows.
func unsigned(context.Context, string) (anymail.Adapter, []anymail.Option, error) {
	return newAcme(), nil, nil
}

// A request to one of many accounts, chosen at random.
func BenchmarkAccounts(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d := newBenchDispatcher(b)
			for i := range n {
				require.NoError(b, d.Register(fmt.Sprint("account-", i), newAcme()))
				serveAccount(b, d, fmt.Sprint("account-", i), secret) // the first request computes digests
			}
			for b.Loop() {
				serveAccount(b, d, fmt.Sprint("account-", rand.IntN(n)), secret)
			}
		})
	}
}

// Of a million accounts that a resolver knows, 10,000 are active.
func BenchmarkTenants(b *testing.B) {
	const known, active = 1_000_000, 10_000
	before := heapInUse()
	calls := 0
	d := newBenchDispatcher(b, anymail.WithTenants(func(ctx context.Context, name string) (anymail.Adapter, []anymail.Option, error) {
		calls++
		return unsigned(ctx, name)
	}, anymail.TenantCache{}))
	name := func(i int) string { return fmt.Sprint("account-", i*(known/active)) }
	for i := range active {
		serveAccount(b, d, name(i), secret)
	}
	held := heapInUse() - before
	for b.Loop() {
		serveAccount(b, d, name(rand.IntN(active)), secret)
	}
	b.ReportMetric(float64(held)/active, "B/account")
	if calls != active {
		b.Errorf("%d calls of the resolver", calls)
	}
}
