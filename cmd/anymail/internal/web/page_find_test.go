package web_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// Requests show up as they arrive, and each word of a search is found wherever it is.
func TestPageSearches(t *testing.T) {
	b := startForBrowser(t)
	p := openPage(t, b, "/")
	p.shows("#empty", "Nothing yet")
	require.Equal(t, 200, b.post(t, "postmark", "Delivery", nil))
	require.Equal(t, 200, b.post(t, "postmark", "HardBounce", nil))
	require.Equal(t, 200, b.post(t, "postmark", "Inbound", withHTML(t)))
	require.Equal(t, 200, b.post(t, "mailgun", "opened", nil))
	p.rows(4)
	require.Equal(t, 400, b.post(t, "mailgun", "delivered", edit(`"token"`, `"taken"`)))
	p.rows(5)
	p.shows("#live", "Refused a request to /anymail/mailgun/tracking/")
	p.shows("#list li", "refused")

	// The state is in the URL: reload, the back button.
	p.write("#search", "postmark bounced")
	p.rows(1)
	p.shows("#list li", "invalid")
	require.Equal(t, "?q=postmark+bounced", p.query())
	p.run(chromedp.Reload())
	p.rows(1)
	p.eventually(`document.querySelector("#search").value === "postmark bounced"`)
	p.run(chromedp.NavigateBack())
	p.rows(5)
	p.eventually(`document.querySelector("#search").value === ""`)

	for _, c := range []struct {
		words string
		rows  int
	}{{"pixel.gif", 1}, {"LOVELACE your", 1}, {"receipt postmark delivered", 1}, {"unheard of", 0}} {
		p.write("#search", c.words)
		p.rows(c.rows)
	}
	p.shows("#no-match", "No request matches")
	p.click("#no-match button")
	p.rows(5)
	require.Equal(t, "", p.query())
}

func TestPageFilters(t *testing.T) {
	b := startForBrowser(t)
	require.Equal(t, 200, b.post(t, "postmark", "Delivery", nil))
	require.Equal(t, 200, b.post(t, "postmark", "HardBounce", nil))
	require.Equal(t, 200, b.post(t, "mailgun", "opened", nil))
	require.Equal(t, 400, b.post(t, "mailgun", "delivered", edit(`"token"`, `"taken"`)))
	require.Equal(t, 404, b.post(t, "postmark", "Delivery", unrouted(b)))
	p := openPage(t, b, "/")
	p.rows(5)
	for _, c := range []struct {
		filter, value string
		rows          int
	}{
		{"esp", "mailgun", 2}, {"account", "postmark", 2}, {"type", "bounced", 1}, {"reason", "invalid", 1},
		{"answer", "accepted", 3}, {"answer", "refused", 2}, {"answer", "unrouted", 1}, {"from", "5m", 5},
	} {
		p.choose("#filter-"+c.filter, c.value)
		p.rows(c.rows)
		require.Equal(t, "?"+c.filter+"="+c.value, p.query())
		p.shows("#active", c.value)
		p.click("#active button") // removes it
		p.rows(5)
	}

	// Two filters, and the back button from one to the other.
	p.choose("#filter-esp", "postmark")
	p.rows(2)
	p.choose("#filter-type", "delivered")
	p.rows(1)
	p.run(chromedp.NavigateBack())
	p.rows(2)
	p.eventually(`document.querySelector("#filter-type").value === "" && document.querySelector("#filter-esp").value === "postmark"`)

	// A status that is not in the list of answers comes with a link.
	p.visit(b.url + "/?answer=404")
	p.rows(1)
	p.eventually(`document.querySelector("#filter-answer").value === "404"`)
}

// A row can be clicked anywhere, and leads to a URL that shows the same again.
func TestPageLinks(t *testing.T) {
	b := startForBrowser(t)
	require.Equal(t, 200, b.post(t, "postmark", "Delivery", nil))
	require.Equal(t, 200, b.post(t, "sendgrid", "delivered", b.batch(t, "delivered", "bounce-bounce-invalid", "open")))
	p := openPage(t, b, "/")
	p.rows(4)

	// A batch opens at the event that was clicked.
	p.click("#list li:nth-child(2) .recipient")
	p.shows("#detail-title", "Request 2")
	p.shows(".batch", "2 of 3")
	p.shows(".panel", "grace@example.net")
	require.Equal(t, "?request=2&event=1", p.query())
	p.click("[aria-label='Next event']")
	p.shows(".panel", "edsger@example.org")
	p.click("#tab-headers")
	p.shows(".panel", "Content-Type")
	require.Equal(t, "?request=2&event=2&tab=headers", p.query())

	var link string
	p.eval("location.href", &link)
	p.visit(link)
	p.shows("#tab-headers[aria-selected=true]", "Headers")
	p.shows(".panel", "Content-Type")
	p.shows("#list li.open", "edsger@example.org")

	// The back button closes the request.
	p.visit(b.url + "/")
	p.click("#list li:nth-child(4) .answer")
	p.shows("#detail-title", "Request 1")
	p.run(chromedp.NavigateBack())
	p.shows("#detail-title", "Select a request")

	// The page says that a request is not kept any more.
	p.visit(b.url + "/?request=99")
	p.shows("#detail-body", "not kept any more")

	// The search and the request are in one link.
	p.visit(b.url + "/?q=grace&request=2&event=1")
	p.rows(1)
	p.shows(".panel", "grace@example.net")
	p.keys(kb.Escape)
	p.shows("#detail-title", "Select a request")
	require.Equal(t, "?q=grace", p.query())
}
