package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/goanymail/anymail/internal/cli"
)

// load posts many requests and prints how many got which answer.
func load(ctx context.Context, out, info io.Writer, o triggerOptions) error {
	first, err := o.request()
	if err != nil {
		return err
	}
	fmt.Fprintf(info, "%s to %s\n", o.sample.Name, first.URL)
	var (
		mu       sync.Mutex
		answers  = map[string]int{}
		latency  = make([]time.Duration, 0, o.count)
		accepted int
		done     int
		wg       sync.WaitGroup
		tickets  = make(chan struct{})
		begin    = time.Now()
	)
	for range o.parallel {
		wg.Go(func() {
			for range tickets {
				status, took, err := o.next(ctx)
				answer := fmt.Sprintf("%d %s", status, http.StatusText(status))
				if err != nil {
					answer = "no answer"
				}
				mu.Lock()
				answers[answer]++
				if err == nil {
					latency = append(latency, took)
				}
				if status == http.StatusOK {
					accepted++
				}
				done++
				mu.Unlock()
			}
		})
	}
	stopProgress := func() {}
	if isTerminal(info) {
		stopProgress = progress(info, o.count, func() int {
			mu.Lock()
			defer mu.Unlock()
			return done
		})
	}
	handOut(ctx, tickets, o.count, o.rate)
	wg.Wait()
	stopProgress()
	took := time.Since(begin)

	total := 0
	for _, answer := range slices.Sorted(maps.Keys(answers)) {
		fmt.Fprintf(out, "%8d  %s\n", answers[answer], answer)
		total += answers[answer]
	}
	fmt.Fprintf(out, "%8.0f  requests a second, %d in %s\n", float64(total)/took.Seconds(), total, took.Round(time.Millisecond))
	if len(latency) > 0 {
		slices.Sort(latency)
		at := func(q float64) time.Duration {
			return latency[min(int(q*float64(len(latency))), len(latency)-1)].Round(10 * time.Microsecond)
		}
		fmt.Fprintf(out, "latency  min %s, median %s, p90 %s, p99 %s, max %s\n", at(0), at(.5), at(.9), at(.99), at(1))
	}
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case accepted < total:
		return cli.ErrReported
	}
	return nil
}

// next makes and posts the next request.
func (o *triggerOptions) next(ctx context.Context) (status int, took time.Duration, err error) {
	req, err := o.request()
	if err != nil {
		return 0, 0, err
	}
	status, _, took, err = o.post(ctx, req)
	return status, took, err
}

// progress shows on a terminal how many requests are done, until the function
// that it returns is called.
func progress(terminal io.Writer, count int, done func() int) (stop func()) {
	const clearLine = "\r\x1b[K"
	begin, ticker, ended := time.Now(), time.NewTicker(200*time.Millisecond), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-ticker.C:
				n := done()
				fmt.Fprintf(terminal, "%s%s of %s, %.0f a second", clearLine, thousands(n), thousands(count), float64(n)/time.Since(begin).Seconds())
			case <-ended:
				fmt.Fprint(terminal, clearLine)
				return
			}
		}
	})
	return func() {
		ticker.Stop()
		close(ended)
		wg.Wait()
	}
}

// handOut sends count tickets, at most at the given rate, and closes the channel.
func handOut(ctx context.Context, tickets chan<- struct{}, count int, rate float64) {
	defer close(tickets)
	begin := time.Now()
	for i := range count {
		if rate > 0 {
			due := begin.Add(time.Duration(float64(i) / rate * float64(time.Second)))
			select {
			case <-time.After(time.Until(due)):
			case <-ctx.Done():
				return
			}
		}
		select {
		case tickets <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}
