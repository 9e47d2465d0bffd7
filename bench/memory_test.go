package bench

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

// BenchmarkKeys measures a MemoryStore that is sure to remember that many keys:
// its size when it is full, and a claim of a random key that it remembers.
func BenchmarkKeys(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		store, keys, size := filled(n)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			report := reportCPU(b)
			for i := range b.N {
				claims, err := store.Claim(context.Background(), "receiver", keys[i%n:i%n+1])
				if err != nil || claims[0] != anymail.ClaimDone {
					b.Fatal("forgotten")
				}
			}
			report()
			b.ReportMetric(float64(size)/1e6, "MB")
		})
	}
}

// filled returns a full store, n keys that it remembers, in random order, and its
// size in bytes.
func filled(n int) (store *anymail.MemoryStore, keys []string, size int64) {
	ctx := context.Background()
	keys = make([]string, n)
	for i := range keys {
		keys[i] = anymail.EventKey("acme", strconv.Itoa(i))
	}
	before := live()
	store = anymail.NewMemoryStore(2*n + n/2) // its shards do not fill evenly
	remember := func(key string) {
		_, _ = store.Claim(ctx, "receiver", []string{key})
		_ = store.Finish(ctx, "receiver", key, true)
	}
	for i := range 2 * n {
		remember("other " + strconv.Itoa(i))
	}
	for _, key := range keys {
		remember(key)
	}
	size = live() - before
	rand.Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return store, keys, size
}

// live returns the bytes that are in use.
func live() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

const mailSize = 25 << 20

// mail returns a message of 25 MiB: a text and five attachments in base64.
func mail() []byte {
	var b bytes.Buffer
	b.WriteString("From: Ada <ada@example.com>\r\nTo: help@example.org\r\nSubject: Pictures\r\nMessage-ID: <" + simulator.NewParams().EventID + "@example.com>\r\n" +
		"Date: Thu, 5 Feb 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=next\r\n\r\n" +
		"--next\r\nContent-Type: text/plain\r\n\r\nSee the attachments.\r\n")
	const attachments = 5
	line := []byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("0123456789abcdefghi"), 3)) + "\r\n") // 76 characters
	for i := range attachments {
		fmt.Fprintf(&b, "--next\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=%d.png\r\nContent-Transfer-Encoding: base64\r\n\r\n", i)
		for b.Len() < mailSize*(i+1)/attachments {
			b.Write(line)
		}
	}
	b.WriteString("--next--\r\n")
	return b.Bytes()
}

// route is a way by which a message of that size arrives.
type route struct {
	sim    *simulator.Simulator
	sample simulator.Sample
}

// routes returns all ways: each ESP's samples that take a message.
func routes() (list []route) {
	for _, sim := range allsim.List() {
		for _, sample := range sim.Samples {
			if sample.TakesMIME && slices.Contains(sample.Types, anymail.EventInbound) {
				list = append(list, route{sim, sample})
			}
		}
	}
	return list
}

// BenchmarkInbound measures a mail of 25 MiB: its processor time, the bytes allocated in
// total and the peak in use, both as multiples of its size, and the peak without Raw and
// with an attachment store. The memory of the request that is sent does not count.
func BenchmarkInbound(b *testing.B) {
	mail := mail()
	for _, route := range routes() {
		sim := route.sim
		b.Run(sim.ESP+"/"+route.sample.Name, func(b *testing.B) {
			w := newWorldOf(b, sim, 1)
			renew := func(w *world) { // with another Message-ID, so that it is not a repetition
				id := simulator.NewParams().EventID
				copy(mail[bytes.Index(mail, []byte("Message-ID: <"))+len("Message-ID: <"):], id)
				p := simulator.NewParams()
				p.MIME = mail
				r := route.sample.Make(p)
				r.URL = "https://hooks.example.com/" + sim.ESP + "/" + r.Endpoint
				if sim.Sign != nil {
					require.NoError(b, sim.Sign(&r, w.credential, time.Now()))
				}
				w.requests = []simulator.Request{r}
			}
			renew(w)
			if ep := w.endpoint(); ep.MaxBody > 0 && int64(len(w.requests[0].Body)) > ep.MaxBody {
				b.Skip("the ESP's requests are smaller")
			}
			b.SetBytes(int64(len(mail)))
			before := w.received.Load()
			var busy time.Duration
			for range b.N {
				b.StopTimer()
				renew(w)
				runtime.GC() // of what made the request
				begin := cpuTime()
				b.StartTimer()
				w.dispatch(b, once())
				b.StopTimer()
				busy += cpuTime() - begin
			}
			b.ReportMetric(float64(b.N*len(mail))/1e6/busy.Seconds(), "cpu-MB/s")
			require.EqualValues(b, b.N, w.received.Load()-before)
			for _, way := range []struct {
				unit    string
				options []anymail.Option
			}{
				{"peak", nil},
				{"noraw", []anymail.Option{anymail.WithoutInboundRaw()}},
				{"stored", []anymail.Option{anymail.WithAttachmentStore(anymail.AttachmentStoreFunc(discard), 0)}},
			} {
				w := newWorldOf(b, sim, 1, way.options...)
				renew(w)
				total, peak := heap(func() { w.dispatch(b, once()) })
				require.EqualValues(b, 1, w.received.Load())
				b.ReportMetric(float64(peak)/float64(len(mail)), way.unit+"/size")
				if way.options == nil {
					b.ReportMetric(float64(total)/float64(len(mail)), "total/size")
				}
			}
		})
	}
}

func discard(_ context.Context, _ anymail.AttachmentInfo, content io.Reader) (string, error) {
	_, err := io.Copy(io.Discard, content)
	return "ref", err
}

func once() func() bool {
	left := 1
	return func() bool { left--; return left >= 0 }
}

// heap returns the bytes that run allocates, and the peak in use, which the garbage
// collector finds as it runs all the time.
func heap(run func()) (total, peak int64) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	before := live()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	allocated := m.TotalAlloc
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		for {
			runtime.GC()
			metrics.Read(sample)
			peak = max(peak, int64(sample[0].Value.Uint64())-before)
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	run()
	close(stop)
	<-stopped
	runtime.ReadMemStats(&m)
	return int64(m.TotalAlloc - allocated), peak
}

var _ http.ResponseWriter = (*recorder)(nil)
