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
	var dir, title string
	cmd := &cobra.Command{
		Use:   "new-esp NAME",
		Short: "Write the skeleton of an adapter, with samples and the conformance test",
		Long: `new-esp writes a package for a new ESP: the adapter, a simulator of the ESP, and
the conformance test. It compiles and passes as it is; TODO marks what to change. In
the library's repository, it also writes the page.
CONTRIBUTING.md of the library describes what else makes a good adapter.`,
		Example: "  anymail new-esp pigeonpost --title 'Pigeon Post' && go test ./pigeonpost/...",
		Args:    oneArgument("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if title == "" {
				title = strings.ToUpper(args[0][:1]) + args[0][1:]
			}
			files, err := skeleton.Write(dir, args[0], title)
			if err != nil {
				return err
			}
			for _, file := range files {
				fmt.Fprintln(cmd.OutOrStdout(), file)
			}
			next := "go mod tidy"
			if strings.HasSuffix(files[len(files)-1], ".md") { // in the library's repository
				next = "go run internal/generate/main.go"
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "Next: "+next+", go test "+filepath.Join(filepath.Dir(files[0]), "...")+", and then every TODO.")
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", ".", "`directory` to write the package's directory into")
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
