// Package jsonscan takes JSON apart that the JSON library has checked already.
//
// Contract:
//
//   - The text is valid JSON, except that its strings may hold invalid UTF-8,
//     which becomes U+FFFD. Text that is not JSON gives an error or an early end,
//     never a panic: nothing here reads past the text.
//   - [Decode] gives the result that the library gives with duplicate names
//     allowed, of which the last one wins. There is one difference: of a slice's
//     elements it decodes the first [MaxElements].
//   - The strings that it makes of one text without escapes are parts of one copy of
//     that text. So one that is kept keeps at most [MaxShared] bytes, and nothing of
//     other texts. The strings of a longer text are copies of their own.
//   - Errors name fields and rules, and quote nothing of the text.
//
// Adapters split a batch with the library, which checks it, and decode each
// element here. The library in its place, with UnmarshalJSONFrom on the types of
// package wire, makes a request of 1000 SendGrid events a third slower: it parses
// each element again, and every loose field costs a call through the decoder.
// The fuzz tests of package wire compare both.
package jsonscan

import (
	"encoding"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Lenient are the options under which text counts as valid.
var Lenient = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// MaxElements is how many elements or members of a value within an event are
// decoded, which is far more than any event has. The rest is left out: a few
// bytes of JSON can stand for a hundred times as many of a slice of structs.
const MaxElements = 10_000

// ErrSyntax is the error of text that is not JSON.
var ErrSyntax = errors.New("not JSON")

var (
	errNotString = errors.New("not a string")
	errNotBool   = errors.New("neither true nor false")
	errNotObject = errors.New("not an object")
	errNotArray  = errors.New("not an array")
)

// Others is implemented by structs that take the members for which they have no
// field. The value is JSON text.
type Others interface {
	Other(name, value string)
}

// decodeFunc decodes the value that begins at a place of the text and returns its
// end.
type decodeFunc func(d *Decoder, from int, v reflect.Value) (to int, err error)

// between makes a decodeFunc of one that needs the value's end first.
func between(decode func(value []byte, v reflect.Value) error) decodeFunc {
	return func(d *Decoder, from int, v reflect.Value) (int, error) {
		to, err := d.Skip(from)
		if err != nil {
			return to, err
		}
		return to, decode(d.text[from:to:to], v)
	}
}

// decoders holds the decodeFunc of each type that was decoded into. A program
// has a fixed number of these types.
var decoders sync.Map

func decoderOf(t reflect.Type) decodeFunc {
	if d, ok := decoders.Load(t); ok {
		return d.(decodeFunc)
	}
	d, _ := decoders.LoadOrStore(t, compile(t, nil))
	return d.(decodeFunc)
}

var (
	othersType      = reflect.TypeFor[Others]()
	unmarshalerType = reflect.TypeFor[stdjson.Unmarshaler]()
	atType          = reflect.TypeFor[Unmarshaler]()
	fromType        = reflect.TypeFor[json.UnmarshalerFrom]()
	fromTextType    = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// compile chooses how to decode into a t. The types in around enclose t; one
// that encloses itself goes to the library, so that compile ends.
func compile(t reflect.Type, around []reflect.Type) decodeFunc {
	pointer := reflect.PointerTo(t)
	switch {
	case pointer.Implements(atType):
		return decodeItself
	case pointer.Implements(unmarshalerType) && !pointer.Implements(fromType):
		return between(decodeByMethod)
	case pointer.Implements(fromType), pointer.Implements(fromTextType), slices.Contains(around, t):
		return between(decodeByLibrary)
	}
	switch t.Kind() {
	case reflect.String:
		return decodeString
	case reflect.Bool:
		return between(decodeBool)
	case reflect.Pointer:
		return pointerTo(compile(t.Elem(), append(around, t)))
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 { // that would be base64
			return sliceOf(compile(t.Elem(), append(around, t)))
		}
	case reflect.Struct:
		if fields := fieldsOf(t, append(around, t)); fields != nil {
			return fields.decode
		}
	}
	return between(decodeByLibrary)
}

// fields are the fields of a struct by the lengths of their members' names. If the
// struct implements [Others], it gets the other members.
type fields struct {
	byLength [][]field
	others   bool
}

type field struct {
	name   string
	index  int
	decode decodeFunc
}

// find returns the field of a name, or nil.
func (fs *fields) find(name []byte) *field {
	if len(name) < len(fs.byLength) {
		list := fs.byLength[len(name)]
		for i := range list {
			if list[i].name == string(name) {
				return &list[i]
			}
		}
	}
	return nil
}

func (fs *fields) add(f field) {
	for len(fs.byLength) <= len(f.name) {
		fs.byLength = append(fs.byLength, nil)
	}
	fs.byLength[len(f.name)] = append(fs.byLength[len(f.name)], f)
}

// fieldsOf returns nil if a tag has more than a name, or a struct is embedded:
// the library knows what that means.
func fieldsOf(t reflect.Type, around []reflect.Type) *fields {
	fs := &fields{others: reflect.PointerTo(t).Implements(othersType)}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" && options == "", !f.Anonymous && !f.IsExported():
			continue
		case f.Anonymous, options != "", strings.Contains(name, "'"):
			return nil
		case name == "":
			name = f.Name
		}
		fs.add(field{name, i, compile(f.Type, around)})
	}
	return fs
}

func (fs *fields) decode(d *Decoder, from int, v reflect.Value) (int, error) {
	switch d.text[from] {
	case '{':
	case 'n':
		v.SetZero()
		return d.Skip(from)
	default:
		return -1, errNotObject
	}
	at := from
	for m, ok := nextName(d.text, at); ok; m, ok = nextName(d.text, at) {
		f := fs.find(d.text[m.name+1 : m.nameEnd-1])
		other := ""
		if f == nil && (fs.others || !d.plain) {
			other = d.unquote(m.name, m.nameEnd)
			f = fs.find([]byte(other))
		}
		var err error
		if f != nil {
			at, err = f.decode(d, m.value, v.Field(f.index))
		} else {
			at, err = d.Skip(m.value)
		}
		switch {
		case err != nil && f != nil:
			return -1, fmt.Errorf("%s: %w", v.Type().Field(f.index).Name, err)
		case err != nil:
			return -1, err
		case f == nil && fs.others:
			v.Addr().Interface().(Others).Other(other, d.part(m.value, at))
		}
	}
	return closed(d.text, from, at, '}')
}

// closed returns the end of an object or array that begins at from and whose
// last part ends at to.
func closed(text []byte, from, to int, bracket byte) (int, error) {
	if to == from { // it is empty
		to++
	}
	if to = space(text, to); to == len(text) || text[to] != bracket {
		return -1, ErrSyntax
	}
	return to + 1, nil
}

func decodeString(d *Decoder, from int, v reflect.Value) (int, error) {
	switch d.text[from] {
	case '"':
		text, to, err := d.String(from)
		v.SetString(text)
		return to, err
	case 'n':
		v.SetString("")
		return d.Skip(from)
	}
	return -1, errNotString
}

func decodeBool(value []byte, v reflect.Value) error {
	switch value[0] {
	case 't', 'f', 'n':
		v.SetBool(value[0] == 't')
		return nil
	}
	return errNotBool
}

func pointerTo(decode decodeFunc) decodeFunc {
	return func(d *Decoder, from int, v reflect.Value) (int, error) {
		if d.text[from] == 'n' {
			v.SetZero()
			return d.Skip(from)
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return decode(d, from, v.Elem())
	}
}

func sliceOf(decode decodeFunc) decodeFunc {
	return func(d *Decoder, from int, v reflect.Value) (int, error) {
		v.SetZero()
		switch d.text[from] {
		case '[':
		case 'n':
			return d.Skip(from)
		default:
			return -1, errNotArray
		}
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		return d.Elements(from, func(place int) (int, error) {
			n := v.Len()
			v.Grow(1)
			v.SetLen(n + 1)
			v.Index(n).SetZero()
			return decode(d, place, v.Index(n))
		})
	}
}

func decodeItself(d *Decoder, from int, v reflect.Value) (int, error) {
	return v.Addr().Interface().(Unmarshaler).UnmarshalAt(d, from)
}

func decodeByMethod(value []byte, v reflect.Value) error {
	return Unquoted(v.Addr().Interface().(stdjson.Unmarshaler).UnmarshalJSON(value))
}

func decodeByLibrary(value []byte, v reflect.Value) error {
	return Unquoted(json.Unmarshal(value, v.Addr().Interface(), Lenient))
}

// Unquoted returns an error that holds nothing of the JSON text: those of the
// libraries quote names and values.
func Unquoted(err error) error {
	if err == nil {
		return nil // before anything is allocated for errors.As
	}
	var (
		semantic *json.SemanticError
		syntax   *jsontext.SyntacticError
		clock    *time.ParseError
	)
	switch {
	case errors.As(err, &semantic):
		return fmt.Errorf("a JSON %s is not a %v", semantic.JSONKind, semantic.GoType)
	case errors.As(err, &syntax):
		return ErrSyntax
	case errors.As(err, &clock):
		return errors.New("a JSON string is not a time")
	}
	return err
}
