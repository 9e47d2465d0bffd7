package main

import (
	"strings"
	"unicode"
)

// printable replaces what could steer a terminal; senders choose the text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}
