package web_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/simulator"
)

// A newcomer finds out why a webhook is refused, repairs it, and sees it accepted.
func TestPageExplains(t *testing.T) {
	b := startForBrowser(t)
	require.Equal(t, 400, b.post(t, "sendgrid", "delivered", rewritten(t)))
	require.Equal(t, 404, b.post(t, "sendgrid", "delivered", unrouted(b)))
	p := openPage(t, b, "/")
	p.rows(2)
	p.shows("#list li:nth-child(2) .reason", "signature")
	p.click("#list li:nth-child(2) .reason")
	p.shows("#tab-report[aria-selected=true]", "Report")
	p.shows(".lead", "Refused")
	p.shows(".hints", "It is authentic")
	p.shows(".checks", "signature")
	p.click("#repair")
	p.shows(".hints output", "Answered 200")
	p.rows(3)
	p.shows("#list li:nth-child(1)", "delivered")
	p.shows("#list li:nth-child(1)", "replayed")

	// The right URL of a wrong one.
	p.click("#list li:nth-child(2) .reason")
	p.shows(".lead", "No adapter has the path /anymail/sendgird/tracking/")
	p.shows("#right-url", b.url+"/anymail/sendgrid/tracking")
	p.clickText("Copy")
	p.shows("#toast", "Copied")
	require.Contains(t, p.clipboard(), "/anymail/sendgrid/tracking")
}

// SendGrid posts to an application whose middleware parses the body and writes it
// again. The page says so; with the middleware repaired, the same request is accepted.
func TestPageLeadsToTheCause(t *testing.T) {
	b := startForBrowser(t)
	var repaired atomic.Bool
	middleware := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !repaired.Load() {
			var parsed any
			_ = json.Unmarshal(body, &parsed)
			body, _ = json.Marshal(parsed)
		}
		on, _ := http.NewRequestWithContext(r.Context(), r.Method, b.url+r.URL.Path, bytes.NewReader(body))
		on.Header = r.Header.Clone()
		resp, err := http.DefaultClient.Do(on)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_ = resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
	}))
	t.Cleanup(middleware.Close)
	through := func(r *simulator.Request) { r.URL = strings.Replace(r.URL, b.url, middleware.URL, 1) }
	p := openPage(t, b, "/")

	require.Equal(t, 400, b.post(t, "sendgrid", "delivered", through))
	p.rows(1)
	p.shows("#list li .reason", "signature mismatch")
	p.click("#list li .reason")
	p.shows(".lead", "Refused: signature mismatch")
	p.shows(".hints", "something has parsed the body and written it anew")
	p.shows(".hints", "make it pass on the bytes as they arrived")
	p.clickText("Compare the bodies")
	p.shows(".hints .pair", "As the ESP signed it")
	p.click("#repair")
	p.shows(".hints output", "Answered 200")
	p.rows(2)

	repaired.Store(true)
	require.Equal(t, 200, b.post(t, "sendgrid", "delivered", through))
	p.rows(3)
	p.shows("#list li:first-child .type", "delivered")
	p.shows("#list li:first-child .answer", "200")
}

// A received message is shown in every form, and can do nothing.
func TestPageShowsMail(t *testing.T) {
	b := startForBrowser(t)
	require.Equal(t, 200, b.post(t, "postmark", "Inbound", withHTML(t)))
	require.Equal(t, 200, b.post(t, "mailgun", "route-forward-mime", nil))
	p := openPage(t, b, "/?request=1")
	p.shows("#tab-mail[aria-selected=true]", "Mail")
	p.shows(".panel dl", "Your order")
	p.eventually(`document.querySelector("iframe")`)
	time.Sleep(300 * time.Millisecond) // for a script to run, if one could
	var title, sandbox, reach string
	p.run(chromedp.Title(&title), chromedp.AttributeValue("iframe", "sandbox", &sandbox, nil, chromedp.ByQuery),
		chromedp.Evaluate(`(() => { try { return document.querySelector("iframe").contentDocument ? "within reach" : "out of reach" } catch { return "out of reach" } })()`, &reach))
	require.Equal(t, "anymail listen", title)
	require.Empty(t, sandbox, "nothing is allowed")
	require.Equal(t, "out of reach", reach)
	p.rows(2) // its script deleted nothing

	p.click("#part-text")
	p.shows("#part-panel", "Where is it?")
	p.click("#part-source")
	p.shows("#part-panel", "This ESP does not send the whole message")
	p.click("#part-attachments")
	p.shows("#part-panel", "notes.txt")
	require.Equal(t, "?request=1&part=attachments", p.query())

	p.visit(b.url + "/?request=2&part=source")
	p.shows("#part-panel pre", "MIME-Version")
}

// JSON is shown as it was sent, folds, and can be copied in every form.
func TestPageShowsJSON(t *testing.T) {
	b := startForBrowser(t)
	require.Equal(t, 200, b.post(t, "postmark", "Delivery", func(r *simulator.Request) {
		var body map[string]any
		require.NoError(t, json.Unmarshal(r.Body, &body))
		body["Metadata"] = map[string]any{"10": "<b>ten</b>", "9": "nine", "large": json.Number("12345678901234567890")}
		r.Body, _ = json.Marshal(body)
	}))
	p := openPage(t, b, "/")
	p.rows(1)
	p.click("#list li .type")
	p.shows("#tab-event[aria-selected=true]", "Event")
	p.shows(".panel .json", `"event_type": "delivered"`)
	p.shows(".panel .json", "<b>ten</b>")

	p.click("#tab-own")
	p.shows(".panel .json", "12345678901234567890")
	var folded bool
	p.clickText("Fold all")
	p.eval(`[...document.querySelectorAll(".panel .json details details")].every((d) => !d.open)`, &folded)
	require.True(t, folded)
	p.clickText("Unfold all")
	p.eval(`[...document.querySelectorAll(".panel .json details")].every((d) => d.open)`, &folded)
	require.True(t, folded)
	p.clickText("As text")
	p.shows(".panel pre:not([hidden])", `"RecordType"`)
	var coloured int
	p.eval(`new Set([".name", ".string", ".number"].map((c) => getComputedStyle(document.querySelector(".json " + c)).color)).size`, &coloured)
	require.Equal(t, 3, coloured)

	for button, want := range map[string]string{"Copy JSON": `"event_type": "delivered"`, "Copy curl": "curl ", "Copy Go test": "func Test", "Copy link": "/?request=1"} {
		p.clickText(button)
		p.shows("#toast", "Copied")
		p.eventually(`navigator.clipboard.readText().then((s) => { window.copied = s }), (window.copied ?? "").includes(` + quoted(want) + `)`)
	}
	var event struct {
		Type string `json:"event_type"`
	}
	p.clickText("Copy JSON")
	p.shows("#toast", "Copied the event as JSON")
	p.eventually(`navigator.clipboard.readText().then((s) => { window.copied = s }), (window.copied ?? "").startsWith("{")`)
	require.NoError(t, json.Unmarshal([]byte(p.clipboard()), &event))
	require.Equal(t, "delivered", event.Type)

	p.click("#tab-headers")
	p.shows(".panel", "Content-Type")
	p.click("#tab-body")
	p.shows(".panel .json", `"RecordType"`)
}
