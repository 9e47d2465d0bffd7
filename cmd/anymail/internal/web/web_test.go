package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail/internal/web"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

const evil = `<p id="hello">Hello <img src="cid:pic@example.com"></p><script>document.title = "taken"; fetch("/api/requests", {method: "DELETE"})</script>` +
	`<img src="https://tracker.example.net/pixel.gif"><form action="https://evil.example.net"><input></form>`

// startPage starts a page with the adapters of Postmark and of Mailgun, which is asked
// for a signature.
func startPage(t *testing.T) (url string, post func(esp, sample string, change func(*simulator.Request)) int) {
	t.Helper()
	store := web.NewStore(100, 1<<20)
	d, err := anymail.New(anymail.Insecure(), anymail.WithHooks(store.Hooks()), anymail.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	credentials := map[string]simulator.Credential{}
	for _, esp := range []string{"postmark", "mailgun"} {
		sim := allsim.Find(esp)
		adapter, credential, err := sim.NewAccount()
		require.NoError(t, err)
		credentials[esp] = credential
		require.NoError(t, d.Register(esp, adapter))
	}
	router := chi.NewRouter()
	router.Mount("/anymail", store.Capture(d, 1<<20))
	router.Mount("/", web.NewServer(store, "/anymail"))
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	return server.URL, func(esp, name string, change func(*simulator.Request)) int {
		t.Helper()
		sim := allsim.Find(esp)
		sample, ok := sim.Sample(name)
		require.True(t, ok, name)
		r := sample.Make(simulator.NewParams())
		var err error
		r.URL, err = simulator.EndpointURL(server.URL+"/anymail", esp, r.Endpoint)
		require.NoError(t, err)
		require.NoError(t, sim.SignNow(&r, credentials[esp]))
		if change != nil {
			change(&r)
		}
		req, err := r.HTTP()
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
}

func withHTML(t *testing.T) func(*simulator.Request) {
	return func(r *simulator.Request) {
		var body map[string]any
		require.NoError(t, json.Unmarshal(r.Body, &body))
		body["HtmlBody"] = evil
		r.Body, _ = json.Marshal(body)
	}
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(b)
}

func TestAPI(t *testing.T) {
	url, post := startPage(t)
	require.Equal(t, 200, post("postmark", "HardBounce", nil))
	require.Equal(t, 200, post("postmark", "Inbound", withHTML(t)))
	require.Equal(t, 400, post("mailgun", "delivered", func(r *simulator.Request) {
		r.Body = []byte(strings.Replace(string(r.Body), `"token"`, `"taken"`, 1))
		r.Header.Set("Authorization", "Basic aHVzaDpodXNo")
	}))
	require.Equal(t, 404, post("postmark", "Delivery", func(r *simulator.Request) { r.URL = url + "/anymail/nobody/tracking/" }))

	_, list := get(t, url+"/api/requests")
	var answer struct {
		Requests []struct {
			ID     int
			Status int
			Error  string
			Events []struct{ ESP, Type, Recipient, Reason string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(list), &answer))
	require.Len(t, answer.Requests, 4)
	require.Equal(t, "bounced", answer.Requests[0].Events[0].Type)
	require.Equal(t, "invalid", answer.Requests[0].Events[0].Reason)
	require.Contains(t, answer.Requests[2].Error, "not authenticated")
	require.Equal(t, "no adapter has this path", answer.Requests[3].Error)

	_, detail := get(t, url+"/api/requests/3")
	require.Contains(t, detail, "(hidden)")
	require.NotContains(t, detail, "aHVzaDpodXNo")

	resp, saved := get(t, url+"/api/requests/3/http")
	require.Equal(t, "attachment; filename=request-3.http", resp.Header.Get("Content-Disposition"))
	require.NotContains(t, saved, "aHVzaDpodXNo")
	again, err := http.ReadRequest(bufio.NewReader(strings.NewReader(saved)))
	require.NoError(t, err)
	require.Equal(t, "/anymail/mailgun/tracking/", again.URL.Path)
	require.Contains(t, saved, `"taken"`)

	resp, page := get(t, url+"/api/requests/2/events/0/html")
	require.Contains(t, resp.Header.Get("Content-Security-Policy"), "sandbox; default-src 'none'")
	require.Contains(t, page, `src="data:image/png;base64,iVBORw0KGgo="`)
	resp, content := get(t, url+"/api/requests/2/events/0/attachments/1")
	require.Equal(t, "a note", content)
	require.Equal(t, "attachment; filename=notes.txt", resp.Header.Get("Content-Disposition"))
	require.Equal(t, "application/octet-stream", resp.Header.Get("Content-Type"))
	for _, path := range []string{"/api/requests/99", "/api/requests/x", "/api/requests/1/events/0/html", "/api/requests/2/events/7/html", "/api/requests/2/events/0/attachments/-1", "/nothing"} {
		resp, _ := get(t, url+path)
		require.Equal(t, 404, resp.StatusCode, path)
	}
}

// Other sites must not use the browser in which the page is open.
func TestProtection(t *testing.T) {
	url, post := startPage(t)
	require.Equal(t, 200, post("postmark", "Delivery", nil))
	do := func(method, path, host string, header http.Header) int {
		req, err := http.NewRequest(method, url+path, strings.NewReader(`{"url":"http://127.0.0.1:1/"}`))
		require.NoError(t, err)
		req.Host, req.Header = host, header
		if host == "" {
			req.Host = req.URL.Host
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	ours := http.Header{"X-Anymail": {"1"}}
	require.Equal(t, 200, do("GET", "/", "localhost:1", nil))
	require.Equal(t, 403, do("GET", "/api/requests", "rebound.example.net", nil))
	require.Equal(t, 403, do("DELETE", "/api/requests", "", nil))
	require.Equal(t, 403, do("POST", "/api/requests/1/replay", "", nil))
	require.Equal(t, 200, do("POST", "/api/requests/1/replay", "", ours))
	require.Equal(t, 204, do("DELETE", "/api/requests", "", ours))
	require.Equal(t, 404, do("GET", "/api/requests/1", "", nil))
}

func TestStoreIsBounded(t *testing.T) {
	store := web.NewStore(3, 100)
	handler := store.Capture(http.NotFoundHandler(), 60)
	post := func(n int) {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", n))))
	}
	for range 5 {
		post(1)
	}
	require.Len(t, store.List(), 3)
	post(50)
	post(60)
	require.Len(t, store.List(), 1)
	require.Len(t, store.List()[0].Body, 60)
	post(61)
	last := store.List()[len(store.List())-1]
	require.Empty(t, last.Body, "too large to keep")
}

// chrome opens a page in headless Chromium.
func chrome(t *testing.T) context.Context {
	t.Helper()
	path := os.Getenv("ANYMAIL_TEST_CHROMIUM")
	if path == "" {
		t.Skip("ANYMAIL_TEST_CHROMIUM is not set")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	// It complains of what newer browsers tell; what matters is an error of Run.
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestPage(t *testing.T) {
	ctx := chrome(t)
	url, post := startPage(t)
	rows := func() (n int) {
		require.NoError(t, chromedp.Run(ctx, chromedp.Evaluate(`document.querySelectorAll("#list tr").length`, &n)))
		return n
	}
	text := func(selector string) (s string) {
		require.NoError(t, chromedp.Run(ctx, chromedp.Text(selector, &s, chromedp.ByQuery)))
		return s
	}
	eventually := func(what string, ok func() bool) {
		t.Helper()
		require.Eventually(t, ok, time.Minute, 50*time.Millisecond, what)
	}
	require.Equal(t, 200, post("postmark", "Delivery", nil))
	require.NoError(t, chromedp.Run(ctx, chromedp.Navigate(url), chromedp.WaitVisible("#list button", chromedp.ByQuery)))
	eventually("the page is live", func() bool { return text("#live") == "Live" })

	// Events show up as they come.
	require.Equal(t, 200, post("postmark", "HardBounce", nil))
	require.Equal(t, 200, post("mailgun", "opened", nil))
	require.Equal(t, 200, post("postmark", "Inbound", withHTML(t)))
	require.Equal(t, 400, post("mailgun", "delivered", func(r *simulator.Request) { r.Body = []byte(`{}`) }))
	eventually("five requests", func() bool { return rows() == 5 })
	require.Contains(t, text("#live"), "Rejected a request to /anymail/mailgun/tracking/")
	require.Contains(t, text("#chart-text"), "4 accepted, 1 rejected")

	// The arrow keys go through the list.
	current := func() (label string) {
		require.NoError(t, chromedp.Run(ctx, chromedp.Evaluate(`document.activeElement.getAttribute("aria-label")`, &label)))
		return label
	}
	require.NoError(t, chromedp.Run(ctx, chromedp.Focus("#list button", chromedp.ByQuery), chromedp.KeyEvent(kb.ArrowDown)))
	require.Contains(t, current(), "postmark inbound")
	require.NoError(t, chromedp.Run(ctx, chromedp.KeyEvent(kb.ArrowUp)))
	require.Contains(t, current(), "mailgun rejected")

	// Filters.
	filter := func(script string) {
		require.NoError(t, chromedp.Run(ctx, chromedp.Evaluate(script+`; for (const id of ["esp","type","recipient","rejected"]) document.getElementById(id).dispatchEvent(new Event("input")); true`, new(bool))))
	}
	for script, want := range map[string]int{
		`document.getElementById("esp").value = "mailgun"`: 2, `document.getElementById("type").value = "bounced"`: 1,
		`document.getElementById("recipient").value = "HELP+"`: 1, `document.getElementById("rejected").checked = true`: 1,
	} {
		filter(script)
		require.Equal(t, want, rows(), script)
		filter(`document.getElementById("esp").value = ""; document.getElementById("type").value = ""; document.getElementById("recipient").value = ""; document.getElementById("rejected").checked = false`)
	}

	// By the keyboard: the first row is the latest, the refused one.
	require.NoError(t, chromedp.Run(ctx, chromedp.Focus("#list button", chromedp.ByQuery), chromedp.KeyEvent("\r"), chromedp.WaitVisible("#detail-body .bad", chromedp.ByQuery)))
	require.Contains(t, text("#detail-body .bad"), "not authenticated")
	var focused string
	require.NoError(t, chromedp.Run(ctx, chromedp.Evaluate(`document.activeElement.id`, &focused)))
	require.Equal(t, "detail", focused)

	// A received message, which can do nothing.
	require.NoError(t, chromedp.Run(ctx, chromedp.Evaluate(`[...document.querySelectorAll("#list button")][1].click(); true`, new(bool)), chromedp.WaitVisible("iframe", chromedp.ByQuery)))
	require.Contains(t, text("#detail-body"), "notes.txt")
	require.Contains(t, text("#detail-body dl"), "Your order")
	var title, sandbox, reach string
	time.Sleep(300 * time.Millisecond) // for a script to run, if one could
	require.NoError(t, chromedp.Run(ctx,
		chromedp.Title(&title),
		chromedp.AttributeValue("iframe", "sandbox", &sandbox, nil, chromedp.ByQuery),
		chromedp.Evaluate(`(() => { try { return document.querySelector("iframe").contentDocument ? "within reach" : "out of reach" } catch { return "out of reach" } })()`, &reach)))
	require.Equal(t, "anymail listen", title)
	require.Empty(t, sandbox, "nothing is allowed")
	require.Equal(t, "out of reach", reach)
	require.Equal(t, 5, rows(), "the message's script cleared nothing")

	// Send it again, to the same server.
	require.NoError(t, chromedp.Run(ctx, chromedp.Click(".replay button", chromedp.ByQuery)))
	eventually("an answer", func() bool { return strings.HasPrefix(text(".replay output"), "Answered 200") })
	eventually("six requests", func() bool { return rows() == 6 })

	// For the README.
	if file := os.Getenv("ANYMAIL_SCREENSHOT"); file != "" {
		var picture []byte
		require.NoError(t, chromedp.Run(ctx, chromedp.Evaluate(`[...document.querySelectorAll("#list button")].at(-2).click(); true`, new(bool)), chromedp.Sleep(300*time.Millisecond), chromedp.Evaluate(`scrollTo(0, 0); true`, new(bool)), chromedp.CaptureScreenshot(&picture)))
		require.NoError(t, os.WriteFile(file, picture, 0o600))
	}

	require.NoError(t, chromedp.Run(ctx, chromedp.Click("#clear", chromedp.ByQuery)))
	eventually("nothing", func() bool { return rows() == 0 })
}

// What a screen reader needs is there: names, roles, and no heading left out.
func TestPageIsAccessible(t *testing.T) {
	ctx := chrome(t)
	url, post := startPage(t)
	require.Equal(t, 200, post("postmark", "Inbound", withHTML(t)))
	var problems []string
	require.NoError(t, chromedp.Run(ctx, chromedp.Navigate(url), chromedp.WaitVisible("#list button", chromedp.ByQuery),
		chromedp.Click("#list button", chromedp.ByQuery), chromedp.WaitVisible("iframe", chromedp.ByQuery),
		chromedp.Evaluate(`(() => {
			const problems = [];
			const name = (e) => (e.getAttribute("aria-label") || e.title || e.textContent || "").trim() || [...(e.labels || [])].map((l) => l.textContent.trim()).join("");
			for (const e of document.querySelectorAll("button, a, input, select, iframe")) if (!name(e)) problems.push("no name: " + e.outerHTML);
			for (const e of document.querySelectorAll("th")) if (!e.scope) problems.push("no scope: " + e.outerHTML);
			for (const e of document.querySelectorAll("[aria-labelledby]")) for (const id of e.getAttribute("aria-labelledby").split(" ")) if (!document.getElementById(id)) problems.push("label is missing: " + id);
			if (!document.documentElement.lang) problems.push("no language");
			if (document.querySelectorAll("h1").length !== 1) problems.push("not one h1");
			if (!document.querySelector("[role=status]")) problems.push("nothing tells of new events");
			for (const e of document.querySelectorAll("pre")) if (e.tabIndex < 0) problems.push("cannot be scrolled by keyboard");
			return problems;
		})()`, &problems)))
	require.Empty(t, problems)
}

// A page that does not keep up is told to start anew, instead of missing some.
func TestSlowPage(t *testing.T) {
	store := web.NewStore(1000, 1<<20)
	handler := store.Capture(http.NotFoundHandler(), 60)
	server := httptest.NewServer(web.NewServer(store, "/anymail"))
	defer server.Close()
	conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /api/stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	stream := bufio.NewReader(conn)
	for line := ""; line != ": hello\n"; { // subscribed, and reads no more
		line, err = stream.ReadString('\n')
		require.NoError(t, err)
	}
	path := "/" + strings.Repeat("x", 64<<10) // fills what the connection buffers
	for range 1000 {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, path, nil))
	}
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	rest, err := io.ReadAll(stream)
	require.NoError(t, err, "the answer ends")
	require.Less(t, strings.Count(string(rest), "data: "), 1000)
}
