// Package mailtoken makes and checks tokens that a sender puts into its messages, so
// that a bounce, a complaint, a reply or an unsubscription proves which message it is
// about, and for whom that message was.
//
// A token is a part of
//
//   - the envelope sender, to which bounces come ([Tokens.ReturnPath]),
//   - the Message-ID, which reports and replies repeat ([Tokens.MessageID]),
//   - the address and the URL of List-Unsubscribe ([Tokens.ListUnsubscribe]).
//
// Every sending library can set these: a token needs nothing but the key.
// Package inbound/report checks tokens of mail that comes back, and package
// oneclick those of unsubscriptions by HTTP.
//
// # Form
//
// A token is text of the letters a to z and the digits 2 to 7 (RFC 4648, base32). Mail
// servers change the case of addresses, and programs treat "+", "=", "-" and "." in
// them in their own ways; neither harms a token. Decoded, it has
//
//	1 byte    version 1 (2 bits), how the recipient is given (2), how the id is given (2), 0 (2)
//	2 bytes   the day on which it expires, counted from 1 January 2020; 0 for never
//	4 bytes   digest of the recipient, or
//	1 byte    length of the id, if the whole recipient follows it
//	          the id; a UUID and an even number of hexadecimal digits take half their length
//	          the recipient, if it is given whole
//	12 bytes  HMAC-SHA-256 of all the above and of the token's use, cut to 96 bits
//
// The use is no part of the token. It is what the checker expects, so that a token from
// a Message-ID, which many can read, is worth nothing in an unsubscribe URL.
//
// # Security
//
// A token proves that its bearer saw the message. It is not secret: the recipient sees
// it, and anyone to whom the message is forwarded. That is why it is bound to a
// recipient: with it, nothing can be said about another address
// ([Claims.IsFor]). A token is signed and not encrypted: its id can be read, and so can
// the recipient in the token of an unsubscribe URL.
package mailtoken
