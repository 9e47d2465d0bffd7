package inbound

import (
	"slices"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/internal/tnef"
)

// OpenTNEF replaces the winmail.dat (TNEF) that Outlook sends by what it holds:
// its files become attachments, and its body becomes the body of m if m has none.
// A body in RTF becomes the attachment body.rtf.
//
// A winmail.dat that is unreadable stays as it is. One that is partly readable, or
// holds something other than a message, such as a meeting request, stays next to
// its files. The number of attachments does not exceed limits.MIMEParts. Package
// rawmime calls OpenTNEF.
func OpenTNEF(m *anymail.InboundMessage, limits anymail.Limits) {
	if !slices.ContainsFunc(m.Attachments, isTNEF) {
		return
	}
	left := limits.OrDefaults().MIMEParts - len(m.Attachments)
	var attachments []anymail.Attachment
	for _, a := range m.Attachments {
		var message tnef.Message
		ok := isTNEF(a)
		if ok {
			message, ok = tnef.Read(a.Content, left+1)
		}
		if !ok {
			attachments = append(attachments, a)
			continue
		}
		var files []anymail.Attachment
		if m.Text == "" && m.HTML == "" {
			m.Text, m.HTML = message.Text, message.HTML
			if m.Text == "" && m.HTML == "" && len(message.RTF) > 0 {
				files = append(files, NewAttachment("body.rtf", "application/rtf", "inline", "", message.RTF))
			}
		}
		for _, f := range message.Files {
			files = append(files, NewAttachment(f.Name, f.Type, "", f.ContentID, f.Content))
		}
		if message.Complete && isNote(message.Class) && len(files) <= left+1 {
			left++
		} else {
			attachments = append(attachments, a)
			files = files[:min(len(files), left)]
		}
		attachments = append(attachments, files...)
		left -= len(files)
	}
	m.Attachments = attachments
}

// isTNEF reports whether an attachment is one that [MayBeTNEF], and has TNEF's signature.
func isTNEF(a anymail.Attachment) bool { return MayBeTNEF(a) && tnef.IsTNEF(a.Content) }

// MayBeTNEF reports whether an attachment is declared as TNEF or named like it.
func MayBeTNEF(a anymail.Attachment) bool {
	return a.ContentType == "application/ms-tnef" || a.ContentType == "application/vnd.ms-tnef" || strings.EqualFold(a.Filename, "winmail.dat")
}

// isNote reports whether a message of a class has no content but its body and its
// files.
func isNote(class string) bool {
	class = strings.ToUpper(class)
	return class == "" || class == "IPM.NOTE" || class == "IPM" || class == "IPM.MICROSOFT MAIL.NOTE"
}
