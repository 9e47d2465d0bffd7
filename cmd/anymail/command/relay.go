package command

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goanymail/anymail/esp/relay"
	"github.com/goanymail/anymail/internal/cli"
)

// The exit statuses of sysexits.h that a mail server gets. Others make most of them
// return the message to its sender.
const (
	exDataErr  = 65
	exTempFail = 75
)

func newRelayCommand() *cobra.Command {
	var o relayOptions
	cmd := &cobra.Command{
		Use:   "relay --to URL [-f SENDER] [RECIPIENT...]",
		Short: "Post a received message from the pipe of a mail server to the relay adapter",
		Long: `relay reads a message from standard input and posts it, with its envelope, to the
inbound endpoint of the adapter "relay". It is for the pipe of a mail server such as
Postfix or Exim; docs/esps/relay.md of the library has their configuration.

The envelope comes from -f and the arguments, or else from the variables SENDER and
ORIGINAL_RECIPIENT or RECIPIENT. An empty SENDER means a bounce.

The request is signed with the key, or has the shared secret, or both. A command line
is visible to every user of the machine, so the key and the secret are in files or in
the variables ANYMAIL_RELAY_KEY and ANYMAIL_RELAY_SECRET.

The exit status is 0 if the message was accepted, 65 (EX_DATAERR) if it is too large,
and 75 (EX_TEMPFAIL) in any other case, also for a wrong command line: the mail server
keeps the message and retries. The output begins with an enhanced status code.`,
		Example: `  anymail relay --to https://your.host/anymail/relay/inbound/ --key @/etc/anymail/key -f ada@example.com -- help@in.example.org < message.eml`,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.recipients = args
			o.senderKnown = cmd.Flags().Changed("sender")
			err := o.run(cmd.Context(), cmd.InOrStdin())
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), "2.0.0 accepted")
			}
			return reported(cmd, err)
		},
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return reported(cmd, misconfigured("%w", err)) })
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "", "`URL` of the inbound endpoint")
	f.StringVarP(&o.sender, "sender", "f", "", "`address` of the envelope's sender, empty for a bounce")
	f.StringVar(&o.key, "key", "", "`@FILE` with a signing key that the server trusts")
	f.StringVar(&o.secret, "secret", "", "`@FILE` with the shared secret \"user:password\"")
	f.Int64Var(&o.maxSize, "max-size", relay.MaxMessage, "size of the largest message in `bytes`")
	f.DurationVar(&o.timeout, "timeout", time.Minute, "`time` until the answer")
	f.BoolVar(&o.allowHTTP, "allow-http", false, "post over http to another host than this one")
	return cmd
}

type relayOptions struct {
	to, key, secret string
	sender          string
	senderKnown     bool
	recipients      []string
	maxSize         int64
	timeout         time.Duration
	allowHTTP       bool
}

// relayError is why a message was not accepted, with the enhanced status code
// (RFC 3463) that the mail server gets.
type relayError struct {
	code string
	err  error
}

func (e *relayError) Error() string { return e.code + " " + e.err.Error() }

func (e *relayError) Unwrap() error { return e.err }

func misconfigured(format string, args ...any) error {
	return &relayError{"4.3.5", fmt.Errorf(format, args...)}
}

// reported prints an error as mail servers read it, in one line, and returns it with
// its exit status.
func reported(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	fmt.Fprintln(cmd.OutOrStdout(), cli.Printable(err.Error()))
	status := exTempFail
	if failure := (*relayError)(nil); errors.As(err, &failure) && strings.HasPrefix(failure.code, "5.") {
		status = exDataErr
	}
	return cli.StatusError{Status: status, Err: cli.ErrReported}
}

func (o *relayOptions) run(ctx context.Context, stdin io.Reader) error {
	if err := o.checkURL(); err != nil {
		return err
	}
	key, err := confidential("key", o.key, "ANYMAIL_RELAY_KEY")
	if err != nil {
		return err
	}
	secret, err := confidential("secret", o.secret, "ANYMAIL_RELAY_SECRET")
	if err != nil {
		return err
	}
	if key == "" && secret == "" {
		return misconfigured("needs a key or a secret")
	}
	message, err := io.ReadAll(io.LimitReader(stdin, o.maxSize+1))
	switch {
	case err != nil:
		return &relayError{"4.3.0", fmt.Errorf("reading the message: %w", err)}
	case len(message) == 0:
		return misconfigured("there is no message at standard input")
	case int64(len(message)) > o.maxSize:
		return &relayError{"5.3.4", fmt.Errorf("the message is larger than %d bytes", o.maxSize)}
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	return o.post(ctx, message, key, secret)
}

// checkURL refuses a URL that would show a secret, or send mail in clear text.
func (o *relayOptions) checkURL() error {
	u, err := url.Parse(o.to)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return misconfigured("--to must be an absolute https URL") // err may quote a secret
	case u.User != nil:
		return misconfigured("--to must not hold the secret, since a command line is visible: use --secret")
	case u.Scheme == "http" && !o.allowHTTP && u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback():
		return misconfigured("--to must be an https URL, because mail and secret are confidential")
	}
	return nil
}

// confidential reads a secret from a file or an environment variable.
func confidential(flag, value, variable string) (string, error) {
	if value == "" {
		return os.Getenv(variable), nil
	}
	file, ok := strings.CutPrefix(value, "@")
	if !ok {
		return "", misconfigured("--%s must be of the form @FILE, since a command line is visible", flag)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", misconfigured("--%s: %w", flag, err)
	}
	text := strings.TrimSpace(string(content))
	if text == "" {
		return "", misconfigured("--%s: %s is empty", flag, file)
	}
	return text, nil
}

func (o *relayOptions) post(ctx context.Context, message []byte, key, secret string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.to, bytes.NewReader(message))
	if err != nil {
		return misconfigured("%w", err)
	}
	req.Header = o.envelope()
	req.Header.Set("Content-Type", "message/rfc822")
	req.Header.Set("User-Agent", "anymail relay")
	if key != "" {
		relay.Sign(req.Header, message, key, time.Now())
	}
	if secret != "" {
		user, password, _ := strings.Cut(secret, ":")
		req.SetBasicAuth(user, password)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a redirected POST may become a GET without the message
	}}
	resp, err := client.Do(req)
	if err != nil {
		return &relayError{"4.4.1", err}
	}
	_ = resp.Body.Close() // the status says everything
	answer := fmt.Errorf("answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	switch status := resp.StatusCode; {
	case status/100 == 2:
		return nil
	case status == http.StatusRequestEntityTooLarge:
		return &relayError{"5.3.4", answer}
	case status == http.StatusBadRequest, status == http.StatusUnauthorized, status == http.StatusForbidden:
		return &relayError{"4.7.0", answer} // most likely a wrong key: see anymail.WithRejectStatus
	}
	return &relayError{"4.3.0", answer}
}

// envelope returns the header fields of the envelope, as far as it is known.
func (o *relayOptions) envelope() http.Header {
	header := http.Header{}
	sender, known := os.LookupEnv("SENDER")
	if o.senderKnown {
		sender, known = o.sender, true
	}
	if known {
		header.Set(relay.HeaderFrom, "<"+strings.Trim(sender, "<>")+">")
	}
	recipients := o.recipients
	if one := cmp.Or(os.Getenv("ORIGINAL_RECIPIENT"), os.Getenv("RECIPIENT")); len(recipients) == 0 && one != "" {
		recipients = []string{one}
	}
	var list []string
	for _, recipient := range recipients {
		list = append(list, "<"+strings.Trim(recipient, "<>")+">")
	}
	if list != nil {
		header.Set(relay.HeaderTo, strings.Join(list, ", "))
	}
	return header
}
