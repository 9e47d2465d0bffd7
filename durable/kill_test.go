package durable_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/durable"
)

// killEventsEnv is how many events TestKilledAtRandomMoments must get answered, for
// a run that is longer than that of CI.
const killEventsEnv = "ANYMAIL_TEST_KILL_EVENTS"

// A process is killed again and again while it accepts events and runs receivers.
// No event that was answered 200 is lost. A kill repeats few events, and none for a
// receiver that works in Tx.
func TestKilledAtRandomMoments(t *testing.T) {
	const workers, repeats, posters = 16, durable.DefaultMaxRepeats, 16
	enough, most, long := 2000, 100, false
	longest := 2 * time.Second
	if text := os.Getenv(killEventsEnv); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		enough, most, longest, long = n, 400, 5*time.Second, true
	}
	onEach(t, func(t *testing.T, db database) {
		w := newSandbox(t, db)
		w.MaxRepeats, w.Workers, w.MaxAttempts, w.Synced, w.TxEvery = repeats, workers, 1000, long, 50
		q := w.open(t)
		var mu sync.Mutex
		var answered []string
		began, kills, posted := time.Now(), 0, 0
		for len(answered) < enough {
			addr, kill := w.child(t)
			dead := make(chan struct{})
			time.AfterFunc(200*time.Millisecond+rand.N(longest), func() { kill(); close(dead) })
			var wg sync.WaitGroup
			for range posters {
				wg.Go(func() {
					for {
						mu.Lock()
						keys := make([]string, 1+rand.IntN(most))
						for i := range keys {
							posted++
							keys[i] = fmt.Sprint("k", posted)
						}
						mu.Unlock()
						if post(addr, keys...) == http.StatusOK {
							mu.Lock()
							answered = append(answered, keys...)
							mu.Unlock()
							continue
						}
						select {
						case <-dead:
							return
						case <-time.After(10 * time.Millisecond):
						}
					}
				})
			}
			wg.Wait()
			kills++
			ageDeadProcess(t, q, db.kind)
		}
		start(t, q)
		w.check(t, q, answered)
		calls, processes := w.calls(t)
		repeated := 0
		for _, n := range calls {
			repeated += n - 1
		}
		t.Logf("%d kills in %v: %d events answered 200, of %d posted; %d repeated, at most %d; %d processes ran receivers",
			kills, time.Since(began).Round(time.Second), len(answered), posted, repeated, kills*repeats, len(processes))
		require.LessOrEqual(t, repeated, kills*repeats)
	})
}
