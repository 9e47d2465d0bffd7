package frameworks

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/goanymail/anymail"
)

// Gorilla mounts d on a gorilla/mux router.
func Gorilla(d *anymail.Dispatcher) http.Handler {
	r := mux.NewRouter()
	r.PathPrefix(mount + "/").Handler(stripped(d))
	return r
}
