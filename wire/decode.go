package wire

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var lenient = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// Unmarshal decodes one JSON value into v. Numbers that go into an any become
// float64; use [anymail.Metadata] where they should stay as they are.
func Unmarshal(raw []byte, v any) error {
	return json.Unmarshal(raw, v, lenient)
}

// decoder decodes many values. The strings it makes are parts of one copy of
// the value's text where nothing has to be unescaped, which is nearly always:
// one allocation for an event instead of one for each of its fields.
type decoder struct {
	text    string // the value that is being decoded
	options json.Options
}

var decoders = sync.Pool{New: func() any {
	d := new(decoder)
	d.options = json.JoinOptions(lenient, json.WithUnmarshalers(json.JoinUnmarshalers(
		json.UnmarshalFromFunc(d.string),
		json.UnmarshalFromFunc(d.looseText),
		json.UnmarshalFromFunc(d.strings),
	)))
	return d
}}

func (d *decoder) unmarshal(raw []byte, v any) error {
	d.text = string(raw)
	defer func() { d.text = "" }() // the pool must not keep it
	return json.Unmarshal(raw, v, d.options)
}

var errNotString = errors.New("not a string")

func (d *decoder) string(in *jsontext.Decoder, s *string) error {
	raw, err := in.ReadValue()
	switch {
	case err != nil:
		return err
	case raw[0] == '"':
		*s, err = d.unquote(in, raw)
		return err
	case raw[0] == 'n':
		*s = ""
		return nil
	}
	return errNotString
}

// unquote returns the string that in has just read as raw.
func (d *decoder) unquote(in *jsontext.Decoder, raw []byte) (string, error) {
	end := int(in.InputOffset())
	if s := d.text[end-len(raw)+1 : end-1]; strings.IndexByte(s, '\\') < 0 && utf8.ValidString(s) {
		return s, nil
	}
	unquoted, err := jsontext.AppendUnquote(nil, raw)
	if err != nil && !utf8.Valid(unquoted) {
		return "", err
	}
	return string(unquoted), nil
}

func (d *decoder) looseText(in *jsontext.Decoder, t *Text) error {
	raw, err := in.ReadValue()
	switch {
	case err != nil:
		return err
	case raw[0] == '"':
		var s string
		s, err = d.unquote(in, raw)
		*t = Text(s)
		return err
	}
	return t.UnmarshalJSON(raw)
}

func (d *decoder) strings(in *jsontext.Decoder, list *Strings) error {
	*list = nil
	if in.PeekKind() != '[' {
		var one Text
		err := d.looseText(in, &one)
		if err == nil && one != "" {
			*list = Strings{string(one)}
		}
		return err
	}
	if _, err := in.ReadToken(); err != nil {
		return err
	}
	for in.PeekKind() != ']' {
		var one Text
		if err := d.looseText(in, &one); err != nil {
			return err
		}
		if *list == nil {
			*list = make(Strings, 0, 4)
		}
		*list = append(*list, string(one))
	}
	_, err := in.ReadToken()
	return err
}

var splitters = sync.Pool{New: func() any { return jsontext.NewDecoder(new(bytes.Buffer)) }}
