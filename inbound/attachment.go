package inbound

import (
	"cmp"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goanymail/anymail"
)

// NewAttachment returns an attachment in the form that all adapters give it: a
// safe file name with its encoded words decoded (see [SafeFilename]); the media
// type in lower case without parameters, application/octet-stream where
// contentType has none; the disposition "inline" only if that is said, or if
// none is said and there is a content id; the content id without angle
// brackets. contentType and disposition may be whole header values; where
// filename is empty, it is the one that they name. It keeps content, not a copy.
func NewAttachment(filename, contentType, disposition, contentID string, content []byte) anymail.Attachment {
	media, params := mediaType(oneLine(validUTF8(contentType)))
	if media == "" {
		media = "application/octet-stream"
	}
	if filename == "" {
		_, said := parseParams(oneLine(validUTF8(disposition)))
		filename = cmp.Or(said["filename"], params["name"])
	}
	contentID = DecodeHeader(contentID)
	if _, id, ok := strings.Cut(contentID, "<"); ok {
		contentID, _, _ = strings.Cut(id, ">")
	}
	contentID = strings.TrimSpace(contentID)
	said := firstToken(disposition)
	disposition = "attachment"
	if said == "inline" || said == "" && contentID != "" {
		disposition = "inline"
	}
	return anymail.Attachment{
		Filename:    SafeFilename(DecodeHeader(filename)),
		ContentType: media,
		Disposition: disposition,
		ContentID:   contentID,
		Size:        int64(len(content)),
		Content:     content,
	}
}

// maxFilename is how many bytes most file systems take.
const maxFilename = 255

// SafeFilename returns the last element of a path, made safe to use as the name
// of a file on any system: without control characters and those that turn the
// direction of text, without the characters and device names that Windows
// reserves, not "." or "..", and not longer than 255 bytes, for which the end is
// cut off before the extension. It is empty where nothing is left.
func SafeFilename(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case isControl(r), unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.Bidi_Control, r), r == '\uFEFF', r == utf8.RuneError:
			return -1
		case strings.ContainsRune(`<>:"|?*`, r):
			return '_'
		}
		return r
	}, s)
	s = strings.TrimRight(s, `/\ .`)
	s = s[strings.LastIndexAny(s, `/\`)+1:]
	s = strings.TrimSpace(s)
	if isDevice(s) {
		s = "_" + s
	}
	if len(s) > maxFilename {
		ext := path.Ext(s)
		if len(ext) > 20 {
			ext = ""
		}
		s = strings.ToValidUTF8(s[:maxFilename-len(ext)], "") + ext
	}
	return strings.TrimRight(s, " .")
}

// isDevice tells whether Windows takes a name for a device, as it does whatever
// the extension.
func isDevice(name string) bool {
	name, _, _ = strings.Cut(strings.ToUpper(name), ".")
	switch name = strings.TrimRight(name, " "); name {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	number, ok := strings.CutPrefix(name, "COM")
	if !ok {
		number, ok = strings.CutPrefix(name, "LPT")
	}
	return ok && utf8.RuneCountInString(number) == 1 && strings.Trim(number, "0123456789¹²³") == ""
}
