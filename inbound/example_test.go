package inbound_test

import (
	"fmt"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
)

func ExampleSetHeaders() {
	var m anymail.InboundMessage
	inbound.SetHeaders(&m, inbound.ParseHeaders([]byte("From: Ann Lee <ann@example.org>\nMessage-ID: <1@example.org>\n")))
	fmt.Println(m.From[0].Name, m.MessageID)
	// Output: Ann Lee 1@example.org
}

func ExampleAddresses() {
	for _, a := range inbound.Addresses(`"Lee, Ann" <ann@example.org>, Friends: =?utf-8?Q?J=C3=BCrgen?= <j@example.org>;`) {
		fmt.Printf("%s at %s\n", a.Name, a.Address)
	}
	// Output:
	// Lee, Ann at ann@example.org
	// Jürgen at j@example.org
}
