package web_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/simulator"
)

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
