package tnef

import "encoding/binary"

const (
	compressedRTF   = 0x75465a4c // LZFu
	uncompressedRTF = 0x414c454d // MELA
	maxRTF          = 4 << 20
)

// initialDictionary is what the first references may point to.
const initialDictionary = "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor " +
	"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"

// decompressRTF returns at most 4 MiB of a compressed RTF text, or nil if b is not
// one.
//
// Source: https://learn.microsoft.com/en-us/openspecs/exchange_server_protocols/ms-oxrtfcp
func decompressRTF(b []byte) []byte {
	const header = 16
	if len(b) < header {
		return nil
	}
	size, kind := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	b = b[header:]
	switch kind {
	case uncompressedRTF:
		return b[:min(uint64(len(b)), uint64(size))]
	case compressedRTF:
		return decompressLZ(b, int(min(size, maxRTF)))
	}
	return nil
}

func decompressLZ(b []byte, size int) []byte {
	var dictionary [4096]byte
	at := copy(dictionary[:], initialDictionary)
	out := []byte{}
	emit := func(c byte) {
		out = append(out, c)
		dictionary[at] = c
		at = (at + 1) % len(dictionary)
	}
	for len(b) > 0 {
		flags := b[0]
		b = b[1:]
		for bit := range 8 {
			switch {
			case len(out) >= size:
				return out[:size]
			case flags>>bit&1 == 0:
				if len(b) < 1 {
					return out
				}
				emit(b[0])
				b = b[1:]
				continue
			case len(b) < 2:
				return out
			}
			reference := int(binary.BigEndian.Uint16(b))
			b = b[2:]
			from, length := reference>>4, reference&0xf+2
			if from == at {
				return out // the end
			}
			for i := range length {
				emit(dictionary[(from+i)%len(dictionary)])
			}
		}
	}
	return out[:min(len(out), size)]
}
