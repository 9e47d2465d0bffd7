package gateway

import "strings"

// didYouMean names the one of names that is most like a wrong one, as " (did you
// mean it?)", or returns "" if none is like it.
func didYouMean(name string, names []string) string {
	plain := func(name string) string { return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name)) }
	near, least := "", len(name)/3+1 // at most a third of the letters may differ
	for _, known := range names {
		if d := distance(plain(name), plain(known)); d < least {
			near, least = known, d
		}
	}
	if near == "" {
		return ""
	}
	return " (did you mean " + near + "?)"
}

// distance is how many letters must be added, removed, replaced or swapped with the
// next one to make a of b.
func distance(a, b string) int {
	var before []int // the row before the last one
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			replaced := last[j]
			if a[i] != b[j] {
				replaced++
			}
			row[j+1] = min(replaced, row[j]+1, last[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
