package web_test

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// The chart follows the filters, and filters by its bars and counts.
func TestPageChart(t *testing.T) {
	b := startForBrowser(t)
	require.Equal(t, 200, b.post(t, "postmark", "Delivery", nil))
	require.Equal(t, 200, b.post(t, "postmark", "HardBounce", nil))
	time.Sleep(3 * time.Second) // so that they are in another bar than the following
	require.Equal(t, 200, b.post(t, "mailgun", "opened", nil))
	require.Equal(t, 400, b.post(t, "mailgun", "delivered", edit(`"token"`, `"taken"`)))
	p := openPage(t, b, "/")
	p.rows(4)
	p.shows("#chart-text", "3 accepted, 1 refused")

	// Counts by type and ESP.
	p.shows("#types", "bounced")
	p.click("#types [data-value=bounced]")
	p.rows(1)
	p.shows("#chart-text", "1 accepted, 0 refused")
	p.eventually(`document.querySelector("#types [data-value=bounced]").ariaPressed === "true"`)
	p.click("#types [data-value=bounced]")
	p.rows(4)
	p.click("#esps [data-value=mailgun]")
	p.rows(2)
	p.click("#esps [data-value=mailgun]")
	p.rows(4)

	// The time, by a list of ranges and by one's own.
	p.choose("#filter-from", "5m")
	p.rows(4)
	require.Equal(t, "?from=5m", p.query())
	p.choose("#filter-from", "choose")
	p.eventually(`document.querySelector("#range").open`)
	p.eval(`document.querySelector("#range-from").value = "2020-01-01T00:00:00"; document.querySelector("#range-to").value = "2020-01-02T00:00:00"; true`, nil)
	p.click("#range [type=submit]")
	p.rows(0)
	p.shows("#active", "2020")
	p.click("#no-match button")
	p.rows(4)

	// A bar, by mouse and by keyboard.
	p.choose("#filter-from", "5m")
	p.eventually(`document.querySelectorAll("#bars button:not(:disabled)").length > 0`)
	p.visit(b.url + "/")
	p.rows(4)
	p.eventually(`document.querySelectorAll("#bars button:not(:disabled)").length > 1`)
	p.click("#bars button:not(:disabled)")
	p.eventually(`location.search.includes("from=") && location.search.includes("to=")`)
	p.eventually(`document.querySelectorAll("#list li").length < 4`)
	p.shows("#list li", "postmark")
	p.run(chromedp.NavigateBack())
	p.rows(4)
	p.eventually(`document.querySelectorAll("#bars button:not(:disabled)").length > 1`)
	p.eval(`document.querySelector("#bars button[tabindex='0']").focus()`, nil)
	p.keys(kb.ArrowLeft)
	p.keys(kb.Enter)
	p.eventually(`location.search.includes("from=")`)
}
