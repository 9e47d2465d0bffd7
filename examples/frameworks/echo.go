package frameworks

import (
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/goanymail/anymail"
)

// Echo mounts d on an echo instance. If middleware.BodyLimit is in use, let it exclude
// these routes or allow as much as [anymail.Limits] does.
func Echo(d *anymail.Dispatcher) http.Handler {
	e := echo.New()
	e.Any(mount+"/*", echo.WrapHandler(stripped(d)))
	return e
}
