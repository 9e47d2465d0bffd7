package inbound

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Date reads the date of a header field (RFC 5322) and returns it in UTC. It is
// lenient: the parts may be in another order, the day of the week and the seconds
// may be missing, and a wrong day of the week is ignored. It accepts two-digit
// years, obsolete zones, and the formats of RFC 850, RFC 3339 and C's asctime.
// Without a known zone the time is taken as UTC. Date returns the zero time if s
// is not a date or is outside of the years 1900 to 9999.
func Date(s string) time.Time {
	s = strings.TrimSpace(s[:min(len(s), 200)])
	if len(s) > len("2006-") && s[len("2006")] == '-' {
		for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05"} {
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

// spacedColon occurs in dates that are folded within the time (RFC 5322, A.6.3).
var spacedColon = regexp.MustCompile(`\s*:\s*`)

// dateParts are the parts of a date that have been found.
type dateParts struct {
	year, day            int
	month                time.Month
	hour, minute, second int
	hasYear, hasTime     bool
	offset               int // of the zone, in seconds
}

// read takes a part that is still missing from a word.
func (d *dateParts) read(word string) {
	number, err := strconv.Atoi(word)
	isNumber := err == nil && word[0] != '+' && word[0] != '-'
	switch {
	case strings.Contains(word, ":") && !d.hasTime:
		d.readTime(word)
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
	case d.hasTime:
		if offset, ok := zoneOffset(word); ok {
			d.offset = offset
		}
	}
}

// readTime reads 15:04 or 15:04:05. It ignores a fraction of a second.
func (d *dateParts) readTime(word string) {
	word, _, _ = strings.Cut(word, ".")
	fields := strings.Split(word, ":")
	var clock [3]int
	if len(fields) > len(clock) {
		return
	}
	for i, field := range fields {
		n, err := strconv.Atoi(field)
		if err != nil || len(field) > 2 || n < 0 {
			return
		}
		clock[i] = n
	}
	if clock[0] < 24 && clock[1] < 60 && clock[2] <= 60 { // a leap second
		d.hour, d.minute, d.second, d.hasTime = clock[0], clock[1], clock[2], true
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

// zoneOffset reads +0200, +02:00, GMT+2 and the names of RFC 5322.
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
	case "PST":
		return -8 * hour, true
	}
	word = strings.TrimPrefix(strings.TrimPrefix(word, "GMT"), "UTC")
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
