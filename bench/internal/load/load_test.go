package load_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/bench/internal/load"
	"github.com/goanymail/anymail/esp/sendgrid/sendgridsim"
	"github.com/goanymail/anymail/simulator"
)

func TestPost(t *testing.T) {
	sim := sendgridsim.New()
	request, err := load.Make(sim, 3, []string{"open", "click"})
	require.NoError(t, err)
	request, err = simulator.Webhook{Simulator: sim, URL: "http://hooks.example.com/anymail", Secret: "user:password"}.Sign(request)
	require.NoError(t, err)
	text, err := load.Text(request)
	require.NoError(t, err)

	for name, closes := range map[string]bool{"kept alive": false, "closed": true} {
		t.Run(name, func(t *testing.T) {
			var posted atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				assert.Equal(t, request.Body, body)
				assert.Equal(t, request.Header.Get("Content-Type"), r.Header.Get("Content-Type"))
				user, password, _ := r.BasicAuth()
				assert.Equal(t, "user:password", user+":"+password)
				assert.Equal(t, "/anymail/sendgrid/tracking/", r.URL.Path)
				if closes {
					w.Header().Set("Connection", "close")
				}
				if posted.Add(1) > 10 {
					w.WriteHeader(http.StatusInternalServerError)
				}
			}))
			defer server.Close()
			texts := make([][]byte, 10)
			for i := range texts {
				texts[i] = text
			}
			address := server.Listener.Addr().String()
			require.NoError(t, load.Post(address, 3, texts))
			require.EqualValues(t, 10, posted.Load())
			require.ErrorContains(t, load.Post(address, 3, texts), "status 500")
		})
	}
}

func TestMakeUnknownSample(t *testing.T) {
	_, err := load.Make(sendgridsim.New(), 1, []string{"nothing"})
	require.ErrorContains(t, err, "sendgrid has no sample nothing")
}
