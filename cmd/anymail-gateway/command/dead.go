package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
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
		Long: `dead manages the dead letters of a durable queue: the events for which a receiver
(in the gateway, a sink) has failed in its last attempt. The queue is the one that
--queue names, or that of the configuration. The gateway may run at the same time;
it delivers retried events immediately.`,
		Example: `  anymail-gateway dead list
  anymail-gateway dead show 17 --queue sqlite:events.db
  anymail-gateway dead retry --all --receiver webhook`,
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
	q, err := gateway.OpenQueue(ctx, text, new(anymail.Signals))
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
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, oldest first",
		Args:  noArguments,
		RunE: d.with(func(cmd *cobra.Command, q *durable.Queue, _ []string) error {
			jobs, err := q.List(cmd.Context(), filter)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(append([]durable.Job{}, jobs...))
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "ID\tRECEIVER\tATTEMPTS\tENDED\tKEY\tERROR")
			for _, job := range jobs {
				last := ""
				if n := len(job.Errors); n > 0 {
					last = cli.Printable(job.Errors[n-1].Error)
				}
				fmt.Fprintf(table, "%d\t%s\t%d\t%s\t%s\t%s\n", job.ID, job.Receiver, job.Attempts, job.EndedAt.Format(time.RFC3339), cli.Printable(job.Key), last)
			}
			return table.Flush()
		}),
	}
	cmd.Flags().StringVar(&filter.Receiver, "receiver", "", "only dead letters of this `receiver`")
	cmd.Flags().Int64Var(&filter.After, "after", 0, "only dead letters after this `id`, for the next page")
	cmd.Flags().IntVar(&filter.Limit, "limit", 100, "maximum `number` of dead letters")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
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
			return each(args, func(id int64) error { return q.Retry(cmd.Context(), id) })
		}),
	}
	cmd.Flags().BoolVar(&everything, "all", false, "all dead letters")
	cmd.Flags().StringVar(&filter.Receiver, "receiver", "", "with --all: only dead letters of this `receiver`")
	return cmd
}

func (d *deadLetters) delete() *cobra.Command {
	return &cobra.Command{
		Use:   "delete ID...",
		Short: "Delete dead letters without delivering them",
		Args:  jobIDs(1),
		RunE: d.with(func(cmd *cobra.Command, q *durable.Queue, args []string) error {
			return each(args, func(id int64) error { return q.Delete(cmd.Context(), id) })
		}),
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
