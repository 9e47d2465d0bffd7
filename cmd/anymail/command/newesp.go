package command

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goanymail/anymail/cmd/anymail/internal/skeleton"
	"github.com/goanymail/anymail/internal/cli"
)

func newNewESPCommand() *cobra.Command {
	var dir, title, scheme string
	cmd := &cobra.Command{
		Use:   "new-esp NAME",
		Short: "Write the skeleton of an adapter, with samples and the conformance test",
		Long: `new-esp writes a package for a new ESP: the adapter for events and received mail, a
simulator of the ESP, and the conformance test. It compiles and passes as it is, but
for a test that asks for a signature that another program made; TODO marks what to
change. In the library's repository, it also writes the page.
CONTRIBUTING.md of the library describes what else makes a good adapter.`,
		Example: "  anymail new-esp pigeonpost --title 'Pigeon Post' && go test ./pigeonpost/...",
		Args:    oneArgument("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if title == "" {
				title = strings.ToUpper(args[0][:1]) + args[0][1:]
			}
			files, err := skeleton.Write(dir, args[0], title, scheme)
			if err != nil {
				return err
			}
			for _, file := range files {
				fmt.Fprintln(cmd.OutOrStdout(), file)
			}
			next := "Next, until the library is published:\n" +
				"  go mod edit -require github.com/goanymail/anymail@v0.0.0 -replace github.com/goanymail/anymail=CHECKOUT\n" +
				"  go mod tidy\n"
			if strings.HasSuffix(files[len(files)-1], ".md") { // in the library's repository
				next = "Next:\n  go run internal/generate/main.go\n"
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s  go test %s\nand then every TODO.\n", next, "./"+filepath.ToSlash(filepath.Join(dir, args[0], "...")))
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", ".", "`directory` to write the package's directory into")
	cmd.Flags().StringVar(&scheme, "scheme", "hmac", "how the ESP signs requests: "+strings.Join(skeleton.Schemes(), " or "))
	cmd.Flags().StringVar(&title, "title", "", "`title` of the ESP, for people")
	return cmd
}

// oneArgument makes any other number of arguments a usage error.
func oneArgument(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 || args[0] == "" {
			return cli.Usagef("needs one argument, %s", name)
		}
		return nil
	}
}
