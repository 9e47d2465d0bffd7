// Package inbound makes an [anymail.InboundMessage] of raw MIME ([FromMIME]), or
// of the fields that an ESP has parsed ([SetHeaders], [Addresses],
// [NewAttachment] and the others).
//
// Received mail is written by anybody. Nothing here fails or panics: what is
// malformed is read as far as it can be, and all that is in RawMIME. All of it
// takes time and memory in proportion to its input, texts are valid UTF-8,
// names of files are safe, and counts are bounded.
//
// # Charsets
//
// Those of the WHATWG encoding standard and of golang.org/x/text/encoding/ianaindex
// are known; [DecodeText] says what becomes of text that is not in the charset
// that it declares. Charsets are not guessed by statistics: 8-bit text without a
// declared charset that is not UTF-8 is taken as Windows-1252, be it Russian.
// UTF-7 and ISO-2022-KR are not decoded.
//
// # What it leaves alone
//
// Attached messages, TNEF (winmail.dat) and uuencoded texts are not unpacked,
// format=flowed is not unwrapped, html is not sanitized, and nothing is
// verified.
//
// # Why no library
//
// Before this was written, libraries were tried on 92 mails: 76 that are
// malformed in ways that mail programs do produce, or in unusual charsets, and
// 16 made to hurt. The mails and what counts as right were chosen by ourselves,
// and the parser here was made with them in mind, so that its own result proves
// little; the failures of the others can be looked at one by one.
//
//	                                  right  wrong  error  over 8 s  too much memory
//	enmime v2.3.0                        51     33      2         5         1
//	enmime v2.3.0, lenient options       51     34      0         5         2
//	go-message v0.18.2 with charset      49     36      6         0         1
//	net/mail, mime/multipart, x/net      54     36      2         0         0
//	first version of this package        91      1      0         0         0
//
// The last 3 before this package's walk parts recursively under limits that we
// had to write around them; enmime has no place for such. It did not return from
// multiparts nested 1000 deep, 100,000 parts or a Content-Type of 900 KB within
// 8 seconds, and its header is a map, which loses the order. go-message keeps
// the order, but returns an error for a stray header line, and an empty header
// where empty lines come first. With the standard library, and mostly with the
// others too, file names of RFC 2231 in charsets other than UTF-8 are empty,
// base64 ends at the first foreign character, one bad address loses the list,
// and texts with the wrong boundary are empty. What was wrong here is KOI8-R
// without any declaration.
//
// The comparison is not part of this repository. How much memory and time this
// package takes is: go test -bench . ./inbound
package inbound
