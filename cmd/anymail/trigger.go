package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/internal/cli"
	"github.com/goanymail/anymail/simulator"
)

func newTriggerCommand() *cobra.Command {
	o := triggerOptions{params: simulator.NewParams()}
	var eml, keyFile string
	var list bool
	cmd := &cobra.Command{
		Use:   "trigger ESP EVENT",
		Short: "Post a signed webhook of any event of any ESP to your own server",
		Long: `trigger posts a realistic webhook to your own server, signed as the ESP signs,
and prints the answer. EVENT is an event type, such as delivered, or the name of a
sample (--list prints them).

--to is the URL under which your Dispatcher is mounted; trigger adds the rest of
the path. --key is the key that your server trusts: the secret, or the private key
in PEM if the ESP signs with one. Without --key, trigger makes a new key and prints
what to configure.

With --count it is a load generator: each request has an event of its own.`,
		Example: `  anymail trigger postmark bounced --to http://127.0.0.1:8080/anymail --secret anymail:some-long-password
  anymail trigger mailgun opened --to http://127.0.0.1:8080/anymail --key key-1 --metadata order=1701
  anymail trigger mailgun inbound --to http://127.0.0.1:8080/anymail --key key-1 --eml message.eml
  anymail trigger sendgrid delivered --to http://127.0.0.1:8080/anymail --key @private.pem --count 10000 --parallel 8`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 && (!list || len(args) != 1) {
				return cli.Usagef("needs two arguments, ESP and EVENT")
			}
			return nil
		},
		ValidArgsFunction: completeTrigger,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.sim = allsim.Find(strings.ReplaceAll(args[0], "_", "")); o.sim == nil {
				return cli.Usagef("unknown ESP %q; anymail esps lists them", args[0])
			}
			if list {
				return listSamples(cmd.OutOrStdout(), o.sim)
			}
			if eml != "" {
				if o.params.MIME, err = os.ReadFile(eml); err != nil {
					return err
				}
			}
			if o.sample, err = findSample(o.sim, args[1], eml != "", o.params); err != nil {
				return err
			}
			if o.name == "" {
				o.name = o.sim.ESP
			}
			if err := o.readKey(cmd.ErrOrStderr(), keyFile); err != nil {
				return err
			}
			return trigger(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "http://127.0.0.1:8025/anymail", "`URL` under which the Dispatcher is mounted")
	f.StringVar(&o.name, "name", "", "`name` under which the adapter is registered, if not the ESP's")
	f.StringVar(&o.secret, "secret", "", "shared secret \"user:password\"")
	f.StringVar(&keyFile, "key", "", "signing `key` that the server trusts, or @FILE to read it from")
	f.StringVar(&o.params.Recipient, "recipient", o.params.Recipient, "`address` of the recipient")
	f.StringVar(&o.params.Sender, "sender", o.params.Sender, "`address` of the sender")
	f.StringVar(&o.params.Subject, "subject", o.params.Subject, "subject of the message")
	f.StringVar(&o.messageID, "message-id", "", "`id` of the message, as the send API returned it")
	f.StringVar(&o.params.Tag, "tag", o.params.Tag, "tag of the message")
	f.StringToStringVar(&o.params.Metadata, "metadata", o.params.Metadata, "metadata of the message as KEY=VALUE; may be repeated")
	f.StringVar(&eml, "eml", "", "`file` with the received message to post")
	f.IntVar(&o.count, "count", 1, "`number` of requests to post")
	f.Float64Var(&o.rate, "rate", 0, "maximum `number` of requests a second; 0 for no limit")
	f.IntVar(&o.parallel, "parallel", 1, "`number` of concurrent requests")
	f.BoolVar(&list, "list", false, "list the ESP's samples")
	_ = cmd.MarkFlagFilename("eml", "eml")
	return cmd
}

type triggerOptions struct {
	sim             *simulator.Simulator
	sample          simulator.Sample
	params          simulator.Params
	credential      simulator.Credential
	to, name        string
	secret          string
	messageID       string
	count, parallel int
	rate            float64
}

func completeTrigger(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var words []string
	switch len(args) {
	case 0:
		for _, sim := range allsim.List() {
			words = append(words, sim.ESP)
		}
	case 1:
		if sim := allsim.Find(args[0]); sim != nil {
			words = sampleWords(sim)
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// sampleWords returns the event types and the names of samples.
func sampleWords(sim *simulator.Simulator) []string {
	words := map[string]bool{}
	for _, s := range sim.Samples {
		words[s.Name] = true
		if len(s.Types) > 0 {
			words[string(s.Types[0])] = true
		}
	}
	return slices.Sorted(maps.Keys(words))
}

func listSamples(out io.Writer, sim *simulator.Simulator) error {
	for _, s := range sim.Samples {
		fmt.Fprintf(out, "%-34s %-12s %s %s\n", s.Name, "/"+s.Endpoint, join(s.Types), s.Reason)
	}
	return nil
}

// findSample finds a sample by its name, or else the first one of an event type.
// With a message of the user's own, the sample must contain a whole message.
func findSample(sim *simulator.Simulator, event string, ownMIME bool, p simulator.Params) (simulator.Sample, error) {
	s, named := sim.Sample(event)
	if named && (!ownMIME || holdsMIME(s, p)) {
		return s, nil
	}
	for _, s := range sim.Samples {
		if len(s.Types) > 0 && string(s.Types[0]) == event && (!ownMIME || holdsMIME(s, p)) {
			return s, nil
		}
	}
	if ownMIME {
		return s, cli.Usagef("no sample %q of %s contains a whole message, as --eml needs", event, sim.Title)
	}
	return s, cli.Usagef("%s has no event or sample %q; it has %s", sim.Title, event, strings.Join(sampleWords(sim), ", "))
}

// holdsMIME reports whether a sample contains the whole message: a longer one
// makes a longer request.
func holdsMIME(s simulator.Sample, p simulator.Params) bool {
	short := len(s.Make(p).Body)
	p.MIME = append(slices.Clone(p.MIME), strings.Repeat("x", 10_000)...)
	return len(s.Make(p).Body)-short >= 10_000
}

// readKey reads the user's key, or makes one and prints what to configure.
func (o *triggerOptions) readKey(info io.Writer, key string) error {
	if !o.sim.Signs(o.sample.Endpoint) {
		return nil
	}
	if key == "" {
		o.credential = o.sim.NewCredential()
		fmt.Fprintf(info, "signed with a new key; configure the server to trust it:\n%s\n", strings.TrimSpace(o.credential.Config))
		return nil
	}
	if file, ok := strings.CutPrefix(key, "@"); ok {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		key = strings.TrimSpace(string(content))
	}
	var err error
	if o.credential, err = o.sim.Credential(key); err != nil {
		return cli.UsageError{Err: err}
	}
	return nil
}

// request makes the next request: a new event about the same message.
func (o *triggerOptions) request() (*http.Request, error) {
	fresh := simulator.NewParams()
	p := o.params
	p.EventID, p.Number, p.Time, p.MessageID = fresh.EventID, fresh.Number, fresh.Time, fresh.MessageID
	if o.messageID != "" {
		p.MessageID = o.messageID
	}
	r := o.sample.Make(p)
	var err error
	if r.URL, err = simulator.EndpointURL(o.to, o.name, r.Endpoint); err != nil {
		return nil, err
	}
	if o.secret != "" {
		simulator.SetSecret(&r, o.secret)
	}
	if err := o.sim.SignNow(&r, o.credential); err != nil {
		return nil, err
	}
	return r.HTTP()
}

func trigger(ctx context.Context, out, info io.Writer, o triggerOptions) error {
	if o.count < 1 || o.parallel < 1 || o.rate < 0 {
		return cli.Usagef("--count and --parallel must be at least 1, --rate at least 0")
	}
	client := &http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: o.parallel},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // ESPs do not follow redirects
		},
	}
	if o.count == 1 {
		status, body, took, err := shoot(ctx, client, &o)
		if err != nil {
			return err
		}
		colour := coloursFor(out)
		mark := colour.good
		if status != http.StatusOK {
			mark = colour.bad
		}
		answer := mark(fmt.Sprintf("%d %s", status, http.StatusText(status)))
		fmt.Fprintf(out, "%s /%s: %s in %s\n", o.sample.Name, o.sample.Endpoint, answer, took.Round(10*time.Microsecond))
		if status != http.StatusOK {
			fmt.Fprintln(out, cli.Printable(strings.TrimSpace(body)))
			return cli.ErrReported
		}
		return nil
	}
	return load(ctx, out, info, client, o)
}

func shoot(ctx context.Context, client *http.Client, o *triggerOptions) (status int, body string, took time.Duration, err error) {
	req, err := o.request()
	if err != nil {
		return 0, "", 0, err
	}
	begin := time.Now()
	resp, err := client.Do(req.WithContext(ctx))
	if err != nil {
		return 0, "", 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	return resp.StatusCode, string(b), time.Since(begin), err
}

// load posts many requests and prints how many got which answer.
func load(ctx context.Context, out, info io.Writer, client *http.Client, o triggerOptions) error {
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
				status, _, took, err := shoot(ctx, client, &o)
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
