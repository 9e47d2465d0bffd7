// Package schema has the JSON Schema of the events' JSON form.
package schema

import _ "embed"

// Event is the JSON Schema (draft 2020-12) of one event.
//
//go:embed event.schema.json
var Event []byte
