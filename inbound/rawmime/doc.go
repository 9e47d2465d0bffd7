// Package rawmime parses whole messages (RFC 5322, MIME) into
// [anymail.InboundMessage] values. Package inbound has what adapters need whose
// ESP parses the message itself.
//
// # Limits
//
// The time and the memory that a message takes are in proportion to its size,
// and the numbers of its parts, header fields, addresses and message ids are
// bounded. [Parse] says how the limits of [anymail.Limits] apply.
//
// # Not handled
//
// Attached messages and uuencoded text are not unpacked, format=flowed is not
// unwrapped, HTML is not sanitized, and no signature is verified.
//
// # Other parsers
//
// The standard library, github.com/emersion/go-message and
// github.com/jhillyerd/enmime refuse many malformed messages that mail programs
// produce, or lose a part of them, and have no limits on the number and depth of
// parts. To compare them with this package on 18 mails, run in bench/mailparsers:
//
//	GOWORK=off go run .
package rawmime
