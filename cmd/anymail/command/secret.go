package command

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goanymail/anymail/internal/cli"
)

func newSecretCommand(c catalog) *cobra.Command {
	var base, user string
	cmd := &cobra.Command{
		Use:   "secret [ESP...]",
		Short: "Make a shared secret and print the URLs to register at the ESPs",
		Long: `secret makes a strong shared secret and prints it in the form that
WithSharedSecret accepts, with the URLs to register at the ESPs. It stores the
secret nowhere.`,
		Example: `  anymail secret --url https://hooks.example.com/anymail postmark sendgrid`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return c.espNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			u, err := url.Parse(base)
			if err != nil || u.Scheme != "https" || u.Host == "" {
				return cli.Usagef("--url: must be an https URL, not %q", base)
			}
			_, password, _ := strings.Cut(cli.NewSecret(), ":")
			u.User = url.UserPassword(user, password)
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "secret    %s:%s\n", user, password)
			if len(args) == 0 {
				args = []string{"{esp}"}
			}
			for _, esp := range args {
				for _, endpoint := range []string{"tracking", "inbound"} {
					shown := strings.TrimRight(u.String(), "/") + "/" + esp + "/" + endpoint + "/"
					fmt.Fprintf(out, "%-10s%s\n", endpoint, shown)
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&base, "url", "https://your.host/anymail", "`URL` under which the Dispatcher is mounted")
	cmd.Flags().StringVar(&user, "user", "anymail", "user `name` of the secret")
	return cmd
}
