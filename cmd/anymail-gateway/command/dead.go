package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail-gateway/internal/gateway"
	"github.com/goanymail/anymail/durable"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/internal/cli"
)

func newDeadCommand(more []esp.Spec) *cobra.Command {
	source := deadLetters{config: configFile{more: more}}
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "List, show, retry and delete the events that could not be delivered",
		Long: `dead manages the dead letters of a durable queue: the events for which a sink has
failed in its last attempt. The queue is the one that --queue names, or that of the
configuration. The gateway may run at the same time; it delivers retried events
immediately. dead changes no tables: it works on a queue that the gateway of the same
version has opened once.`,
		Example: `  anymail-gateway dead list
  anymail-gateway dead show 17 --queue sqlite:events.db
  anymail-gateway dead list --state pending
  anymail-gateway dead retry --all --sink webhook
  anymail-gateway dead delete --before 720h --yes`,
	}
	cmd.PersistentFlags().StringVar(&source.queue, "queue", "", "the `queue`: sqlite:FILE or postgres://...")
	source.config.addFlag(cmd)
	subcommandsOnly(cmd)
	cmd.AddCommand(source.list(), source.show(), source.retry(), source.delete())
	return cmd
}

// deadLetters holds the flags of all subcommands.
type deadLetters struct {
	queue  string
	config configFile
}

// open opens the queue without processing it.
func (d *deadLetters) open(ctx context.Context) (*durable.Queue, error) {
	text := d.queue
	if text == "" {
		config, err := d.config.load()
		if err != nil {
			return nil, cli.UsageError{Err: err}
		}
		if text = config.Queue; text == "none" {
			return nil, cli.Usagef("no queue: set --queue to sqlite:FILE or postgres://...")
		}
	}
	if file, ok := strings.CutPrefix(text, "sqlite:"); ok {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, cli.Usagef("--queue: the file %s does not exist", file)
		}
	}
	q, err := gateway.OpenQueue(ctx, text, new(anymail.Signals),
		durable.WithoutMigration(), durable.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil && errors.Is(err, anymail.ErrConfig) || err == nil && q == nil {
		return nil, cli.Usagef("--queue: must be sqlite:FILE or postgres://...")
	}
	return q, err
}

// with returns a command's function that opens the queue for run.
func (d *deadLetters) with(run func(*cobra.Command, *durable.Queue, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		q, err := d.open(cmd.Context())
		if err != nil {
			return err
		}
		return errors.Join(run(cmd, q, args), q.Close())
	}
}

func (d *deadLetters) list() *cobra.Command {
	var filter durable.Filter
	var state string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, or the jobs of another state, oldest first",
		Args: func(cmd *cobra.Command, args []string) error {
			filter.State = durable.State(state)
			if !slices.Contains(states, filter.State) {
				return cli.Usagef("--state: must be pending, running, done or dead")
			}
			return noArguments(cmd, args)
		},
		RunE: d.with(func(cmd *cobra.Command, q *durable.Queue, _ []string) error {
			jobs, err := q.List(cmd.Context(), filter)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(append([]durable.Job{}, jobs...))
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintf(table, "ID\tSINK\tATTEMPTS\t%s\tKEY\tERROR\n", timeOf(filter.State).title)
			for _, job := range jobs {
				last := ""
				if n := len(job.Errors); n > 0 {
					last = cli.Printable(job.Errors[n-1].Error)
				}
				fmt.Fprintf(table, "%d\t%s\t%d\t%s\t%s\t%s\n", job.ID, job.Receiver, job.Attempts,
					timeOf(filter.State).of(job).Format(time.RFC3339), cli.Printable(job.Key), last)
			}
			return table.Flush()
		}),
	}
	cmd.Flags().StringVar(&state, "state", string(durable.Dead), "only jobs of this `state`: pending, running, done or dead")
	cmd.Flags().StringVar(&filter.Receiver, "sink", "", "only jobs of this `sink`")
	cmd.Flags().Int64Var(&filter.After, "after", 0, "only jobs after this `id`, for the next page")
	cmd.Flags().IntVar(&filter.Limit, "limit", durable.DefaultListLimit, "maximum `number` of jobs")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

var states = []durable.State{durable.Pending, durable.Running, durable.Done, durable.Dead}

// column is the time that a list shows.
type column struct {
	title string
	of    func(durable.Job) time.Time
}

func timeOf(state durable.State) column {
	switch state {
	case durable.Pending:
		return column{"DUE", func(job durable.Job) time.Time { return job.NextAt }}
	case durable.Running:
		return column{"ARRIVED", func(job durable.Job) time.Time { return job.EnqueuedAt }}
	}
	return column{"ENDED", func(job durable.Job) time.Time { return job.EndedAt }}
}

func (d *deadLetters) show() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Print a job and its event as JSON",
		Args:  cobra.MatchAll(cobra.MaximumNArgs(1), jobIDs(1)),
		RunE: d.with(func(cmd *cobra.Command, q *durable.Queue, args []string) error {
			job, event, err := q.Get(cmd.Context(), jobID(args[0]))
			if err != nil {
				return err
			}
			encoder := json.NewEncoder(cmd.OutOrStdout())
			encoder.SetIndent("", "  ")
			return encoder.Encode(struct {
				Job   durable.Job   `json:"job"`
				Event anymail.Event `json:"event"`
			}{job, event})
		}),
	}
}

func (d *deadLetters) retry() *cobra.Command {
	var everything bool
	var filter durable.Filter
	cmd := &cobra.Command{
		Use:   "retry ID...",
		Short: "Retry dead letters immediately",
		Args: func(cmd *cobra.Command, args []string) error {
			if everything == (len(args) > 0) {
				return cli.Usagef("retry needs either ids or --all")
			}
			return jobIDs(0)(cmd, args)
		},
		RunE: d.with(func(cmd *cobra.Command, q *durable.Queue, args []string) error {
			if everything {
				n, err := q.RetryAll(cmd.Context(), filter)
				fmt.Fprintf(cmd.OutOrStdout(), "retrying %d\n", n)
				return err
			}
			return each(args, func(id int64) error { return retryOne(cmd.Context(), q, id) })
		}),
	}
	cmd.Flags().BoolVar(&everything, "all", false, "all dead letters")
	cmd.Flags().StringVar(&filter.Receiver, "sink", "", "with --all: only dead letters of this `sink`")
	return cmd
}

// retryOne retries a job, or says which state it is in instead.
func retryOne(ctx context.Context, q *durable.Queue, id int64) error {
	err := q.Retry(ctx, id)
	if !errors.Is(err, durable.ErrNotFound) {
		return err
	}
	job, _, getErr := q.Get(ctx, id)
	switch {
	case getErr != nil:
		return err
	case job.State == durable.Done:
		return fmt.Errorf("the job is done: the sink %s got its event at %s", job.Receiver, job.EndedAt.Format(time.RFC3339))
	}
	return fmt.Errorf("the job is %s, not a dead letter", job.State)
}

func (d *deadLetters) delete() *cobra.Command {
	var all, yes bool
	var sink, before string
	cmd := &cobra.Command{
		Use:   "delete ID...",
		Short: "Delete dead letters without delivering them",
		Long: `delete deletes the dead letters of the given ids; with --all, --sink or --before,
all dead letters that these select, if --yes confirms it. Without --yes it prints how
many they are.`,
		Args: func(cmd *cobra.Command, args []string) error {
			many := all || sink != "" || before != ""
			if many && len(args) > 0 {
				return cli.Usagef("delete needs either ids or --all, --sink or --before")
			}
			if _, err := parseBefore(before); err != nil {
				return err
			}
			if many {
				return nil
			}
			return jobIDs(1)(cmd, args)
		},
		RunE: d.with(func(cmd *cobra.Command, q *durable.Queue, args []string) error {
			if len(args) > 0 {
				return each(args, func(id int64) error { return q.Delete(cmd.Context(), id) })
			}
			ended, err := parseBefore(before)
			if err != nil {
				return err
			}
			n, err := deleteAll(cmd.Context(), q, sink, ended, yes)
			if err == nil && !yes && n > 0 {
				return cli.Usagef("%d dead letters would be deleted; confirm it with --yes", n)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "deleted %d\n", n)
			return err
		}),
	}
	cmd.Flags().BoolVar(&all, "all", false, "all dead letters")
	cmd.Flags().StringVar(&sink, "sink", "", "all dead letters of this `sink`")
	cmd.Flags().StringVar(&before, "before", "", "all that ended before this `time`, such as 2026-11-21T09:30:00Z, or longer ago than a duration, such as 720h")
	cmd.Flags().BoolVar(&yes, "yes", false, "confirms --all, --sink and --before")
	return cmd
}

// parseBefore returns now for an empty text.
func parseBefore(text string) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	if age, err := time.ParseDuration(text); err == nil && age >= 0 {
		return time.Now().Add(-age), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		err = cli.Usagef("--before: must be a time such as 2026-11-21T09:30:00Z or a duration such as 720h")
	}
	return at, err
}

// deleteAll deletes the dead letters of a sink, or of all, that ended before a time.
// Unless it is confirmed, it only counts them.
func deleteAll(ctx context.Context, q *durable.Queue, sink string, before time.Time, confirmed bool) (n int, err error) {
	filter := durable.Filter{Receiver: sink, Limit: 1000}
	for {
		page, err := q.List(ctx, filter)
		if err != nil || len(page) == 0 {
			return n, err
		}
		for _, job := range page {
			filter.After = job.ID
			if job.EndedAt.After(before) {
				continue
			}
			if confirmed {
				if err := q.Delete(ctx, job.ID); errors.Is(err, durable.ErrNotFound) {
					continue // another process was faster
				} else if err != nil {
					return n, err
				}
			}
			n++
		}
	}
}

// jobIDs accepts at least the given number of ids.
func jobIDs(least int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least {
			return cli.Usagef("no id: \"anymail-gateway dead list\" prints the ids")
		}
		for _, arg := range args {
			if jobID(arg) <= 0 {
				return cli.Usagef("%q is not an id", arg)
			}
		}
		return nil
	}
}

// jobID returns 0 if arg is not a number.
func jobID(arg string) int64 {
	id, err := strconv.ParseInt(arg, 10, 64)
	if err != nil {
		return 0
	}
	return id
}

func each(args []string, do func(id int64) error) error {
	var errs []error
	for _, arg := range args {
		if err := do(jobID(arg)); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", arg, err))
		}
	}
	return errors.Join(errs...)
}
