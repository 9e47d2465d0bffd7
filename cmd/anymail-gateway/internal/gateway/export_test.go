package gateway

import "reflect"

// Key is a key for the tests: its full name, and its variable if it has one.
type Key struct{ Path, Env string }

// Keys are all keys, those inside of lists as "sinks[].type".
func Keys() []Key {
	var list []Key
	for _, k := range keys(reflect.ValueOf(Default()).Elem(), "") {
		list = append(list, Key{k.path, k.env()})
	}
	for _, f := range fieldsOf(reflect.ValueOf(new(Adapter)).Elem()) {
		list = append(list, Key{"adapters[]." + f.name, ""})
	}
	for _, f := range fieldsOf(reflect.ValueOf(new(Sink)).Elem()) {
		list = append(list, Key{"sinks[]." + f.name, ""})
	}
	return list
}
