// Command anymail-gateway receives the webhooks of e-mail service providers and
// hands the normalized events on to programs in any language. Package command is the
// same for programs with adapters of their own.
package main

import "github.com/goanymail/anymail/cmd/anymail-gateway/command"

func main() { command.Main() }
