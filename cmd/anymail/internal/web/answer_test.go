package web_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestAnswer(t *testing.T) {
	b := start(t)
	type answer struct {
		Status, Times int
		Delay, ESP    string
	}
	set := func(a map[string]any) int { return b.send(t, "PUT", "/api/answer", a, nil) }
	var got answer
	b.getJSON(t, "/api/answer", &got)
	if diff := cmp.Diff(answer{Delay: "0s"}, got); diff != "" {
		t.Error(diff)
	}

	require.Equal(t, 200, set(map[string]any{"status": 503, "times": 2}))
	require.Equal(t, 503, b.post(t, "postmark", "Delivery", nil))
	require.Equal(t, 503, b.post(t, "mailgun", "delivered", edit(`"token"`, `"taken"`)))
	require.Equal(t, 200, b.post(t, "postmark", "Delivery", nil), "only two times")
	var l list
	b.getJSON(t, "/api/requests", &l)
	type row struct{ Status, Answered int }
	var rows []row
	for _, r := range l.Requests {
		rows = append(rows, row{r.Status, r.Answered})
	}
	if diff := cmp.Diff([]row{{200, 0}, {400, 503}, {200, 503}}, rows); diff != "" {
		t.Errorf("the real outcome is kept: %s", diff)
	}

	require.Equal(t, 200, set(map[string]any{"status": 500, "esp": "mailgun"}))
	require.Equal(t, 200, b.post(t, "postmark", "Delivery", nil))
	require.Equal(t, 500, b.post(t, "mailgun", "opened", nil))
	require.Equal(t, 500, b.post(t, "mailgun", "opened", nil), "until it is changed")

	require.Equal(t, 200, set(map[string]any{"delay": "300ms", "times": 1}))
	begin := time.Now()
	require.Equal(t, 200, b.post(t, "mailgun", "opened", nil))
	require.GreaterOrEqual(t, time.Since(begin), 300*time.Millisecond)

	for _, wrong := range []map[string]any{
		{"status": 42}, {"status": 600}, {"delay": "-1s"}, {"delay": "1h"}, {"delay": 5}, {"delay": "soon"}, {"times": -1}, {"esp": "nobody"}, {"statuses": 1},
	} {
		require.Equal(t, 400, set(wrong), wrong)
	}
	b.getJSON(t, "/api/answer", &got)
	if diff := cmp.Diff(answer{Delay: "0s"}, got); diff != "" {
		t.Errorf("it was used up: %s", diff)
	}
}
