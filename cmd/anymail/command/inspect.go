package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"

	"github.com/goanymail/anymail/cmd/anymail/internal/capture"
	"github.com/goanymail/anymail/cmd/anymail/internal/inspect"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/esp/relay"
	"github.com/goanymail/anymail/internal/cli"
)

func newInspectCommand(c catalog) *cobra.Command {
	o := inspectOptions{catalog: c}
	cmd := &cobra.Command{
		Use:   "inspect [ESP] [FILE]",
		Short: "Find out whether a captured webhook is authentic, why not, and what it contains",
		Long: `inspect reads one captured request from FILE or standard input: as HTTP text, as a
curl command, in a HAR file, as the JSON of ngrok's agent, webhook.site or AWS
Lambda, or in a file that the library or the gateway kept. Without an ESP it finds
out which one the request is from, and says so. It sends the request through the library and
prints which checks passed. For a failed check it prints what the request offered,
what was computed with each key, over what, and the probable cause. Then it prints
the normalized events, each field next to the raw member that has its value. If the
request is not authentic, that is what the events would be.

A FILE whose name ends in .eml is a message that a mail server received. inspect
prints what it reports, if it is a bounce, a complaint, an automatic reply or an
unsubscription, and what verifies that (--token-key).

Nothing leaves this machine without --fetch, and nothing is stored: the same
capture can be inspected any number of times.

Give the keys that the server has: --key for the signature of this endpoint, or
--set NAME=VALUE for any setting of the ESP (--settings lists them). Each may be
repeated, and a VALUE or KEY of the form @FILE is read from a file. The output
contains no key and no secret, but signatures that are valid for this request.

The exit status is 0 if the request is authentic and was parsed, 1 if it is not or
could not be checked, and 2 for a wrong command line.`,
		Example: `  anymail inspect /var/lib/anymail/refused/20260921T141320.000000000Z-mailgun-tracking-signature-mismatch.http
  anymail inspect mailgun request.txt --key @signing-key
  pbpaste | anymail inspect sendgrid --set tracking_signing_keys=MFkw... --at 2026-09-21T14:13:20Z
  anymail inspect mandrill request.har --entry 3 --key key-1 --url https://hooks.example.com/anymail/mandrill/
  anymail inspect amazonses request.txt --set topic_arns=arn:aws:sns:... --fetch
  anymail inspect bounce.eml --token-key @token-key
  anymail inspect postmark request.txt --secret anymail:some-long-password --json | jq .verdict`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 2 {
				return cli.Usagef("takes an ESP and a FILE, both optional")
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return c.espNames(), cobra.ShellCompDirectiveDefault
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, file, err := c.splitArgs(args)
			if err != nil {
				return err
			}
			if o.listSettings {
				if spec == nil {
					return cli.Usagef("--settings needs an ESP")
				}
				return listSettings(cmd.OutOrStdout(), *spec)
			}
			if cmd.Flags().Changed("endpoint") {
				o.endpoint = &o.endpointText
			}
			return o.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), spec, file)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.endpointText, "endpoint", "", "`path` of the endpoint, such as tracking, if the URL does not name it")
	f.StringArrayVar(&o.keys, "key", nil, "`key` of the endpoint's signature, or @FILE to read it from; may be repeated")
	f.StringArrayVar(&o.settings, "set", nil, "`setting` of the ESP, as NAME=VALUE or NAME=@FILE; may be repeated")
	f.StringArrayVar(&o.secrets, "secret", nil, "shared secret \"user:password\" that the server requires; may be repeated")
	f.StringArrayVar(&o.tokenKeys, "token-key", nil, "`key` of the tokens in sent messages, or @FILE, to verify reports that come as mail; may be repeated")
	f.StringVar(&o.url, "url", "", "`URL` that the ESP calls, if it signs the URL and it is not the captured one")
	f.StringVar(&o.at, "at", "", "`time` at which the request was received (RFC 3339, seconds since 1970 or \"now\"), if it is not in the capture")
	f.IntVar(&o.entry, "entry", 0, "`number` of the entry of a HAR file or a list, from 1; the first POST by default")
	f.StringVar(&o.files, "files", "", "`directory` of the files that a curl command refers to")
	f.StringVar(&o.certificate, "cert", "", "`file` with the signing certificate in PEM, instead of fetching it (Amazon SES)")
	f.BoolVar(&o.fetch, "fetch", false, "fetch what the request refers to: certificates, stored messages, attachments")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "shorten nothing")
	f.BoolVar(&o.asJSON, "json", false, "print one JSON object")
	f.BoolVar(&o.listSettings, "settings", false, "list the settings of the ESP")
	_ = cmd.RegisterFlagCompletionFunc("endpoint", cobra.FixedCompletions([]string{"tracking", "inbound"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagDirname("files")
	_ = cmd.RegisterFlagCompletionFunc("set", func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		spec, ok := c.find(append(args, "")[0])
		if !ok {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return c.completeSettings(spec.Name)(cmd, args, word)
	})
	_ = cmd.MarkFlagFilename("cert", "pem", "crt")
	return cmd
}

// splitArgs returns the ESP, or nil if no argument names one, and the file.
func (c catalog) splitArgs(args []string) (*esp.Spec, string, error) {
	if len(args) == 0 {
		return nil, "-", nil
	}
	spec, ok := c.find(args[0])
	switch {
	case ok:
		return &spec, append(args, "-")[1], nil
	case len(args) == 2:
		return nil, "", cli.Usagef("unknown ESP %q; anymail esps lists them", args[0])
	}
	if _, err := os.Stat(args[0]); err != nil && args[0] != "-" {
		return nil, "", cli.Usagef("%q is neither an ESP (anymail esps lists them) nor a file that can be read", args[0])
	}
	return nil, args[0], nil
}

// detect finds the ESP of a capture and notes how.
func (c catalog) detect(captured *capture.Request) (esp.Spec, error) {
	if captured.Form == "message" {
		spec, _ := c.find(relay.ESP)
		return spec, nil
	}
	detector, err := inspect.NewDetector(c.specs, c.simulators())
	if err != nil {
		return esp.Spec{}, err
	}
	spec, because, err := detector.Detect(captured)
	if err != nil {
		return spec, cli.Usagef("%v: name the ESP before the file", err)
	}
	captured.Notes = append(captured.Notes, fmt.Sprintf("taken for a request of %s, since %s; to inspect it as another's, name the ESP before the file", spec.Title, because))
	return spec, nil
}

// espNames returns the canonical names of all ESPs.
func (c catalog) espNames() []string {
	var names []string
	for _, spec := range c.specs {
		names = append(names, spec.Name)
	}
	return names
}

func listSettings(out io.Writer, spec esp.Spec) error {
	for _, s := range spec.Settings {
		fmt.Fprintf(out, "%-20s %s\n", s.Name, s.Help)
	}
	if len(spec.Settings) == 0 {
		fmt.Fprintf(out, "%s has no settings: a shared secret protects its webhooks (--secret)\n", spec.Title)
	}
	return nil
}

type inspectOptions struct {
	endpoint                *string
	endpointText            string
	keys, settings, secrets []string
	tokenKeys               []string
	url, at                 string
	entry                   int
	files, certificate      string
	fetch, verbose, asJSON  bool
	listSettings            bool

	catalog catalog
}

func (o *inspectOptions) run(ctx context.Context, stdin io.Reader, out, info io.Writer, named *esp.Spec, file string) error {
	if named != nil { // what is wrong with the flags is said before anything is read
		if _, err := o.options(*named); err != nil {
			return err
		}
	}
	captured, err := o.read(stdin, info, file)
	if err != nil {
		return err
	}
	var spec esp.Spec
	if named != nil {
		spec = *named
	} else if spec, err = o.catalog.detect(captured); err != nil {
		return err
	}
	options, err := o.options(spec)
	if err != nil {
		return err
	}
	report, err := inspect.Run(ctx, captured, options)
	if err != nil {
		return cli.UsageError{Err: err}
	}
	if o.asJSON {
		err = writeJSON(out, report)
	} else {
		p := inspectPrinter{out: out, colours: coloursFor(out), verbose: o.verbose}
		p.report(report)
		err = p.err
	}
	if err == nil && report.Verdict != inspect.Authentic {
		return cli.ErrReported
	}
	return err
}

// options reads the flags.
func (o *inspectOptions) options(spec esp.Spec) (inspect.Options, error) {
	options := inspect.Options{
		ESP: spec, Simulator: o.catalog.simulator(spec.Name), Endpoint: o.endpoint, Secrets: o.secrets, URL: o.url, Fetch: o.fetch,
		Events: shownEvents,
	}
	if o.verbose {
		options.Events = 0
	}
	settings, err := o.catalog.parseSettings(o.settings, spec.Name)
	if err != nil {
		return options, err
	}
	options.Settings = settings[spec.Name]
	for _, values := range options.Settings {
		for i := range values {
			if values[i], err = orFile(values[i]); err != nil {
				return options, err
			}
		}
	}
	if _, err := spec.Adapter(esp.Values{Settings: options.Settings}); err != nil {
		return options, cli.UsageError{Err: err}
	}
	if options.Keys, err = orFiles(o.keys); err != nil {
		return options, err
	}
	if options.TokenKeys, err = orFiles(o.tokenKeys); err != nil {
		return options, err
	}
	if o.certificate != "" {
		if options.Certificate, err = os.ReadFile(o.certificate); err != nil {
			return options, cli.UsageError{Err: err}
		}
	}
	if u, err := url.Parse(o.url); o.url != "" && (err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http")) {
		return options, cli.Usagef("--url: must be an absolute http(s) URL")
	} else if o.url != "" && u.User != nil {
		return options, cli.Usagef("--url: must not have user and password; they are in the Authorization header of the request")
	}
	options.At, err = parseTime(o.at)
	return options, err
}

// orFile returns a value, or the contents of the file that it names by @FILE.
func orFile(value string) (string, error) {
	file, ok := strings.CutPrefix(value, "@")
	if !ok {
		return value, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", cli.UsageError{Err: err}
	}
	return strings.TrimSpace(string(content)), nil
}

// orFiles returns the values, read like orFile's.
func orFiles(values []string) (read []string, err error) {
	for _, value := range values {
		if value, err = orFile(value); err != nil {
			return nil, err
		}
		read = append(read, value)
	}
	return read, nil
}

func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if s == "now" {
		return time.Now(), nil
	}
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Unix(seconds, 0), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, cli.Usagef("--at: must be a time such as 2026-09-21T14:13:20Z, seconds since 1970, or now")
	}
	return t, nil
}

// read reads the capture.
func (o *inspectOptions) read(stdin io.Reader, info io.Writer, file string) (*capture.Request, error) {
	options := capture.Options{Entry: o.entry}
	if o.files != "" {
		root, err := os.OpenRoot(o.files)
		if err != nil {
			return nil, cli.UsageError{Err: err}
		}
		defer func() { _ = root.Close() }() // it was only read
		options.Files = root.FS()
	}
	from := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, cli.UsageError{Err: err}
		}
		defer f.Close()
		from = f
	} else if f, ok := stdin.(*os.File); ok && isTerminal(f) {
		fmt.Fprintln(info, "paste the request, then press Ctrl-D")
	}
	b, err := io.ReadAll(io.LimitReader(from, capture.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	var captured *capture.Request
	if strings.EqualFold(filepath.Ext(file), ".eml") {
		captured, err = capture.Message(b)
	} else {
		captured, err = capture.Read(b, options)
	}
	if err != nil {
		return nil, fmt.Errorf("read the capture: %w", err)
	}
	return captured, nil
}

// writeJSON writes a report and escapes what could control a terminal.
func writeJSON(out io.Writer, report *inspect.Report) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(report); err != nil {
		return err
	}
	var safe strings.Builder
	for _, r := range b.String() {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			safe.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&safe, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&safe, `\u%04x`, r)
		}
	}
	_, err := io.WriteString(out, safe.String())
	return err
}
