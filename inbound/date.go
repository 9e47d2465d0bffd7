package inbound

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Date reads the date of a header field (RFC 5322) and returns it in UTC. It is
// lenient: the parts may be in another order, the day of the week and the seconds
// may be missing, and a wrong day of the week is ignored. The zone may follow the
// time without a space. Date accepts two-digit years, obsolete zones, a clock of
// twelve hours, dots in the time, and the formats of RFC 850, RFC 3339, ISO 8601
// and C's asctime. Without a known zone the time is taken as UTC. Date returns the
// zero time if s is not a date or is outside of the years 1900 to 9999.
func Date(s string) time.Time {
	s = strings.TrimSpace(s[:min(len(s), 200)])
	if len(s) > len("2006-") && s[len("2006")] == '-' {
		for _, layout := range isoLayouts {
			if t, err := time.Parse(layout, s); err == nil {
				return plausible(t)
			}
		}
	}
	var d dateParts
	s = spacedColon.ReplaceAllString(removeComments(s), ":")
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' || r == '\r' || r == '\n' }) {
		d.read(word)
	}
	return d.time()
}

// isoLayouts are those of RFC 3339 and ISO 8601.
var isoLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05-0700", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05-0700", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 -07:00",
	"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05", "2006-01-02 15:04",
}

// spacedColon occurs in dates that are folded within the time (RFC 5322, A.6.3).
var spacedColon = regexp.MustCompile(`\s*:\s*`)

// dateParts are the parts of a date that have been found.
type dateParts struct {
	year, day            int
	month                time.Month
	hour, minute, second int
	hasYear, hasTime     bool
	offset               int // of the zone, in seconds
	hasOffset            bool
}

// read takes a part that is still missing from a word.
func (d *dateParts) read(word string) {
	number, err := strconv.Atoi(word)
	isNumber := err == nil && word[0] != '+' && word[0] != '-'
	switch {
	case !d.hasTime && (strings.Contains(word, ":") || strings.Count(word, ".") == 2 && d.month != 0):
		d.readTime(word)
	case d.hasTime && d.hour <= 12 && (strings.EqualFold(word, "am") || strings.EqualFold(word, "pm")):
		d.readHalf(word)
	case isNumber && d.day == 0 && len(word) <= 2:
		d.day = number
	case isNumber && !d.hasYear && len(word) <= 4:
		d.year, d.hasYear = fullYear(number, len(word)), true
	case d.month == 0 && monthOf(word) != 0:
		d.month = monthOf(word)
	case d.day == 0 && strings.Count(word, "-") == 2: // 02-Jan-06
		for part := range strings.SplitSeq(word, "-") {
			d.read(part)
		}
	case d.hasTime && !d.hasOffset:
		d.readZone(word, isNumber)
	}
}

func (d *dateParts) readZone(word string, isNumber bool) {
	if isNumber && len(word) == 4 && d.hasYear {
		word = "+" + word
	}
	if offset, ok := zoneOffset(word); ok {
		d.offset, d.hasOffset = offset, true
	}
}

// readHalf reads AM or PM.
func (d *dateParts) readHalf(word string) {
	d.hour %= 12
	if strings.EqualFold(word, "pm") {
		d.hour += 12
	}
}

// readTime reads 15:04 or 15:04:05, also with dots, and what follows without a
// space: a zone, AM or PM. It ignores a fraction of a second.
func (d *dateParts) readTime(word string) {
	rest := strings.TrimLeft(word, "0123456789:.")
	word = word[:len(word)-len(rest)]
	if !strings.Contains(word, ":") {
		word = strings.ReplaceAll(word, ".", ":")
	}
	word, _, _ = strings.Cut(word, ".")
	fields := strings.Split(word, ":")
	var clock [3]int
	if len(fields) > len(clock) {
		return
	}
	for i, field := range fields {
		n, err := strconv.Atoi(field)
		if err != nil || len(field) > 2 {
			return
		}
		clock[i] = n
	}
	if clock[0] < 24 && clock[1] < 60 && clock[2] <= 60 { // a leap second
		d.hour, d.minute, d.second, d.hasTime = clock[0], clock[1], clock[2], true
		if rest != "" {
			d.read(rest)
		}
	}
}

func (d *dateParts) time() time.Time {
	t := time.Date(d.year, d.month, d.day, d.hour, d.minute, d.second, 0, time.UTC)
	if !d.hasYear || !d.hasTime || d.month == 0 || d.day == 0 || time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC).Day() != d.day {
		return time.Time{}
	}
	return plausible(t.Add(-time.Duration(d.offset) * time.Second))
}

// plausible returns t in UTC, or the zero time if its year is implausible or
// does not fit into JSON.
func plausible(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 1900 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// fullYear completes a year of two or three digits (RFC 5322, section 4.3).
func fullYear(n, digits int) int {
	switch {
	case digits <= 2 && n < 50:
		return n + 2000
	case digits <= 3:
		return n + 1900
	}
	return n
}

func monthOf(word string) time.Month {
	if len(word) < 3 {
		return 0
	}
	i := strings.Index("janfebmaraprmayjunjulaugsepoctnovdec", strings.ToLower(word[:3]))
	if i < 0 || i%3 != 0 {
		return 0
	}
	return time.Month(i/3 + 1)
}

// zoneOffset reads +0200, +02:00, GMT+2, the names of RFC 5322, and others that
// mean one zone only.
func zoneOffset(word string) (seconds int, ok bool) {
	const hour = 3600
	word = strings.ToUpper(word)
	switch word {
	case "GMT", "UTC", "UT", "Z":
		return 0, true
	case "EST", "CDT":
		return -5 * hour, true
	case "EDT":
		return -4 * hour, true
	case "CST", "MDT":
		return -6 * hour, true
	case "MST", "PDT":
		return -7 * hour, true
	case "PST", "AKDT":
		return -8 * hour, true
	case "AKST":
		return -9 * hour, true
	case "HST":
		return -10 * hour, true
	case "WET":
		return 0, true
	case "CET", "MET", "MEZ", "WEST":
		return hour, true
	case "CEST", "MEST", "MESZ", "EET":
		return 2 * hour, true
	case "EEST", "MSK":
		return 3 * hour, true
	case "JST", "KST":
		return 9 * hour, true
	case "AEST":
		return 10 * hour, true
	case "AEDT":
		return 11 * hour, true
	case "NZST":
		return 12 * hour, true
	case "NZDT":
		return 13 * hour, true
	}
	for _, prefix := range []string{"GMT", "UTC", "UT"} {
		word = strings.TrimPrefix(word, prefix)
	}
	if word == "" || word[0] != '+' && word[0] != '-' {
		return 0, false
	}
	digits := strings.ReplaceAll(word[1:], ":", "")
	if len(digits) <= 2 {
		digits += "00"
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || len(digits) > 4 || n%100 > 59 || n/100 > 23 {
		return 0, false
	}
	seconds = n/100*hour + n%100*60
	if word[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}
