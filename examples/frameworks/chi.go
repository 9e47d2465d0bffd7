package frameworks

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/goanymail/anymail"
)

// Chi mounts d on a chi router, which removes the prefix itself. Do not use chi's
// middleware.RealIP in front of it: it believes any client. [anymail.WithTrustedProxies]
// does not.
func Chi(d *anymail.Dispatcher) http.Handler {
	r := chi.NewRouter()
	r.Mount(mount, d)
	return r
}
