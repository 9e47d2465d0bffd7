package wire

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Unix reads a time in seconds since 1970, with fractions, as a number or a
// string. Anything else is the zero time.
type Unix struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (u *Unix) UnmarshalJSON(b []byte) error {
	u.Time = UnixTime(strings.Trim(string(b), `"`))
	return nil
}

// UnixTime reads seconds since 1970, with up to nine decimals, exactly. It
// returns the zero time for anything else and for 0.
func UnixTime(s string) time.Time {
	if strings.ContainsAny(s, "eE") { // 1.79e9, say
		if n := ParseNumber(s); n.Valid && math.Abs(n.Value) <= maxUnix {
			s = strconv.FormatInt(int64(n.Value), 10)
		}
	}
	whole, fraction, _ := strings.Cut(s, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || seconds <= 0 || seconds > maxUnix {
		return time.Time{}
	}
	var nanos int64
	if fraction != "" {
		nanos, err = strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
		if err != nil || nanos < 0 {
			return time.Time{}
		}
	}
	return time.Unix(seconds, nanos).UTC()
}

const maxUnix = 253402300799 // the end of the year 9999, after which there is no RFC 3339

// UnixMilli reads a time in milliseconds since 1970 as [Unix] reads seconds.
type UnixMilli struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (u *UnixMilli) UnmarshalJSON(b []byte) error {
	u.Time = time.Time{}
	if n := ParseNumber(strings.Trim(string(b), `"`)); n.Valid && n.Value > 0 && n.Value <= maxUnix*1000 {
		u.Time = time.UnixMilli(int64(n.Value)).UTC()
	}
	return nil
}

// Time reads a time in one of the layouts, in UTC unless it names a zone. It
// returns the zero time if none fits.
func Time(s string, layouts ...string) time.Time {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 0 && t.Year() < 10000 {
			return t.UTC()
		}
	}
	return time.Time{}
}

// RFC3339 is a time in that format, in UTC if it names no zone, with a T or a
// space in the middle. Anything else is the zero time.
type RFC3339 struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (r *RFC3339) UnmarshalJSON(b []byte) error {
	r.Time = Time(strings.Trim(string(b), `"`), time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999")
	return nil
}
