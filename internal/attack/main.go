// Command attack measures how a server answers honest requests while it is
// attacked:
//
//	go run ./internal/attack                        # all attacks, 20 seconds each
//	go run ./internal/attack -attacks quiet,slow-bodies
//	go run ./internal/attack -short                 # a few seconds each, for CI
//
// For each attack it starts a server, with package server and the defaults of the
// Dispatcher, in a process of its own, so that the memory measured is the
// server's. Another process posts honest requests: samples of all ESPs, signed,
// at a fixed rate. The attacks are in attacks.go. All processes run on this
// machine and share its processors. Memory is read from /proc, so this needs
// Linux.
//
// The command fails if an honest request is not answered with 200 within 30
// seconds, or if the server's memory exceeds -memory. It asserts no times.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// settings are what the flags say.
type settings struct {
	attacks    []attack
	duration   time.Duration
	rate       int // honest requests per second
	short      bool
	memory     int // MiB
	rateLimits bool
	markdown   bool
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("attack: ")
	if err := play(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

// play runs the role that the arguments name: that of the server, that of the
// honest clients or, by default, the one that starts both and attacks.
func play(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch {
	case slices.Equal(args, []string{roleServer}):
		return serve(ctx, newPipe(os.Stdin, os.Stdout))
	case slices.Equal(args, []string{roleHonest}):
		return beHonest(ctx, newPipe(os.Stdin, os.Stdout))
	}
	s, err := parse(args)
	if err != nil {
		return err
	}
	return s.run(ctx)
}

func parse(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("attack", flag.ExitOnError)
	names := flags.String("attacks", "", "the attacks to run, separated by commas: "+strings.Join(attackNames(), ", ")+" (default all)")
	flags.DurationVar(&s.duration, "time", 0, "how long honest requests are measured under each attack (default 20s; 1.5s with -short)")
	flags.IntVar(&s.rate, "rate", 100, "honest requests per second")
	flags.BoolVar(&s.short, "short", false, "fewer attacking connections and less time")
	flags.IntVar(&s.memory, "memory", 512, "the most memory, in MiB, that the server may take")
	flags.BoolVar(&s.rateLimits, "rate-limits", false, "give the server the rate limits of anymail.DefaultRateLimit")
	flags.BoolVar(&s.markdown, "markdown", false, "print the table as Markdown")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	switch {
	case flags.NArg() > 0:
		return s, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case s.rate <= 0:
		return s, errors.New("-rate: must be positive")
	case s.duration == 0 && s.short:
		s.duration = 1500 * time.Millisecond
	case s.duration == 0:
		s.duration = 20 * time.Second
	}
	if *names == "" {
		s.attacks = attacks
		return s, nil
	}
	for name := range strings.SplitSeq(*names, ",") {
		i := slices.Index(attackNames(), name)
		if i < 0 {
			return s, fmt.Errorf("-attacks: there is no attack %q", name)
		}
		s.attacks = append(s.attacks, attacks[i])
	}
	return s, nil
}

// run runs the attacks one after the other and prints the table.
func (s settings) run(ctx context.Context) error {
	honest, err := start(ctx, roleHonest)
	if err != nil {
		return err
	}
	defer honest.stop()
	var keys keys
	if err := honest.hear(&keys); err != nil {
		return err
	}
	forgers := newSenders(wrongSecret)
	var rows []row
	var failures []error
	for _, a := range s.attacks {
		r, err := s.measure(ctx, a, forgers, honest, keys)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		fmt.Fprintln(os.Stderr, r)
		rows = append(rows, r)
		failures = append(failures, r.failure(s.memory))
	}
	if err := printTable(os.Stdout, rows, s.markdown); err != nil {
		return err
	}
	return errors.Join(failures...)
}

// measure runs one attack against a new server.
func (s settings) measure(ctx context.Context, a attack, forgers []sender, honest *process, keys keys) (row, error) {
	server, err := start(ctx, roleServer)
	if err != nil {
		return row{}, err
	}
	defer server.stop()
	var addr string
	if err := server.ask(serverJob{keys, s.rateLimits}, &addr); err != nil {
		return row{}, err
	}
	var ready bool
	if err := honest.ask(honestJob{addr, a.shared, s.rate, s.duration}, &ready); err != nil {
		return row{}, err
	}
	target := newTarget(addr, forgers)
	end, err := a.begin(ctx, target, s.short)
	if err != nil {
		return row{}, err
	}
	defer end()
	select { // time to take effect
	case <-time.After(min(s.duration/4, 2*time.Second)):
	case <-ctx.Done():
		return row{}, ctx.Err()
	}
	var result result
	if err := honest.ask("go", &result); err != nil {
		return row{}, err
	}
	peak, err := peakMemory(server.cmd.Process.Pid)
	did := target.done()
	if err == nil && a.prepare != nil && did[connected] == 0 {
		err = errors.New("the attacker did not reach the server")
	}
	return row{a.name, result, peak, did}, err
}
