package wire

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goanymail/anymail"
)

// Uploads returns the files of a form whose field is prefix and a number, in
// the order of the numbers. A part without a file name is a value of the form; it
// is among them. Files whose field is unreadable come last, and so do such values
// that have a content type.
func Uploads(form *anymail.Form, prefix string) []anymail.FormFile {
	number := func(field string) int {
		rest, ok := strings.CutPrefix(field, prefix)
		n, err := strconv.Atoi(rest)
		if !ok || err != nil || !digits(rest) {
			return -1
		}
		return n
	}
	var files, unnamed []anymail.FormFile
	for _, file := range form.Files {
		switch {
		case number(file.Field) >= 0:
			files = append(files, file)
		case file.Field == "":
			unnamed = append(unnamed, file)
		}
	}
	for field, values := range form.Fields {
		for i, value := range values {
			file := anymail.FormFile{Field: field, ContentType: form.Type(field, i), Content: value}
			switch {
			case number(field) >= 0:
				files = append(files, file)
			case field == "" && file.ContentType != "":
				unnamed = append(unnamed, file)
			}
		}
	}
	slices.SortStableFunc(files, func(a, b anymail.FormFile) int {
		return cmp.Or(cmp.Compare(number(a.Field), number(b.Field)), strings.Compare(a.Field, b.Field))
	})
	return append(files, unnamed...)
}

// FormKey returns the idempotency key of a form of which no message could be made:
// that of its content, whatever its boundary and the order of its fields. It leaves
// out the fields that change with every attempt.
func FormKey(esp string, form *anymail.Form, changing ...string) string {
	parts := []string{"failed"}
	for _, name := range slices.Sorted(maps.Keys(form.Fields)) {
		if slices.Contains(changing, name) {
			continue
		}
		for _, value := range form.Fields[name] {
			parts = append(parts, name, string(value))
		}
	}
	for _, file := range form.Files {
		parts = append(parts, file.Field, file.Filename, string(file.Content))
	}
	return anymail.EventKey(esp, parts...)
}

// Texts returns the names and values of a form as text: invalid UTF-8 becomes
// U+FFFD.
func Texts(fields anymail.Fields) anymail.Fields {
	texts := make(anymail.Fields, len(fields))
	for name, values := range fields {
		name = strings.ToValidUTF8(name, "\ufffd")
		for _, value := range values {
			if !utf8.Valid(value) {
				value = bytes.ToValidUTF8(value, []byte("\ufffd"))
			}
			texts[name] = append(texts[name], value)
		}
	}
	return texts
}
