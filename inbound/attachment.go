package inbound

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/internal/syntax"
)

// NewAttachment returns an attachment in the form that is the same for all ESPs:
//
//   - a safe file name (see [SafeFilename]) with its encoded words decoded
//   - the media type in lower case without parameters, or
//     application/octet-stream if contentType has none
//   - the parameters of contentType, apart from the name: at most 20, each of at
//     most 1000 bytes
//   - the disposition "inline" if it is declared, or if none is declared and
//     there is a content id; otherwise "attachment". What is not a token is not a
//     disposition.
//   - the content id without angle brackets
//
// contentType and disposition may be whole header values; an empty filename is
// taken from their parameters. The attachment keeps content, not a copy.
func NewAttachment(filename, contentType, disposition, contentID string, content []byte) anymail.Attachment {
	mediaType, params := syntax.MediaType(syntax.OneLine(syntax.ValidUTF8(contentType)))
	if mediaType == "" {
		mediaType = "application/octet-stream"
	}
	if filename == "" {
		_, dispositionParams := syntax.ParseParams(syntax.OneLine(syntax.ValidUTF8(disposition)))
		filename = cmp.Or(dispositionParams["filename"], params["name"])
	}
	contentID = DecodeHeader(contentID)
	if _, id, ok := strings.Cut(contentID, "<"); ok {
		contentID, _, _ = strings.Cut(id, ">")
	}
	contentID = strings.TrimSpace(contentID)
	declared := syntax.Disposition(disposition)
	disposition = "attachment"
	if declared == "inline" || declared == "" && contentID != "" {
		disposition = "inline"
	}
	return anymail.Attachment{
		Filename:    SafeFilename(DecodeHeader(filename)),
		ContentType: mediaType,
		Params:      boundedParams(params),
		Disposition: disposition,
		ContentID:   contentID,
		Size:        int64(len(content)),
		Content:     content,
	}
}

// boundedParams returns the parameters that an attachment keeps.
func boundedParams(params map[string]string) map[string]string {
	const (
		maxParams = 20
		maxBytes  = 1000 // of a name and a value together
	)
	var kept map[string]string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		value := syntax.OneLine(params[name])
		if name == "name" || len(name)+len(value) > maxBytes {
			continue
		}
		if kept == nil {
			kept = map[string]string{}
		}
		if kept[name] = value; len(kept) == maxParams {
			break
		}
	}
	return kept
}

// maxFilename is how many bytes a name may have on most file systems.
const maxFilename = 255

// SafeFilename returns the last element of a path as a file name that is safe on
// any system. It has no control characters, no characters that change the
// direction of text, and none of the characters and device names that Windows
// reserves. It is not "." or "..", and at most 255 bytes long; a longer name is
// truncated before its extension. It may be empty.
func SafeFilename(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case syntax.IsControl(r), unicode.IsSpace(r):
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

// isDevice reports whether Windows takes a name for a device. The extension does
// not matter.
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
