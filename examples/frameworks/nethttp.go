package frameworks

import (
	"net/http"

	"github.com/goanymail/anymail"
)

// NetHTTP mounts d on the mux of the standard library. The pattern has no method:
// "POST /anymail/" would answer the probes of ESPs with 405.
func NetHTTP(d *anymail.Dispatcher) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(mount+"/", stripped(d))
	return mux
}
