// Package frameworks shows how to mount a Dispatcher in web frameworks and on AWS
// Lambda: a file for each. All functions mount it below /anymail, so an ESP is given
// https://user:password@host/anymail/postmark/tracking/.
//
// Two things are the same everywhere. The route is for all methods, since ESPs probe a
// URL with HEAD or GET before they accept it. And http.StripPrefix removes the part of
// the path that belongs to the route; the URL that some ESPs sign stays complete.
package frameworks

import (
	"net/http"

	"github.com/goanymail/anymail"
)

const mount = "/anymail"

func stripped(d *anymail.Dispatcher) http.Handler { return http.StripPrefix(mount, d) }
