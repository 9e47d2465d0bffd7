package main

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

func newSecretCommand() *cobra.Command {
	var base, user string
	cmd := &cobra.Command{
		Use:   "secret [ESP...]",
		Short: "Make a shared secret and print the URLs to register at the ESPs",
		Long: `secret makes a strong shared secret, prints it as WithSharedSecret takes it, and
prints the URLs to register at the ESPs. It is printed nowhere else and stored
nowhere.`,
		Example: `  anymail secret --url https://hooks.example.com/anymail postmark sendgrid`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return espNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			u, err := url.Parse(base)
			if err != nil || u.Scheme != "https" || u.Host == "" {
				return usagef("--url %q is not an https URL", base)
			}
			_, password, _ := strings.Cut(newSecret(), ":")
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
	cmd.Flags().StringVar(&base, "url", "https://your.host/anymail", "the `URL` under which the Dispatcher is mounted")
	cmd.Flags().StringVar(&user, "user", "anymail", "the user `name` in front of the secret")
	return cmd
}

// newSecret returns "user:password" with 130 bits of chance, made of characters
// that every ESP takes in a URL.
func newSecret() string {
	return "anymail:" + strings.ToLower(rand.Text())
}
