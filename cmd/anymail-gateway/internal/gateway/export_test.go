package gateway

import "reflect"

// Key is a key for the tests: its full name, its variable if it has one, and what
// its values are.
type Key struct {
	Path, Env string
	Type      reflect.Type
	Secret    bool
	Empty     bool
	Range     string
}

// Keys are all keys, those inside of lists as "sinks[].type".
func Keys() []Key {
	var list []Key
	add := func(s any, prefix string) {
		for _, k := range keys(reflect.ValueOf(s).Elem(), "") {
			one := Key{prefix + k.path, "", k.to.Type(), k.secret, k.empty, string(k.bounds)}
			if prefix == "" {
				one.Env = k.env()
			}
			list = append(list, one)
		}
	}
	add(Default(), "")
	add(new(Adapter), "adapters[].")
	add(new(Sink), "sinks[].")
	return list
}

// InRange reports whether the range of a key parses and has the given text.
func InRange(k Key, text string) bool {
	to := reflect.New(k.Type).Elem()
	return parseNumber(to, text) == "" && bounds(k.Range).allow(to)
}
