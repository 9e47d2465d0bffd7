package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// application is the user's own program, which receives what is sent to it.
type application struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
}

func startApplication(t *testing.T) *application {
	a := &application{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		a.bodies = append(a.bodies, string(body))
		a.mu.Unlock()
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "short and stout")
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *application) received() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.bodies...)
}

func TestPageTriggers(t *testing.T) {
	b := startForBrowser(t)
	p := openPage(t, b, "/")
	p.click(".actions [data-opens=trigger]")
	p.choose("#trigger-esp", "sendgrid")
	p.choose("#trigger-sample", "bounce-bounce-invalid")
	p.write("#trigger-recipient", "grace@example.com")
	p.write("#trigger-tag", "welcome")
	p.write("#trigger-metadata", "order=42")
	p.click("#trigger [type=submit]")
	p.shows("#trigger output", "Answered 200")
	p.click("#trigger output a")
	p.shows("#detail-title", "Request 1")
	p.shows(".panel", "grace@example.com")
	p.shows(".panel", "welcome")
	p.shows(".panel", `"42"`)
	p.rows(1)
	p.shows("#list li", "triggered")

	// A message of one's own.
	p.click(".actions [data-opens=trigger]")
	p.choose("#trigger-esp", "mailgun")
	p.choose("#trigger-sample", "route-forward-mime")
	p.eval(`document.querySelector("#trigger-eml").value = "From: a@example.org\nTo: b@example.com\nSubject: By hand\n\nHello\n"`, nil)
	p.click("#trigger [type=submit]")
	p.shows("#trigger output", "Answered 200")
	p.rows(2)
	p.shows("#list li", "By hand")
}

func TestPageReplays(t *testing.T) {
	b, app := startForBrowser(t), startApplication(t)
	require.Equal(t, 200, b.post(t, "sendgrid", "delivered", nil))
	require.Equal(t, 200, b.post(t, "postmark", "HardBounce", nil))
	p := openPage(t, b, "/?request=1&tab=replay")
	p.rows(2)

	// To an application, as it was.
	p.write("#replay-url", app.URL)
	p.clickText("Send")
	p.shows(".replay output", "Answered 418")
	p.shows(".replay output", "short and stout")
	require.Contains(t, app.received()[0], "ada@example.com")

	// Edited, without a new signature and with one.
	p.write("#replay-url", "")
	p.eval(`document.querySelector("#replay-url").value = ""`, nil)
	p.clickText("Edit the request")
	p.eval(`{ const f = document.querySelector("#replay-body"); f.value = f.value.replace("ada@", "grace@"); f.dispatchEvent(new Event("input")); true }`, nil)
	p.eventually(`document.querySelector("#replay-sign").checked`)
	p.click("#replay-sign")
	p.shows(".edit", "The signature is of the request before the edit")
	p.clickText("Send")
	p.shows(".replay output", "Answered 400")
	p.click("#replay-sign")
	p.clickText("Send")
	p.shows(".replay output", "Answered 200")
	p.rows(4)
	p.shows("#list li", "grace@example.com")

	// Many.
	p.click("#pick-all")
	p.shows("#selected", "4 selected")
	p.click("#list li:nth-child(2) .pick")
	p.shows("#selected", "3 selected")
	p.click("#replay-many")
	p.shows("#many-title", "Send 3 requests again")
	p.write("#many-url", app.URL)
	p.click("#many [type=submit]")
	p.shows("#many-outcome", "0 accepted, 3 refused")
	require.Len(t, app.received(), 4)
	p.click("#many .close")
	p.click("#unselect")
	p.eventually(`document.querySelector("#selected").hidden`)
}

func TestPageForwards(t *testing.T) {
	b, app := startForBrowser(t), startApplication(t)
	p := openPage(t, b, "/")
	p.click("[data-opens=forward]")
	p.write("#forward-url", app.URL)
	p.click("#forward [type=submit]")
	p.shows("#forwarding", "Forwarding to "+app.URL)
	require.Equal(t, 200, b.post(t, "postmark", "Delivery", nil))
	p.rows(1)
	require.Eventually(t, func() bool { return len(app.received()) == 1 }, waitFor, tick)
	p.visit(b.url + "/?request=1&tab=replay")
	p.shows(".results", "Answered 418")
	p.shows("#forwarding", "Forwarding to "+app.URL)
	p.click("#forward-stop")
	p.eventually(`document.querySelector("#forwarding").hidden`)
	require.Equal(t, 200, b.post(t, "postmark", "Delivery", nil))
	p.rows(2)
	require.Len(t, app.received(), 1)
}

func TestPageAnswers(t *testing.T) {
	b := startForBrowser(t)
	p := openPage(t, b, "/")
	p.click("[data-opens=answer]")
	p.write("#answer-status", "503")
	p.write("#answer-times", "1")
	p.write("#answer-delay", "10ms")
	p.click("#answer [type=submit]")
	p.shows("#answering", "Answering 503 to the next 1 request")
	require.Equal(t, 503, b.post(t, "postmark", "Delivery", nil))
	p.rows(1)
	p.shows("#list li .answer", "200")
	p.click("#list li .answer")
	p.shows(".facts", "503 was sent instead")
	p.eventually(`document.querySelector("#answering").hidden`)
	require.Equal(t, 200, b.post(t, "postmark", "Delivery", nil))
}

func TestPageKeeps(t *testing.T) {
	b := startForBrowser(t)
	require.Equal(t, 200, b.post(t, "postmark", "Delivery", nil))
	require.Equal(t, 200, b.post(t, "postmark", "HardBounce", nil))
	p := openPage(t, b, "/?request=2")
	p.rows(2)
	dir := t.TempDir()
	file := filepath.Join(dir, "requests.ndjson")
	p.run(browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(dir))
	p.clickText("More")
	p.clickText("Export")
	require.Eventually(t, func() bool {
		exported, _ := os.ReadFile(file)
		return strings.Count(string(exported), "\n") == 2
	}, waitFor, tick)

	p.clickText("Delete all…")
	p.shows("#clear", "They cannot be restored")
	p.click("#clear-all")
	p.rows(0)
	p.shows("#detail-title", "Select a request")
	p.shows("#empty", "Nothing yet")

	p.run(chromedp.SetUploadFiles("#import-file", []string{file}, chromedp.ByQuery))
	p.rows(2)
	p.shows("#toast", "Imported 2 requests")
	p.shows("#list li", "imported")
}
