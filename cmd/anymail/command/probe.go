package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goanymail/anymail/internal/cli"
)

func newProbeCommand() *cobra.Command {
	var size int
	cmd := &cobra.Command{
		Use:   "probe URL",
		Short: "Find what keeps webhooks from reaching an endpoint: routes, redirects, proxies",
		Long: `probe sends the requests by which ESPs check a webhook URL, and two that the
endpoint has to refuse: a POST without credentials, and a large one. It prints each
answer, and what to change if it is not the answer of an endpoint. It needs no secret
and causes no event.

URL is the one that the ESP is given. A user and password in it are not sent.`,
		Example: "  anymail probe https://hooks.example.com/anymail/postmark/tracking/",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("needs one argument, the URL")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			u, err := url.Parse(args[0])
			if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
				return cli.Usagef("URL must be an absolute http(s) URL")
			}
			if size < 0 {
				return cli.Usagef("--size must be at least 0")
			}
			u.User = nil
			return probe(cmd.Context(), cmd.OutOrStdout(), u.String(), size)
		},
	}
	cmd.Flags().IntVar(&size, "size", 10<<20, "size of the large POST in `bytes`; 0 for none")
	return cmd
}

func probe(ctx context.Context, out io.Writer, target string, size int) error {
	client := &http.Client{
		Timeout: time.Minute,
		// A server that refuses a large body says so before it is sent.
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, ExpectContinueTimeout: 5 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // ESPs do not follow them
	}
	defer client.CloseIdleConnections()
	requests := []struct {
		method string
		body   []byte
	}{{http.MethodHead, nil}, {http.MethodGet, nil}, {http.MethodPost, []byte("[]")}}
	if size > 0 {
		requests = append(requests, requests[2])
		requests[3].body = bytes.Repeat([]byte(" "), size)
	}
	colour, wrong := coloursFor(out), 0
	if strings.HasPrefix(target, "http:") {
		fmt.Fprintln(out, "plain http: secrets and payloads can be read in transit")
	}
	for _, send := range requests {
		req, err := http.NewRequestWithContext(ctx, send.method, target, bytes.NewReader(send.body))
		if err != nil {
			return err
		}
		name := send.method
		if send.body != nil {
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Expect", "100-continue")
			name = fmt.Sprintf("%s of %s bytes", name, thousands(len(send.body)))
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		advice := adviceFor(send.method, len(send.body), resp)
		mark := colour.good
		if advice != "" {
			mark, wrong = colour.bad, wrong+1
		}
		fmt.Fprintf(out, "%-24s %s\n", name, mark(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))))
		if advice != "" {
			fmt.Fprintln(out, "  "+cli.Printable(advice))
		}
	}
	if wrong > 0 {
		return cli.ErrReported
	}
	return nil
}

// adviceFor returns what is wrong with an answer to a request without credentials, and
// the probable cause. It is empty if an endpoint answers so.
func adviceFor(method string, size int, resp *http.Response) string {
	status := resp.StatusCode
	switch {
	case status >= 300 && status < 400:
		return "redirects to " + resp.Header.Get("Location") + ": ESPs do not follow redirects; give them that URL, or mount the Dispatcher without the redirect"
	case status == http.StatusNotFound:
		return "no endpoint at this path: the server's log says which path would match; the prefix of the path may not have been removed (http.StripPrefix)"
	case status == http.StatusMethodNotAllowed && method == http.MethodGet && strings.Contains(resp.Header.Get("Allow"), http.MethodHead):
		return "" // an endpoint whose ESP does not probe with GET
	case status == http.StatusMethodNotAllowed:
		return "the route is for other methods only, such as the pattern \"POST /path\": ESPs probe with HEAD or GET; use a route for all methods"
	case status == http.StatusRequestEntityTooLarge:
		return "too large: a proxy's limit on bodies is too low for received mail (nginx: client_max_body_size)"
	case status == http.StatusForbidden:
		return "forbidden: the address list of the endpoint, or a firewall, does not admit this machine"
	case status == http.StatusBadGateway && size > 256<<10:
		// net/http reads no more than that of a refused body and closes the
		// connection, which nginx reports so. The small POST tells the two apart.
		return ""
	case status == http.StatusBadGateway || status == http.StatusGatewayTimeout:
		return "a proxy does not reach the server"
	case status >= 500:
		return "the server or a proxy failed: see its log"
	case method == http.MethodPost && status < 300:
		return "accepted without secret or signature: any client could forge events"
	case method == http.MethodHead && status >= 400:
		return "an endpoint answers HEAD with 200: another program answers here, or a check in front of the Dispatcher"
	}
	return ""
}
