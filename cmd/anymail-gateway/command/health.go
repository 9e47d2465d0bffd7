package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/internal/cli"
)

func newHealthCommand(more []esp.Spec) *cobra.Command {
	file := configFile{more: more}
	var ready bool
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Query the health of a running gateway",
		Long: `health queries /healthz, or with --ready /readyz, at the admin address of the
configuration, prints the answer, and exits with status 1 unless it is 200 within
five seconds. It is for images that have no HTTP client.`,
		Example: `  anymail-gateway health
  anymail-gateway health --ready -c /etc/anymail.yaml`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := file.load()
			if err != nil {
				return cli.UsageError{Err: fmt.Errorf("configuration:\n%w", err)}
			}
			if config.Admin == "off" {
				return cli.Usagef("the admin address is off")
			}
			path := "/healthz"
			if ready {
				path = "/readyz"
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Second)
			defer cancel()
			answer, err := health(ctx, config.Admin, path)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), answer)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&ready, "ready", false, "query readiness: also the queue, the store and the sinks")
	file.addFlag(cmd)
	return cmd
}

// health returns the answer at path if its status is 200, and otherwise an error
// with the answer. The address may have no host, as ":8027": then it is this
// machine's.
func health(ctx context.Context, address, path string) (string, error) {
	var dialer net.Dialer
	client := &http.Client{Transport: &http.Transport{ // no proxy
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1024))
	answer := cli.Printable(strings.TrimSpace(string(body)))
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status + ": " + answer)
	}
	return answer, err
}
