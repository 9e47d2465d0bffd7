package wire

import (
	"math"
	"strconv"
	"strings"
)

// Number is a finite number that an ESP may also send as a string. Anything else
// is 0 with Valid false.
type Number struct {
	Value float64
	Valid bool
}

// UnmarshalJSON implements [json.Unmarshaler].
func (n *Number) UnmarshalJSON(b []byte) error {
	*n = ParseNumber(strings.Trim(string(b), `"`))
	return nil
}

// ParseNumber reads a number from text.
func ParseNumber(s string) Number {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return Number{}
	}
	return Number{f, true}
}

// Pointer returns nil if n is not valid.
func (n Number) Pointer() *float64 {
	if !n.Valid {
		return nil
	}
	return &n.Value
}

// Int returns the number truncated to an int, or 0 if n is not valid or out of range.
func (n Number) Int() int {
	if !n.Valid || math.Abs(n.Value) > 1<<53 {
		return 0
	}
	return int(n.Value)
}
