package inboundtest

import (
	"encoding/binary"
	"unicode/utf16"
)

// TNEF returns a stream of attributes.
func TNEF(attributes ...[]byte) []byte {
	b := []byte{0x78, 0x9f, 0x3e, 0x22, 1, 0}
	for _, a := range attributes {
		b = append(b, a...)
	}
	return b
}

// Attribute returns an attribute of the message (level 1) or of a file (level 2).
func Attribute(level byte, id uint32, value []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{level}, id)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(value)))
	b = append(b, value...)
	var sum uint16
	for _, c := range value {
		sum += uint16(c)
	}
	return binary.LittleEndian.AppendUint16(b, sum)
}

// Props returns the value of an attribute that consists of properties.
func Props(props ...[]byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(props)))
	for _, p := range props {
		b = append(b, p...)
	}
	return b
}

// Prop returns a property of variable length.
func Prop(id, kind uint16, value []byte) []byte {
	b := binary.LittleEndian.AppendUint16(nil, kind)
	b = binary.LittleEndian.AppendUint16(b, id)
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(value)))
	b = append(b, value...)
	return append(b, make([]byte, -len(value)&3)...)
}

// UTF16 returns s as TNEF has it, with a NUL.
func UTF16(s string) (b []byte) {
	for _, c := range utf16.Encode([]rune(s + "\x00")) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return b
}
