package wire

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

var lenient = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// Unmarshal decodes one JSON value into v. Numbers that go into an any become
// float64; use [Metadata] where they should stay as they are. Errors hold
// nothing of raw, so that they may be logged.
func Unmarshal(raw []byte, v any) error {
	to := reflect.ValueOf(v)
	if to.Kind() != reflect.Pointer || to.IsNil() || to.Elem().Kind() != reflect.Struct && to.Elem().Kind() != reflect.Slice {
		return unquoted(json.Unmarshal(raw, v, lenient))
	}
	if !jsontext.Value(raw).IsValid(lenient) {
		return errSyntax
	}
	s := newSource(raw)
	return s.decode(decoderOf(to.Elem().Type()), to.Elem())
}

var (
	errSyntax    = errors.New("not JSON")
	errNotString = errors.New("not a string")
	errNotBool   = errors.New("neither true nor false")
	errNotObject = errors.New("not an object")
	errNotArray  = errors.New("not an array")
)

// decodeFunc decodes the value that begins at a place of a source, which has to
// be valid JSON, and returns where it ends.
//
// The JSON library has checked it, so what is left to do is to find the members
// and put each where the struct has a field for it, in one pass: a fraction of
// the work of decoding by the library. What is neither a string nor a struct nor
// one of this package's types the library decodes after all.
type decodeFunc func(s *source, from int, v reflect.Value) (to int, err error)

// decode decodes all of s into v.
func (s *source) decode(into decodeFunc, v reflect.Value) error {
	from := space(s.raw, 0)
	if from == len(s.raw) {
		return errSyntax
	}
	_, err := into(s, from, v)
	return err
}

// between is a decodeFunc that finds the end first.
func between(decode func(s *source, from, to int, v reflect.Value) error) decodeFunc {
	return func(s *source, from int, v reflect.Value) (int, error) {
		to := endOfValue(s.raw, from)
		if to < 0 {
			return to, errSyntax
		}
		return to, decode(s, from, to, v)
	}
}

// skip returns where the value at from ends.
func skip(s *source, from int) (int, error) {
	to := endOfValue(s.raw, from)
	if to < 0 {
		return to, errSyntax
	}
	return to, nil
}

// decoders are those of the struct types that were decoded into: a program has
// so many of them and no more.
var decoders sync.Map

func decoderOf(t reflect.Type) decodeFunc {
	if d, ok := decoders.Load(t); ok {
		return d.(decodeFunc)
	}
	d, _ := decoders.LoadOrStore(t, compile(t, nil))
	return d.(decodeFunc)
}

var (
	textType        = reflect.TypeFor[Text]()
	stringsType     = reflect.TypeFor[Strings]()
	metadataType    = reflect.TypeFor[Metadata]()
	headersType     = reflect.TypeFor[Headers]()
	objectType      = reflect.TypeFor[interface{ isObject() }]()
	othersType      = reflect.TypeFor[Others]()
	unmarshalerType = reflect.TypeFor[stdjson.Unmarshaler]()
	fromType        = reflect.TypeFor[json.UnmarshalerFrom]()
	fromTextType    = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// compile chooses how to decode into a t. The types around it are those that
// would have no end if they were within themselves.
func compile(t reflect.Type, around []reflect.Type) decodeFunc {
	pointer := reflect.PointerTo(t)
	switch {
	case t == textType:
		return between(decodeText)
	case t == stringsType:
		return between(decodeStrings)
	case t == metadataType:
		return between(decodeMetadata)
	case t == headersType:
		return between(decodeHeaders)
	case t.Implements(objectType):
		return objectOrNothing(compile(t.Field(0).Type, around))
	case pointer.Implements(unmarshalerType) && !pointer.Implements(fromType):
		return between(decodeByMethod)
	case pointer.Implements(fromType), pointer.Implements(fromTextType), slices.Contains(around, t):
		return between(decodeByLibrary)
	}
	switch t.Kind() {
	case reflect.String:
		return between(decodeString)
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

// fields are those of a struct by the names that members have. Where the struct
// implements [Others], they tell it the other members.
type fields struct {
	byName map[string]field
	others bool
}

type field struct {
	index  int
	decode decodeFunc
}

// fieldsOf returns nil where a tag says more than a name, or where a struct is
// embedded: the library knows what that means.
func fieldsOf(t reflect.Type, around []reflect.Type) *fields {
	fs := &fields{byName: map[string]field{}, others: reflect.PointerTo(t).Implements(othersType)}
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
		fs.byName[name] = field{i, compile(f.Type, around)}
	}
	return fs
}

func (fs *fields) decode(s *source, from int, v reflect.Value) (int, error) {
	switch s.raw[from] {
	case '{':
	case 'n':
		v.SetZero()
		return skip(s, from)
	default:
		return -1, errNotObject
	}
	at := from
	for m, ok := nextName(s.raw, at); ok; m, ok = nextName(s.raw, at) {
		name := s.raw[m.name+1 : m.nameEnd-1]
		f, known := fs.byName[string(name)]
		other := ""
		if !known && (fs.others || slices.Contains(name, '\\')) {
			other = s.string(m.name, m.nameEnd)
			f, known = fs.byName[other]
		}
		var err error
		if known {
			at, err = f.decode(s, m.value, v.Field(f.index))
		} else {
			at, err = skip(s, m.value)
		}
		switch {
		case err != nil && known:
			return -1, fmt.Errorf("%s: %w", v.Type().Field(f.index).Name, err)
		case err != nil:
			return -1, err
		case !known && fs.others:
			v.Addr().Interface().(Others).Other(other, Value{s, m.value, at})
		}
	}
	return s.closed(from, at, '}')
}

// closed returns the end of an object or array that begins at from and whose
// last part ends at to.
func (s *source) closed(from, to int, bracket byte) (int, error) {
	if to == from { // there is nothing in it
		to++
	}
	if to = space(s.raw, to); to == len(s.raw) || s.raw[to] != bracket {
		return -1, errSyntax
	}
	return to + 1, nil
}

// Others is implemented by structs that want to have the members that are none
// of their fields.
type Others interface {
	// Other is called for each, in their order. It must not keep value.
	Other(name string, value Value)
}

// Value is the value of a member.
type Value struct {
	source   *source
	from, to int
}

// Any returns the value as it stands in [anymail.Metadata].
func (v Value) Any() any { return v.source.any(v.from, v.to) }

func decodeString(s *source, from, to int, v reflect.Value) error {
	switch s.raw[from] {
	case '"':
		v.SetString(s.string(from, to))
	case 'n':
		v.SetString("")
	default:
		return errNotString
	}
	return nil
}

func decodeText(s *source, from, to int, v reflect.Value) error {
	v.SetString(s.loose(from, to))
	return nil
}

func decodeBool(s *source, from, _ int, v reflect.Value) error {
	switch s.raw[from] {
	case 't', 'f', 'n':
		v.SetBool(s.raw[from] == 't')
		return nil
	}
	return errNotBool
}

func decodeStrings(s *source, from, to int, v reflect.Value) error {
	v.Addr().Interface().(*Strings).decode(s, from, to)
	return nil
}

func decodeMetadata(s *source, from, to int, v reflect.Value) error {
	v.Addr().Interface().(*Metadata).decode(s, from, to)
	return nil
}

func decodeHeaders(s *source, from, _ int, v reflect.Value) error {
	v.Addr().Interface().(*Headers).decode(s, from)
	return nil
}

func objectOrNothing(decode decodeFunc) decodeFunc {
	return func(s *source, from int, v reflect.Value) (int, error) {
		v.SetZero()
		if s.raw[from] != '{' {
			return skip(s, from)
		}
		return decode(s, from, v.Field(0))
	}
}

func pointerTo(decode decodeFunc) decodeFunc {
	return func(s *source, from int, v reflect.Value) (int, error) {
		if s.raw[from] == 'n' {
			v.SetZero()
			return skip(s, from)
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return decode(s, from, v.Elem())
	}
}

// maxElements is how many elements or members of a value within an event are
// decoded, which is far more than any has. The rest is left out: a few bytes of
// JSON can stand for a hundred times as many of a slice of structs.
const maxElements = 10_000

func sliceOf(decode decodeFunc) decodeFunc {
	return func(s *source, from int, v reflect.Value) (int, error) {
		v.SetZero()
		switch s.raw[from] {
		case '[':
		case 'n':
			return skip(s, from)
		default:
			return -1, errNotArray
		}
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		at := from
		for place, ok := nextElement(s.raw, at); ok; place, ok = nextElement(s.raw, at) {
			n := v.Len()
			if n == maxElements {
				return skip(s, from)
			}
			v.Grow(1)
			v.SetLen(n + 1)
			v.Index(n).SetZero()
			var err error
			if at, err = decode(s, place, v.Index(n)); err != nil {
				return -1, err
			}
		}
		return s.closed(from, at, ']')
	}
}

func decodeByMethod(s *source, from, to int, v reflect.Value) error {
	return unquoted(v.Addr().Interface().(stdjson.Unmarshaler).UnmarshalJSON(s.raw[from:to:to]))
}

func decodeByLibrary(s *source, from, to int, v reflect.Value) error {
	return unquoted(json.Unmarshal(s.raw[from:to], v.Addr().Interface(), lenient))
}

// unquoted says of an error what is known to hold nothing of the JSON text:
// the libraries' own errors quote names and values.
func unquoted(err error) error {
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
		return fmt.Errorf("a JSON %s is no %v", semantic.JSONKind, semantic.GoType)
	case errors.As(err, &syntax):
		return errSyntax
	case errors.As(err, &clock):
		return errors.New("a JSON string is no time")
	}
	return err
}
