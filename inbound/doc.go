// Package inbound has what adapters need to make an [anymail.InboundMessage] of
// the fields that an ESP has parsed: addresses, dates, header fields, attachments
// and authentication results. Package inbound/rawmime parses whole messages.
//
// Received mail is untrusted input. No function here fails or panics: malformed
// input is read as far as possible. Every function takes time and memory in
// proportion to its input. Texts are valid UTF-8, file names are safe, and
// counts are bounded.
//
// # Charsets
//
// All charsets of the WHATWG encoding standard and of
// golang.org/x/text/encoding/ianaindex are supported, in encoded words and file
// names too. [DecodeText] says what happens to text that is not in its declared
// charset. Charsets are not guessed by statistics: undeclared 8-bit text that is
// not UTF-8 is decoded as Windows-1252, even if it is Russian. UTF-7 and
// ISO-2022-KR are not decoded.
package inbound
