package web_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/cmd/anymail/internal/web"
	"github.com/goanymail/anymail/simulator"
)

// tab is a tab of headless Chromium, with the page of a Listener.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// startForBrowser starts a Listener for a test that needs Chromium, or skips the test.
func startForBrowser(t *testing.T, change ...func(*web.Options)) *bench {
	t.Helper()
	if os.Getenv("ANYMAIL_TEST_CHROMIUM") == "" {
		t.Skip("ANYMAIL_TEST_CHROMIUM is not set")
	}
	return start(t, change...)
}

// openPage opens the page at a path in a new browser.
func openPage(t *testing.T, b *bench, path string) *tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(os.Getenv("ANYMAIL_TEST_CHROMIUM")), chromedp.NoSandbox, chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	// It complains of what newer browsers tell; what matters is an error of Run.
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	chromedp.ListenTarget(ctx, func(ev any) {
		if thrown, ok := ev.(*runtime.EventExceptionThrown); ok {
			t.Errorf("the page threw: %s", thrown.ExceptionDetails.Error())
		}
	})
	// The first Run starts the browser, which ends with the context of this Run.
	require.NoError(t, chromedp.Run(ctx))
	p := &tab{t, ctx}
	p.run(browser.SetPermission(&browser.PermissionDescriptor{Name: "clipboard-write"}, browser.PermissionSettingGranted),
		browser.SetPermission(&browser.PermissionDescriptor{Name: "clipboard-read"}, browser.PermissionSettingGranted))
	p.visit(b.url + path)
	return p
}

// visit opens a URL, and waits until the page is live.
func (p *tab) visit(url string) {
	p.t.Helper()
	p.run(chromedp.Navigate(url))
	p.eventually(`document.querySelector("#live")?.textContent === "Live"`)
}

func (p *tab) run(actions ...chromedp.Action) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 30*time.Second)
	defer cancel()
	require.NoError(p.t, chromedp.Run(ctx, actions...))
}

// eval evaluates an expression into v.
func (p *tab) eval(script string, v any) {
	p.t.Helper()
	p.run(chromedp.Evaluate(script, v))
}

// eventually waits until an expression is true.
func (p *tab) eventually(script string) {
	p.t.Helper()
	ok := false
	for range 400 {
		if p.eval("Boolean("+script+")", &ok); ok {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	var state string
	p.eval(`location.search + "\n" + document.activeElement.outerHTML.slice(0, 200) + "\n" + document.body.innerText.slice(0, 3000)`, &state)
	require.FailNow(p.t, "it never became true: "+script, "%s", state)
}

// shows waits until what a selector finds first has a text, and can be seen.
func (p *tab) shows(selector, text string) {
	p.t.Helper()
	p.eventually("[document.querySelector(" + quoted(selector) + ")].some((e) => e?.checkVisibility() && e.innerText.includes(" + quoted(text) + "))")
}

// rows waits until the list has that many rows.
func (p *tab) rows(n int) {
	p.t.Helper()
	p.eventually("document.querySelectorAll('#list li').length === " + strconv.Itoa(n))
}

// click clicks what a selector finds first, as a user does: in its middle, and only if
// it can be seen.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.clickFound("document.querySelector(" + quoted(selector) + ")")
}

// clickText clicks the first button, tab or link with that text that can be seen.
func (p *tab) clickText(text string) {
	p.t.Helper()
	p.clickFound(`[...document.querySelectorAll("button, a, summary")].find((e) => e.innerText.trim() === ` + quoted(text) + ` && e.checkVisibility())`)
}

func (p *tab) clickFound(script string) {
	p.t.Helper()
	for range 10 { // the page may draw the element anew between the two halves of a click
		p.eventually("((found) => { window.found = found; return found?.checkVisibility() && !found.disabled; })(" + script + ")")
		p.eval(`window.hit = false; document.addEventListener("click", (e) => { hit = found.contains(e.target); }, { once: true, capture: true })`, nil)
		// In the middle of the window, nothing that is fixed covers it. It must not move any
		// more, as the list does when the chart above it appears.
		var before []float64
		for {
			var at []float64
			p.eval(`found.scrollIntoView({ block: "center" }); (({ x, y, width, height }) => [x + width / 2, y + height / 2])(found.getBoundingClientRect())`, &at)
			if slices.Equal(at, before) {
				break
			}
			before = at
			time.Sleep(50 * time.Millisecond)
		}
		p.run(chromedp.MouseClickXY(before[0], before[1]))
		hit := false
		if p.eval("window.hit ?? true", &hit); hit { // a new page has no such variable
			return
		}
	}
	require.FailNow(p.t, "no click arrived: "+script)
}

// keys types keys wherever the focus is.
func (p *tab) keys(keys string) {
	p.t.Helper()
	for _, key := range keys {
		events := kb.Encode(key)
		if len(events) == 3 { // down, character, up: as one, so that the page can prevent the character
			events[0].Text, events[0].UnmodifiedText = events[1].Text, events[1].UnmodifiedText
			events = []*input.DispatchKeyEventParams{events[0], events[2]}
		}
		for _, event := range events {
			p.run(event)
		}
	}
}

// write replaces the content of a field by typing.
func (p *tab) write(selector, text string) {
	p.t.Helper()
	p.run(chromedp.Focus(selector, chromedp.ByQuery), chromedp.Evaluate(`document.activeElement.select()`, nil), chromedp.SendKeys(selector, text, chromedp.ByQuery))
}

// choose chooses an option of a select element.
func (p *tab) choose(selector, value string) {
	p.t.Helper()
	p.eventually("[...(document.querySelector(" + quoted(selector) + ")?.options ?? [])].some((o) => o.value === " + quoted(value) + ")")
	p.eval(`{ const s = document.querySelector(`+quoted(selector)+`); s.value = `+quoted(value)+`; s.dispatchEvent(new Event("change", {bubbles: true})); true }`, nil)
}

// query returns the query of the page's URL.
func (p *tab) query() (s string) {
	p.t.Helper()
	p.eval("decodeURIComponent(location.search)", &s)
	return s
}

func (p *tab) clipboard() (s string) {
	p.t.Helper()
	p.run(chromedp.Evaluate("navigator.clipboard.readText()", &s, awaitPromise))
	return s
}

// quoted returns a string as JavaScript writes it.
func quoted(s string) string {
	b, _ := json.Marshal(s) // a string never fails
	return string(b)
}

// rewritten re-serialises a body, as a middleware does that parses JSON.
func rewritten(t *testing.T) func(*simulator.Request) {
	return func(r *simulator.Request) {
		var v any
		require.NoError(t, json.Unmarshal(r.Body, &v))
		r.Body, _ = json.MarshalIndent(v, "", "    ")
	}
}

func unrouted(b *bench) func(*simulator.Request) {
	return func(r *simulator.Request) { r.URL = b.url + web.Mount + "/sendgird/tracking/" }
}

// awaitPromise makes an evaluation wait for its promise.
func awaitPromise(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }
