// Package wire has the parts of an adapter's [anymail.EventParser]: it splits a
// JSON payload into the ESP's own events, decodes each into the adapter's typed
// struct, and reads the loose types that ESPs send.
//
// Decoding is lenient where ESPs are sloppy: invalid UTF-8 becomes U+FFFD, the
// last of several members of one name wins, unknown members are skipped. It is
// strict otherwise: names are compared exactly, and both nesting and the number
// of an array's elements or an object's members are bounded.
package wire
