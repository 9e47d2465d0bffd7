// Command anymail is the developer's tool with Pigeon among its ESPs:
//
//	go run ./anymail trigger pigeon landed --to http://127.0.0.1:8080/anymail --key key-1
//
// The gateway is the same in one line: command.Main(pigeon.Spec()) of its package
// command.
package main

import (
	"example.com/newesp/pigeon"
	"example.com/newesp/pigeon/pigeonsim"

	"github.com/goanymail/anymail/cmd/anymail/command"
)

func main() {
	command.Main(command.ESP{Spec: pigeon.Spec(), Simulator: pigeonsim.New})
}
