package esp

import (
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// AboveReceived returns the headers above the first Received. The server that received
// the message put them there; the sender may write the same headers below.
func AboveReceived(headers anymail.Headers) anymail.Headers {
	for i, h := range headers {
		if strings.EqualFold(h.Name, "Received") {
			return headers[:i]
		}
	}
	return headers
}

// EnvelopeSender returns the address in the Return-Path above the first Received of a
// message's source. If the source has no Return-Path at all, or is missing, it returns
// the one that an API says. If only the sender wrote one, that is all that the API can
// say too, so there is none.
func EnvelopeSender(source *anymail.InboundMessage, said anymail.Headers) string {
	if source.RawMIME == nil || len(source.Headers.Values("Return-Path")) == 0 {
		return wire.TrimID(said.Get("Return-Path"))
	}
	return wire.TrimID(AboveReceived(source.Headers).Get("Return-Path"))
}
