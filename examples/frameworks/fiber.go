package frameworks

import (
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"

	"github.com/goanymail/anymail"
)

// Fiber mounts d on a fiber app, through fiber's adaptor. Fiber reads the whole body
// before it calls a handler, so some limits are fiber's to keep:
//
//   - BodyLimit is 4 MiB by default, which is too little for received mail. Some ESPs
//     post more than the 16 MiB below. It is memory that any client can take up, times
//     Concurrency.
//   - ReadTimeout has no default. BodyTime and BodyRate of [anymail.Limits] have
//     no effect.
//   - Of a repeated header the adaptor passes on the last value only.
//
// The memory of a request is reused after its response. Events do not share it, but a
// Rejected hook that keeps a payload must copy its header.
func Fiber(d *anymail.Dispatcher) *fiber.App {
	app := fiber.New(fiber.Config{
		BodyLimit:   anymail.DefaultMaxBody,
		Concurrency: anymail.DefaultMaxInFlight,
		ReadTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute,
	})
	app.Use(mount, adaptor.HTTPHandler(stripped(d)))
	return app
}
