package frameworks

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/goanymail/anymail"
)

// Gin mounts d on a gin engine. Middleware that reads the body, such as a logger of
// bodies, must not run in front of it.
func Gin(d *anymail.Dispatcher) http.Handler {
	r := gin.New()
	r.Any(mount+"/*path", gin.WrapH(stripped(d)))
	return r
}
