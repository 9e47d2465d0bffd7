package web_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/cmd/anymail/internal/web"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

const (
	waitFor = 10 * time.Second
	tick    = 25 * time.Millisecond
)

// size makes the window as large as a device.
func (p *tab) size(width, height int64) {
	p.t.Helper()
	p.run(chromedp.EmulateViewport(width, height))
}

func (p *tab) scheme(name string) {
	p.t.Helper()
	p.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}))
}

// postEverything posts a little of everything.
func postEverything(t *testing.T, b *bench) {
	t.Helper()
	for _, sample := range [][2]string{
		{"postmark", "Delivery"}, {"postmark", "Open"}, {"mailgun", "delivered"}, {"brevo", "deferred"}, {"sendgrid", "click"},
		{"postmark", "SpamComplaint"}, {"mailgun", "unsubscribed"}, {"mailgun", "levitated"}, {"brevo", "hard_bounce"},
	} {
		require.Equal(t, 200, b.post(t, sample[0], sample[1], nil))
	}
	require.Equal(t, 404, b.post(t, "sendgrid", "delivered", unrouted(b)))
	require.Equal(t, 200, b.post(t, "postmark", "Inbound", nil))
	require.Equal(t, 200, b.post(t, "sendgrid", "delivered", b.batch(t, "delivered", "bounce-bounce-invalid", "open")))
	require.Equal(t, 400, b.post(t, "sendgrid", "delivered", rewritten(t)))
	require.Equal(t, 200, b.post(t, "postmark", "HardBounce", nil))
}

// Nothing is wider than the window, from a small phone to a large screen.
func TestPageFits(t *testing.T) {
	b := startForBrowser(t)
	postEverything(t, b)
	p := openPage(t, b, "/")
	for _, path := range []string{"/", "/?request=13", "/?request=11", "/?request=1&tab=event", "/?request=1&tab=replay", "/?q=bounce&type=bounced&answer=accepted"} {
		p.visit(b.url + path)
		if path != "/" && path[2] == 'r' {
			p.shows("#detail-title", "Request")
			p.eventually(`document.querySelector(".tabbed")`)
		} else {
			p.eventually(`document.querySelector("#list li")`)
		}
		for _, width := range []int64{320, 360, 480, 768, 1024, 1366, 1920, 2560, 3840} {
			p.size(width, 800)
			p.eventually("innerWidth === " + strconv.FormatInt(width, 10))
			var wide string
			p.eval(`(() => {
				if (document.scrollingElement.scrollWidth <= innerWidth) return "";
				return [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.tagName + "." + e.className + "#" + e.id).slice(0, 5).join(" ") || "something";
			})()`, &wide)
			require.Empty(t, wide, "%d pixels, %s", width, path)
		}
	}
}

// On a phone, the list and the request are two screens.
func TestPageOnPhone(t *testing.T) {
	b := startForBrowser(t)
	postEverything(t, b)
	p := openPage(t, b, "/")
	p.size(360, 740)
	p.visit(b.url + "/")
	visible := func(selector string, want bool) {
		t.Helper()
		p.eventually(fmt.Sprintf("document.querySelector(%q).checkVisibility() === %t", selector, want))
	}
	visible("#rows", true)
	visible("#detail", false)
	p.click("#list li:nth-child(3) .recipient")
	visible("#detail", true)
	visible("#rows", false)
	p.click("#back")
	visible("#detail", false)
	visible("#rows", true)
	p.eventually(`document.activeElement.closest("#list li")`)
	p.click("#list li:nth-child(2) .recipient")
	visible("#detail", true)
	p.run(chromedp.NavigateBack())
	visible("#rows", true)

	// The filters are folded.
	visible("#filter-esp", false)
	p.click("#filter-count")
	visible("#filter-esp", true)
	p.choose("#filter-type", "bounced")
	p.shows("#filter-count", "Filters (1)")
}

// Everything can be done by keys.
func TestPageByKeyboard(t *testing.T) {
	b := startForBrowser(t)
	postEverything(t, b)
	p := openPage(t, b, "/")
	p.eventually(`document.querySelector("#list li")`)
	p.keys("j")
	p.shows("#list li.open .recipient", "ada@example.com")
	p.shows("#detail-title", "postmark")
	p.keys("j")
	p.shows("#tab-report[aria-selected=true]", "Report")
	p.keys("k")
	p.shows("#list li.open", "bounced")
	p.keys(kb.ArrowDown)
	p.shows("#list li.open", "refused")

	p.keys(kb.Enter)
	p.eventually(`document.activeElement.id === "detail-title"`)
	p.keys("x")
	p.shows("#selected", "1 selected")
	p.keys("x")
	p.eventually(`document.querySelector("#selected").hidden`)

	// From tab to tab.
	p.run(chromedp.Focus("#tab-report", chromedp.ByQuery))
	p.keys(kb.ArrowRight)
	p.eventually(`document.activeElement.getAttribute("aria-selected") === "true" && document.activeElement.id === "tab-headers"`)
	p.keys(kb.ArrowLeft)

	// Esc returns to the row.
	p.keys(kb.Escape)
	p.shows("#detail-title", "Select a request")
	p.eventually(`document.activeElement.closest("#list li")`)

	p.keys("/")
	p.eventually(`document.activeElement.id === "search"`)
	p.keys("jk?")
	p.eventually(`document.activeElement.value === "jk?"`)
	p.keys(kb.Escape)
	p.eventually(`document.activeElement.value === ""`)
	p.keys(kb.Escape)

	p.keys("?")
	p.eventually(`document.querySelector("#help").open`)
	p.shows("#help", "next and previous event")
	p.keys(kb.Escape)
	p.eventually(`!document.querySelector("#help").open`)

	// Single keys can be turned off.
	p.keys("?")
	p.click("#keys-on")
	p.keys(kb.Escape)
	p.eventually(`!document.querySelector("#help").open`)
	p.keys("t")
	var open bool
	p.eval(`document.querySelector("#trigger").open`, &open)
	require.False(t, open)
}

// A screen reader is told what arrives and what changes.
func TestPageAnnounces(t *testing.T) {
	b := startForBrowser(t)
	p := openPage(t, b, "/")
	var roles []string
	p.eval(`[...document.querySelectorAll("[role=status]")].map((e) => e.id)`, &roles)
	require.Equal(t, []string{"live", "announcer"}, roles)
	require.Equal(t, 200, b.post(t, "postmark", "HardBounce", nil))
	p.shows("#live", "New: postmark bounced")
	p.write("#search", "nothing like it")
	p.shows("#announcer", "No request matches")
	p.write("#search", "bounced")
	p.shows("#announcer", "1 request")
	p.click("#list li .recipient")
	p.shows("#announcer", "Request 1: postmark")
	p.eventually(`document.activeElement.id === "detail-title"`)
}

// What a screen reader needs is there, and axe finds nothing, in every state of the
// page and in both schemes.
func TestPageIsAccessible(t *testing.T) {
	b := startForBrowser(t)
	postEverything(t, b)
	p := openPage(t, b, "/")
	check := func(what string) {
		t.Helper()
		var problems []string
		p.eval(`(() => {
			const problems = [];
			const name = (e) => (e.getAttribute("aria-label") || e.title || e.textContent || "").trim() || [...(e.labels || [])].map((l) => l.textContent.trim()).join("") || (e.getAttribute("aria-labelledby") ? "labelled" : "");
			for (const e of document.querySelectorAll("button, a, input, select, textarea, iframe, summary, dialog, section, [role=group], [role=tablist]")) if (!name(e)) problems.push("no name: " + e.outerHTML.slice(0, 200));
			for (const e of document.querySelectorAll("th")) if (!e.scope) problems.push("no scope: " + e.outerHTML);
			for (const attribute of ["aria-labelledby", "aria-describedby", "aria-controls"])
				for (const e of document.querySelectorAll("[" + attribute + "]")) for (const id of e.getAttribute(attribute).split(" ")) if (!document.getElementById(id)) problems.push(attribute + " is missing: " + id);
			const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
			for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) problems.push("twice: " + id);
			if (!document.documentElement.lang) problems.push("no language");
			if (document.querySelectorAll("h1").length !== 1) problems.push("not one h1");
			for (const e of document.querySelectorAll("pre")) if (e.tabIndex < 0) problems.push("cannot be scrolled by keyboard");
			return problems;
		})()`, &problems)
		require.Empty(t, problems, what)
	}
	axe := os.Getenv("ANYMAIL_TEST_AXE")
	var script []byte
	if axe == "" {
		t.Log("ANYMAIL_TEST_AXE is not set: axe does not run")
	} else {
		var err error
		script, err = os.ReadFile(axe)
		require.NoError(t, err)
	}
	look := func(what string) {
		t.Helper()
		check(what)
		if script == nil {
			return
		}
		var found []string
		p.run(chromedp.Evaluate(string(script)+"; true", nil),
			chromedp.Evaluate(`axe.run(document, {iframes: false}).then((r) => r.violations.map((v) => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + " " + (n.any[0]?.message ?? "")).join(" | ")))`, &found, awaitPromise))
		require.Empty(t, found, what)
	}
	// Contrast depends on the scheme alone and the layout on the width, so two of the
	// four combinations see everything.
	for scheme, width := range map[string]int64{"light": 1280, "dark": 360} {
		p.scheme(scheme)
		p.size(width, 800)
		for _, path := range []string{"/", "/?request=13", "/?request=10", "/?request=11", "/?request=11&part=attachments", "/?request=12&event=1", "/?request=1&tab=own", "/?request=1&tab=headers", "/?request=1&tab=replay", "/?q=nothing+like+it"} {
			p.visit(b.url + path)
			if path != "/" && path[2] == 'r' {
				p.eventually(`document.querySelector(".tabbed")`)
			}
			p.eventually(`document.querySelector("#bars button")`)
			look(fmt.Sprintf("%s, %d pixels, %s", scheme, width, path))
		}
		p.visit(b.url + "/")
		for _, dialog := range []string{"trigger", "forward", "answer", "many", "range", "clear", "help", "copy"} {
			p.eval(`document.getElementById("`+dialog+`").showModal()`, nil)
			look(fmt.Sprintf("%s, %d pixels, dialog %s", scheme, width, dialog))
			p.eval(`document.getElementById("`+dialog+`").close()`, nil)
		}
	}
}

// With 10,000 events, the list has few elements, and a key in the search is soon
// answered. How soon is logged, since it depends on the machine.
func TestPageIsFast(t *testing.T) {
	if testing.Short() {
		t.Skip("it posts 10,000 requests")
	}
	b := startForBrowser(t, func(o *web.Options) { o.Keep = 10000 })
	sim := allsim.Find("postmark")
	names := []string{"Delivery", "HardBounce", "Open", "Click", "SpamComplaint"}
	for i := range 10000 {
		sample, ok := sim.Sample(names[i%len(names)])
		require.True(t, ok)
		params := simulator.NewParams()
		params.Recipient = fmt.Sprintf("user%d@example.com", i)
		r := sample.Make(params)
		r.URL, _ = simulator.EndpointURL(b.url+web.Mount, "postmark", r.Endpoint)
		req, err := r.HTTP()
		require.NoError(t, err)
		recorder := httptest.NewRecorder()
		b.ServeHTTP(recorder, req)
		require.Equal(t, 200, recorder.Code)
	}
	p := openPage(t, b, "/")
	p.shows("#count", "of 10,000")
	var elements int
	p.eval(`document.querySelectorAll("#list li").length`, &elements)
	require.Less(t, elements, 100)

	// measure types a key. It returns the milliseconds until the list shows the result,
	// those until the server has answered, and those that the page was busy at once.
	measure := func(text string) (shown, answered, busy float64) {
		t.Helper()
		time.Sleep(1200 * time.Millisecond) // until the chart, which follows the search, is drawn
		var times []float64
		p.run(chromedp.Evaluate(`new Promise((done) => {
			const search = document.querySelector("#search");
			search.focus();
			search.value = `+quoted(text)+`;
			performance.clearResourceTimings();
			const begin = performance.now();
			let shown = 0;
			const observer = new MutationObserver(() => { shown = performance.now() - begin; });
			for (const id of ["list", "count"]) observer.observe(document.getElementById(id), { childList: true, characterData: true, subtree: true });
			search.dispatchEvent(new Event("input", { bubbles: true }));
			const busy = performance.now() - begin;
			setTimeout(() => {
				observer.disconnect();
				const request = performance.getEntriesByType("resource").find((e) => e.name.includes("/api/requests?"));
				done([shown, request.responseEnd - begin, busy]);
			}, 400);
		})`, &times, awaitPromise))
		return times[0], times[1], times[2]
	}
	measure("u") // the first time, the browser compiles
	var all []float64
	for _, text := range []string{"us", "user9999", "bounced user77", "nothing like it", ""} {
		shown, answered, busy := measure(text)
		t.Logf("search %q in 10,000 events: shown after %.0f ms; the server had answered after %.0f ms, the key took %.0f ms", text, shown, answered, busy)
		all = append(all, shown)
	}
	slices.Sort(all)
	t.Logf("median: %.0f ms", all[len(all)/2])

	// The list loads further pages as it is scrolled.
	p.visit(b.url + "/")
	p.eventually(`(document.querySelector("#rows").scrollTop = 1e9, Number(document.querySelector("#count").textContent.match(/latest ([\d,]+)/)?.[1].replace(",", "")) >= 400)`)
	p.eval(`document.querySelectorAll("#list li").length`, &elements)
	require.Less(t, elements, 100)

	// What arrives does not move what is read.
	var before, after string
	p.eval(`document.querySelector("#rows").scrollTop = 4000; true`, nil)
	middle := `document.elementFromPoint(200, document.querySelector("#rows").getBoundingClientRect().top + 60).closest("li").dataset.key`
	time.Sleep(100 * time.Millisecond)
	p.eval(middle, &before)
	require.Equal(t, 200, b.post(t, "postmark", "Delivery", nil))
	p.shows("#live", "New: postmark delivered")
	time.Sleep(600 * time.Millisecond)
	p.eval(middle, &after)
	require.Equal(t, before, after)
}

// TestPageScreenshots writes pictures for the documentation.
func TestPageScreenshots(t *testing.T) {
	dir := os.Getenv("ANYMAIL_TEST_SCREENSHOTS")
	if dir == "" {
		t.Skip("ANYMAIL_TEST_SCREENSHOTS is not set")
	}
	b := startForBrowser(t)
	postEverything(t, b)
	p := openPage(t, b, "/")
	for _, window := range []struct{ width, height int64 }{{360, 740}, {1024, 720}, {1920, 1000}} {
		p.size(window.width, window.height)
		for _, scheme := range []string{"light", "dark"} {
			p.scheme(scheme)
			for _, view := range []struct{ name, path string }{{"list", "/"}, {"report", "/?request=13"}, {"event", "/?request=14"}, {"mail", "/?request=11"}, {"replay", "/?request=1&tab=replay"}} {
				p.visit(b.url + view.path)
				p.eventually(`document.querySelector("#list li")`)
				if view.path != "/" {
					p.eventually(`document.querySelector(".tabbed")`)
				}
				time.Sleep(700 * time.Millisecond) // for the chart and the mail
				var picture []byte
				p.run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
					picture, err = page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatPng).Do(ctx)
					return err
				}))
				name := fmt.Sprintf("%s-%d-%s.png", view.name, window.width, scheme)
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), picture, 0o600))
			}
		}
	}
}
