// Package tnef reads the Transport Neutral Encapsulation Format, in which Outlook
// sends winmail.dat: the files and the body of a message.
//
// Nothing in it copies file contents, so that the memory is in proportion to the
// input. Embedded messages and OLE objects are files; they are not opened.
//
// Source: https://learn.microsoft.com/en-us/openspecs/exchange_server_protocols/ms-oxtnef
package tnef

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/goanymail/anymail/inbound/internal/charset"
)

// Message is what a TNEF stream holds.
type Message struct {
	Class string // such as IPM.Note
	Text  string
	HTML  string
	RTF   []byte // decompressed
	Files []File
	// Complete reports whether the whole stream was read.
	Complete bool
}

// File is an attachment. Its content is a slice of the stream.
type File struct {
	Name, Type, ContentID string
	Content               []byte
}

const signature = 0x223e9f78

// IsTNEF reports whether b starts with the signature.
func IsTNEF(b []byte) bool {
	return len(b) >= 6 && binary.LittleEndian.Uint32(b) == signature
}

// Attributes, with their types.
const (
	attBody        = 0x0002800c
	attClass       = 0x00078008
	attMAPIProps   = 0x00069003
	attOEMCodepage = 0x00069007
	attRenderData  = 0x00069002 // the first attribute of a file
	attTitle       = 0x00018010
	attData        = 0x0006800f
	attAttachment  = 0x00069005
)

// MAPI properties.
const (
	propBody         = 0x1000
	propRTF          = 0x1009
	propHTML         = 0x1013
	propDisplayName  = 0x3001
	propData         = 0x3701
	propFilename     = 0x3704
	propLongFilename = 0x3707
	propMIMETag      = 0x370e
	propContentID    = 0x3712
	propCodepage     = 0x3fde
)

// Read reads a stream, with at most maxFiles files. It returns false if b is not
// TNEF or nothing in it is readable.
func Read(b []byte, maxFiles int) (Message, bool) {
	if !IsTNEF(b) {
		return Message{}, false
	}
	r := reader{maxFiles: maxFiles}
	r.Complete = r.attributes(b[6:])
	r.endFile()
	if len(r.Files) == 0 && r.Text == "" && r.HTML == "" && r.RTF == nil && r.Class == "" {
		return Message{}, false
	}
	return r.Message, true
}

type reader struct {
	Message
	maxFiles int
	codepage string
	file     *File
	title    string // of the file, short
}

// attributes reports whether it read all of b.
func (r *reader) attributes(b []byte) bool {
	const header, checksum = 9, 2
	for len(b) >= header {
		id, length := binary.LittleEndian.Uint32(b[1:]), binary.LittleEndian.Uint32(b[5:])
		level := b[0]
		if level != 1 && level != 2 {
			break
		}
		b = b[header:]
		if uint64(length) > uint64(len(b)) {
			r.attribute(id, b) // as much as there is
			return false
		}
		value := b[:length:length]
		b = b[length:]
		b = b[min(checksum, len(b)):]
		if !r.attribute(id, value) {
			return false
		}
	}
	return len(bytes.Trim(b, "\x00\r\n")) == 0
}

func (r *reader) attribute(id uint32, value []byte) bool {
	switch id {
	case attOEMCodepage:
		if len(value) >= 4 {
			r.codepage = codepageName(binary.LittleEndian.Uint32(value))
		}
	case attClass:
		r.Class = r.text(value)
	case attBody:
		r.setText(r.text(value))
	case attMAPIProps:
		return r.props(value, r.messageProp)
	case attRenderData:
		r.endFile()
		if len(r.Files) >= r.maxFiles {
			return false
		}
		r.file = &File{}
	case attTitle:
		r.title = r.text(value)
	case attData:
		if r.file != nil {
			r.file.Content = value
		}
	case attAttachment:
		return r.file == nil || r.props(value, r.fileProp)
	}
	return true
}

// endFile adds the current file.
func (r *reader) endFile() {
	if f := r.file; f != nil && (f.Content != nil || f.Name != "" || r.title != "") {
		if f.Name == "" {
			f.Name = r.title
		}
		r.Files = append(r.Files, *f)
	}
	r.file, r.title = nil, ""
}

func (r *reader) setText(text string) {
	if r.Text == "" {
		r.Text = text
	}
}

func (r *reader) messageProp(id, kind uint16, value []byte) {
	switch {
	case id == propCodepage && kind == typeLong:
		r.codepage = codepageName(binary.LittleEndian.Uint32(value))
	case id == propBody:
		r.setText(r.typedText(kind, value))
	case id == propHTML && r.HTML == "":
		r.HTML = r.typedText(kind, value)
	case id == propRTF && kind == typeBinary:
		r.RTF = decompressRTF(value)
	}
}

func (r *reader) fileProp(id, kind uint16, value []byte) {
	f := r.file
	switch {
	case id == propData && kind == typeBinary && f.Content == nil:
		f.Content = value
	case id == propData && kind == typeObject && f.Content == nil && len(value) > 16:
		f.Content = value[16:] // after the id of the interface
		if f.Type == "" && IsTNEF(f.Content) {
			f.Type = "application/ms-tnef"
		}
	case id == propLongFilename:
		f.Name = r.typedText(kind, value)
	case (id == propFilename || id == propDisplayName) && r.title == "":
		r.title = r.typedText(kind, value)
	case id == propMIMETag:
		f.Type = r.typedText(kind, value)
	case id == propContentID:
		f.ContentID = r.typedText(kind, value)
	}
}

// Types of MAPI properties.
const (
	typeLong    = 0x0003
	typeObject  = 0x000d
	typeString  = 0x001e
	typeUnicode = 0x001f
	typeBinary  = 0x0102
	multiple    = 0x1000
)

// fixedSizes are the sizes of the types whose values have one.
var fixedSizes = map[uint16]int{
	0x0002: 4, typeLong: 4, 0x0004: 4, 0x0005: 8, 0x0006: 8, 0x0007: 8, 0x000a: 4, 0x000b: 4, 0x0014: 8, 0x0040: 8, 0x0048: 16,
}

// props calls set with the first value of each property, and reports whether it
// read all of them.
func (r *reader) props(b []byte, set func(id, kind uint16, value []byte)) bool {
	c := cursor{b: b, ok: true}
	for n := c.uint32(); n > 0 && c.ok; n-- {
		kind, id := c.uint16(), c.uint16()
		if id >= 0x8000 { // it has a name
			c.bytes(16)
			if named := c.uint32(); named == 0 {
				c.uint32()
			} else {
				c.padded(c.uint32())
			}
		}
		values := uint32(1)
		size, fixed := fixedSizes[kind&^multiple]
		switch {
		case !fixed && kind&^multiple != typeObject && kind&^multiple != typeString && kind&^multiple != typeUnicode && kind&^multiple != typeBinary:
			return false
		case !fixed || kind&multiple != 0:
			values = c.uint32()
		}
		for i := uint32(0); i < values && c.ok; i++ {
			length := uint32(size) //nolint:gosec // the size of a fixed type
			if !fixed {
				length = c.uint32()
			}
			if value := c.padded(length); c.ok && i == 0 {
				set(id, kind&^multiple, value)
			}
		}
	}
	return c.ok
}

// typedText returns a property as text.
func (r *reader) typedText(kind uint16, value []byte) string {
	switch kind {
	case typeUnicode:
		return strings.TrimRight(charset.Decode(value[:len(value)&^1], "utf-16le"), "\x00")
	case typeString, typeBinary:
		return r.text(value)
	}
	return ""
}

func (r *reader) text(value []byte) string {
	return charset.Decode(bytes.TrimRight(value, "\x00"), r.codepage)
}

func codepageName(n uint32) string {
	if n == 0 {
		return ""
	}
	return "cp" + strconv.FormatUint(uint64(n), 10)
}

// cursor reads numbers and bytes as long as there are enough.
type cursor struct {
	b  []byte
	ok bool
}

func (c *cursor) bytes(n uint32) []byte {
	if uint64(n) > uint64(len(c.b)) {
		c.b, c.ok = nil, false
		return nil
	}
	value := c.b[:n:n]
	c.b = c.b[n:]
	return value
}

// padded reads n bytes and what fills them up to a multiple of four, which may be
// missing at the end.
func (c *cursor) padded(n uint32) []byte {
	value := c.bytes(n)
	c.b = c.b[min(len(c.b), int(-n&3)):]
	return value
}

func (c *cursor) uint16() uint16 {
	if b := c.bytes(2); c.ok {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) uint32() uint32 {
	if b := c.bytes(4); c.ok {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}
