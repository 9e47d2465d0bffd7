package command

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goanymail/anymail/cmd/anymail/internal/web"
	"github.com/goanymail/anymail/internal/cli"
	"github.com/goanymail/anymail/simulator"
)

func newTriggerCommand(c catalog) *cobra.Command {
	o := triggerOptions{params: simulator.NewParams()}
	var eml, keyFile, newKey, caFile string
	var list, insecure bool
	cmd := &cobra.Command{
		Use:   "trigger ESP EVENT",
		Short: "Post a signed webhook of any event of any ESP to your own server",
		Long: `trigger posts a realistic webhook to your own server, signed as the ESP signs,
and prints the URL and the answer. EVENT is an event type, such as delivered, or the
name of a sample (--list prints them).

--to is the URL under which your Dispatcher is mounted; trigger adds the rest of
the path. --key is the key that your server trusts: the secret, or the private key
in PEM if the ESP signs with one. Without --key, trigger makes a new key and prints
what to configure. --new-key makes one for later runs and posts nothing.

Amazon SES signs with a certificate. A server trusts that of --new-key if it has the
certificate in InsecureTestCertificates, a setting for tests, and if the topic of
--topic is one of its own.

With --count it is a load generator: each request has an event of its own.`,
		Example: `  anymail trigger postmark bounced --to http://127.0.0.1:8080/anymail --secret anymail:some-long-password
  anymail trigger mailgun opened --to http://127.0.0.1:8080/anymail --key key-1 --metadata order=1701
  anymail trigger mailgun inbound --to https://localhost:8443/anymail --cacert ca.pem --key key-1 --eml message.eml
  anymail trigger sendgrid delivered --to http://127.0.0.1:8080/anymail --key @private.pem --count 10000 --parallel 8
  anymail trigger amazonses --new-key sns-test.pem`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 && (!list && newKey == "" || len(args) != 1) {
				return cli.Usagef("needs two arguments, ESP and EVENT")
			}
			return nil
		},
		ValidArgsFunction: c.completeTrigger,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			out, info := cmd.OutOrStdout(), cmd.ErrOrStderr()
			sim := c.simulator(args[0])
			switch {
			case sim == nil:
				return cli.Usagef("unknown ESP %q; anymail esps lists them", args[0])
			case list:
				return listSamples(out, sim)
			case newKey != "":
				return writeKey(out, info, sim, newKey)
			case o.count < 1 || o.parallel < 1 || o.rate < 0:
				return cli.Usagef("--count and --parallel must be at least 1, --rate at least 0")
			}
			o.webhook.Simulator = sim
			if eml != "" {
				message, err := os.ReadFile(eml)
				if err != nil {
					return err
				}
				o.params.SetMIME(message)
			}
			if o.sample, err = findSample(sim, args[1], eml != ""); err != nil {
				return err
			}
			if o.client, err = newClient(o.parallel, caFile, insecure); err != nil {
				return err
			}
			if err := o.splitURL(); err != nil {
				return err
			}
			if err := o.readKey(info, keyFile); err != nil {
				return err
			}
			if o.sample.Fetched {
				fmt.Fprintf(info, "note: what %s posts only by reference, your server fetches from %s, which has nothing of this event\n", sim.Title, sim.Title)
			}
			if o.count > 1 {
				return load(cmd.Context(), out, info, o)
			}
			return triggerOne(cmd.Context(), out, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.webhook.URL, "to", "http://127.0.0.1:8025/anymail", "`URL` under which the Dispatcher is mounted")
	f.StringVar(&o.webhook.Name, "name", "", "`name` under which the adapter is registered, if not the ESP's")
	f.StringVar(&o.webhook.Secret, "secret", "", "shared secret \"user:password\"; that of --to if not set")
	f.StringVar(&keyFile, "key", "", "signing `key` that the server trusts, or @FILE to read it from")
	f.StringVar(&newKey, "new-key", "", "write a new key to a `file` for --key, print what to configure, and post nothing")
	f.StringVar(&caFile, "cacert", "", "`file` with certificates in PEM, one of which must have issued the server's")
	f.BoolVar(&insecure, "insecure", false, "accept any certificate of the server")
	f.StringVar(&o.params.Recipient, "recipient", o.params.Recipient, "`address` of the recipient")
	f.StringVar(&o.params.Sender, "sender", o.params.Sender, "`address` of the sender")
	f.StringVar(&o.params.Subject, "subject", o.params.Subject, "subject of the message")
	f.StringVar(&o.messageID, "message-id", "", "`id` of the message, as the send API returned it")
	f.StringVar(&o.params.Tag, "tag", o.params.Tag, "tag of the message")
	f.StringToStringVar(&o.params.Metadata, "metadata", o.params.Metadata, "metadata of the message as KEY=VALUE; may be repeated")
	f.StringVar(&o.params.Topic, "topic", o.params.Topic, "`ARN` of the SNS topic through which Amazon SES posts")
	f.StringVar(&eml, "eml", "", "`file` with the received message to post")
	f.IntVar(&o.count, "count", 1, "`number` of requests to post")
	f.Float64Var(&o.rate, "rate", 0, "maximum `number` of requests a second; 0 for no limit")
	f.IntVar(&o.parallel, "parallel", 1, "`number` of concurrent requests")
	f.BoolVar(&list, "list", false, "list the ESP's samples")
	_ = cmd.MarkFlagFilename("eml", "eml")
	return cmd
}

type triggerOptions struct {
	webhook         simulator.Webhook
	sample          simulator.Sample
	params          simulator.Params
	messageID       string
	count, parallel int
	rate            float64
	client          *http.Client
}

func (c catalog) completeTrigger(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var words []string
	switch len(args) {
	case 0:
		for _, sim := range c.simulators() {
			words = append(words, sim.ESP)
		}
	case 1:
		if sim := c.simulator(args[0]); sim != nil {
			words = sampleWords(sim)
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// sampleWords returns the event types and the names of samples.
func sampleWords(sim *simulator.Simulator) []string {
	words := map[string]bool{}
	for _, s := range sim.Samples {
		words[s.Name] = true
		if len(s.Types) > 0 {
			words[string(s.Types[0])] = true
		}
	}
	return slices.Sorted(maps.Keys(words))
}

func listSamples(out io.Writer, sim *simulator.Simulator) error {
	for _, s := range sim.Samples {
		fmt.Fprintf(out, "%-34s %-12s %s %s\n", s.Name, "/"+s.Endpoint, join(s.Types), s.Reason)
	}
	return nil
}

// findSample is [web.FindSample] with an error that helps.
func findSample(sim *simulator.Simulator, event string, ownMIME bool) (simulator.Sample, error) {
	s, ok := web.FindSample(sim, event, ownMIME)
	switch {
	case ok:
		return s, nil
	case ownMIME:
		return s, cli.Usagef("no sample %q of %s contains a whole message, as --eml needs", event, sim.Title)
	}
	return s, cli.Usagef("%s has no event or sample %q; it has %s", sim.Title, event, strings.Join(sampleWords(sim), ", "))
}

// newClient returns a client that behaves like an ESP's.
func newClient(parallel int, caFile string, insecure bool) (*http.Client, error) {
	trust := &tls.Config{InsecureSkipVerify: insecure} //nolint:gosec // the user asks for it
	if caFile != "" {
		content, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		trust.RootCAs = x509.NewCertPool()
		switch {
		case insecure:
			return nil, cli.Usagef("--cacert and --insecure exclude each other")
		case !trust.RootCAs.AppendCertsFromPEM(content):
			return nil, cli.Usagef("--cacert: %s has no certificate in PEM", caFile)
		}
	}
	return &http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: parallel, TLSClientConfig: trust},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // ESPs do not follow redirects
		},
	}, nil
}

// splitURL takes the shared secret out of the URL, which may be the one that is
// registered at the ESP. ESPs do not sign it.
func (o *triggerOptions) splitURL() error {
	u, err := url.Parse(o.webhook.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return cli.Usagef("--to: must be an absolute URL of http or https") // it may hold a secret
	}
	if password, ok := u.User.Password(); ok && o.webhook.Secret == "" {
		o.webhook.Secret = u.User.Username() + ":" + password
	}
	u.User = nil
	o.webhook.URL = u.String()
	return nil
}

// writeKey makes a key, writes it to a file and prints what to configure.
func writeKey(out, info io.Writer, sim *simulator.Simulator, file string) error {
	if sim.NewCredential == nil {
		return cli.Usagef("--new-key: %s signs nothing", sim.Title)
	}
	credential := sim.NewCredential()
	key, err := credential.Key()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.TrimSpace(key) + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	fmt.Fprintf(info, "post with --key @%s; configure the server to trust:\n", file)
	fmt.Fprintln(out, strings.TrimSpace(credential.Config))
	return nil
}

// readKey reads the user's key, or makes one and prints what to configure.
func (o *triggerOptions) readKey(info io.Writer, key string) error {
	sim := o.webhook.Simulator
	if !sim.Signs(o.sample.Endpoint) {
		return nil
	}
	if key == "" {
		o.webhook.Credential = sim.NewCredential()
		fmt.Fprintf(info, "signed with a new key; configure the server to trust it, or make a key to keep with --new-key:\n%s\n",
			strings.TrimSpace(o.webhook.Credential.Config))
		return nil
	}
	if file, ok := strings.CutPrefix(key, "@"); ok {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		key = strings.TrimSpace(string(content))
	}
	var err error
	if o.webhook.Credential, err = sim.Credential(key); err != nil {
		return cli.UsageError{Err: err}
	}
	return nil
}

// request makes the next request: a new event about the same message.
func (o *triggerOptions) request() (*http.Request, error) {
	fresh := simulator.NewParams()
	p := o.params
	p.EventID, p.Number, p.Time, p.MessageID = fresh.EventID, fresh.Number, fresh.Time, fresh.MessageID
	if o.messageID != "" {
		p.MessageID = o.messageID
	}
	r, err := o.webhook.Sign(o.sample.Make(p))
	if err != nil {
		return nil, err
	}
	return r.HTTP()
}

// triggerOne posts one request and prints the answer.
func triggerOne(ctx context.Context, out io.Writer, o triggerOptions) error {
	req, err := o.request()
	if err != nil {
		return err
	}
	status, body, took, err := o.post(ctx, req)
	if err != nil {
		return err
	}
	colour := coloursFor(out)
	mark := colour.good
	if status != http.StatusOK {
		mark = colour.bad
	}
	answer := mark(fmt.Sprintf("%d %s", status, http.StatusText(status)))
	fmt.Fprintf(out, "%s to %s: %s in %s\n", o.sample.Name, req.URL, answer, took.Round(10*time.Microsecond))
	if status != http.StatusOK {
		fmt.Fprintln(out, cli.Printable(strings.TrimSpace(body)))
		return cli.ErrReported
	}
	return nil
}

func (o *triggerOptions) post(ctx context.Context, req *http.Request) (status int, body string, took time.Duration, err error) {
	begin := time.Now()
	resp, err := o.client.Do(req.WithContext(ctx))
	if untrusted := new(tls.CertificateVerificationError); errors.As(err, &untrusted) {
		return 0, "", 0, fmt.Errorf("%w; --cacert names a file with an issuer to trust, and --insecure accepts any certificate", err)
	}
	if err != nil {
		return 0, "", 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	return resp.StatusCode, string(b), time.Since(begin), err
}
