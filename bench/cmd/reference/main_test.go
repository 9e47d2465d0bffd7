package main

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/bench/internal/load"
)

func TestHandlerCountsEachEvent(t *testing.T) {
	handler, err := newHandler()
	require.NoError(t, err)
	srv := httptest.NewServer(handler)
	defer srv.Close()
	p := &process{address: srv.Listener.Addr().String()}
	want := 0
	for _, k := range kinds {
		texts, err := k.texts(2)
		require.NoError(t, err)
		require.NoError(t, load.Post(p.address, connections, texts), k.name)
		want += 2 * k.events
		count, err := p.count()
		require.NoError(t, err)
		require.Equal(t, want, count, k.name)
	}
	texts, err := kinds[0].texts(1)
	require.NoError(t, err)
	forged := strings.Replace(string(texts[0]), "Authorization: Basic ", "Authorization: Basic x", 1)
	require.ErrorContains(t, load.Post(p.address, 1, [][]byte{[]byte(forged)}), "status 400")
}

// TestScript needs django-anymail. See the script for PYTHON.
func TestScript(t *testing.T) {
	python := os.Getenv("PYTHON")
	if python == "" {
		python = "/usr/bin/python3"
	}
	if exec.Command(python, "-c", "import anymail, gunicorn").Run() != nil {
		t.Skip(python + " has no django-anymail or no gunicorn")
	}
	script := exec.Command("../../reference.sh")
	script.Env = append(os.Environ(), "ROUNDS=1", "REQUESTS=10", "BATCHES=1")
	var log strings.Builder
	script.Stderr = &log
	table, err := script.Output()
	require.NoError(t, err, &log)
	for _, k := range kinds {
		require.Contains(t, string(table), "\n| "+k.name+" | 1 | ", &log)
	}
}
