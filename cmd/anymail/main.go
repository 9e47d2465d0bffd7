// Command anymail is the developer's tool: it demonstrates the library, makes
// secrets, plays ESPs, probes endpoints, shows webhooks as they arrive, explains why
// a captured one is refused, relays mail from a mail server, and writes the skeleton
// of an adapter. Package command is the same for programs with adapters of their own.
package main

import "github.com/goanymail/anymail/cmd/anymail/command"

func main() { command.Main() }
