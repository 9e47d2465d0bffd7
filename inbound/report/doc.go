// Package report reads reports about sent messages that arrive as mail, whichever ESP
// or mail server brought them:
//
//   - delivery status notifications (RFC 3464, RFC 6533), and the bounces of Exim,
//     qmail and Exchange that have no such part,
//   - complaints of feedback loops (RFC 5965), and those of Microsoft's Junk Mail
//     Reporting Program,
//   - automatic replies (RFC 3834, and what programs wrote before it),
//   - requests to unsubscribe that a mail program sends to the mailto address of a
//     List-Unsubscribe field.
//
// [Read] tells what a message reports, and [Report.Events] turns that into the
// tracking events that an ESP would have sent:
//
//	r := report.Read(&in.Message, anymail.Limits{})
//	for _, ev := range r.Events(in) {
//		...
//	}
//
// Aggregate DMARC reports, TLS reports and read receipts are recognized, so that
// nothing else is made of them, and left alone.
//
// # Trust
//
// Anyone can send a message that looks like a report. Before events suppress an
// address, verify that the report belongs to a message that was sent.
//
// # Limits
//
// Nothing here fails or panics. A report of any size takes bounded time and memory:
// no more than 1 MiB of a part and 64 KiB of text are read, and the numbers of
// recipients and returned header fields are bounded. What cannot be read is left out.
//
// Text is read only if a program wrote it in a known form. Addresses in the prose of
// other bounces are not guessed: such a bounce has [FormUnknown] and no recipients.
package report
