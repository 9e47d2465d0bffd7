// Package suppresstest has the tests that every [suppress.Store] passes.
package suppresstest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/goanymail/anymail/suppress"
)

// Run tests a store. open returns a store that has no records at the first call, and
// another one that shares its records at every further call with the same t, as in
// another process.
func Run(t *testing.T, open func(t *testing.T) suppress.Store) {
	for _, test := range []struct {
		name string
		run  func(*opened)
	}{
		{"Supersede", testSupersede},
		{"Distinct", testDistinct},
		{"Values", testValues},
		{"Many", testMany},
		{"Concurrent", testConcurrent},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(&opened{t, func() suppress.Store { return open(t) }}) })
	}
}

// opened opens stores that share their records.
type opened struct {
	t    *testing.T
	open func() suppress.Store
}

func (o *opened) put(s suppress.Store, records ...suppress.Record) {
	o.t.Helper()
	if err := s.Put(o.t.Context(), records); err != nil {
		o.t.Fatal(err)
	}
}

func (o *opened) check(s suppress.Store, addresses []string, want ...suppress.Record) {
	o.t.Helper()
	got, err := s.Get(o.t.Context(), addresses)
	if err != nil {
		o.t.Fatal(err)
	}
	order := func(a, b suppress.Record) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Day, b.Day))
	}
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	if diff := gocmp.Diff(want, got); diff != "" {
		o.t.Fatalf("records (-want +got):\n%s", diff)
	}
}

const ada = "ada@example.com"

// at is a time that a record may have.
func at(ms int) time.Time { return time.UnixMilli(1_790_000_000_000 + int64(ms)).UTC() }

func bounced(ms int, listed bool, esp string) suppress.Record {
	return suppress.Record{Address: ada, Reason: suppress.Bounced, Listed: listed, Time: at(ms), ESP: esp}
}

// The same records have the same result in any order: the newest counts and, of two
// at the same time, the one that is listed.
func testSupersede(o *opened) {
	first, removed, again := bounced(1, true, "a"), bounced(2, false, "b"), bounced(2, true, "c")
	s := o.open()
	for i, step := range []struct{ put, want suppress.Record }{
		{removed, removed},
		{first, removed},
		{removed, removed},
		{again, again},
		{removed, again},
		{bounced(2, true, "d"), again},
		{bounced(3, false, "e"), bounced(3, false, "e")},
		{again, bounced(3, false, "e")},
	} {
		o.t.Log("step", i)
		o.put(s, step.put)
		o.check(s, []string{ada}, step.want)
	}
}

// Records of other addresses, reasons and days have no effect on each other.
func testDistinct(o *opened) {
	records := []suppress.Record{
		bounced(1, true, "a"),
		{Address: ada, Reason: suppress.SoftBounced, Day: 1, Listed: true, Time: at(5)},
		{Address: ada, Reason: suppress.SoftBounced, Day: 2, Listed: true, Time: at(4)},
		{Address: ada, Reason: suppress.Unsubscribed, Time: at(3)},
		{Address: "bob@example.com", Reason: suppress.Bounced, Listed: true, Time: at(2)},
	}
	s := o.open()
	o.put(s)
	o.check(s, nil)
	o.check(s, []string{ada})
	o.put(s, records...)
	o.check(s, []string{ada}, records[:4]...)
	o.check(s, []string{"bob@example.com", "nobody@example.com"}, records[4])
	o.check(o.open(), []string{ada, "bob@example.com"}, records...)
}

// What is stored is returned unchanged.
func testValues(o *opened) {
	s := o.open()
	for _, address := range []string{
		`o'hara"; --@example.com`, "émile@bücher.example", "a+b.c@example.com", "%_@example.com", `back\slash@example.com`,
		strings.Repeat("a", 64) + "@" + strings.Repeat("b", 255),
	} {
		r := suppress.Record{Address: address, Reason: "unsubscribed from “news”", Listed: true, Time: at(7), ESP: "acme"}
		o.put(s, r)
		o.check(s, []string{address}, r)
	}
	old := suppress.Record{Address: ada, Reason: suppress.Manual, Listed: true, Time: time.Date(1, 1, 1, 0, 0, 0, 1e6, time.UTC)}
	o.put(s, old)
	o.check(s, []string{ada}, old)
}

// A batch has no limit.
func testMany(o *opened) {
	var records []suppress.Record
	var addresses []string
	for i := range 2500 {
		address := fmt.Sprintf("%d@example.com", i)
		addresses = append(addresses, address)
		records = append(records, suppress.Record{Address: address, Reason: suppress.Manual, Listed: true, Time: at(i)})
	}
	s := o.open()
	o.put(s, records...)
	o.put(s, records...)
	o.check(s, addresses, records...)
}

// Writers put the same records at once, in different orders. The newest remain.
func testConcurrent(o *opened) {
	const writers, addresses, versions = 4, 20, 10
	var want []suppress.Record
	var names []string
	versionOf := func(address, version int) suppress.Record {
		return suppress.Record{Address: names[address], Reason: suppress.Unsubscribed, Listed: version%2 == 0, Time: at(version / 2)}
	}
	for a := range addresses {
		names = append(names, fmt.Sprintf("%d@example.com", a))
		// Two versions have each time; the listed one comes first.
		want = append(want, versionOf(a, versions-2))
	}
	stores := make([]suppress.Store, writers)
	for i := range stores {
		stores[i] = o.open()
	}
	var wg sync.WaitGroup
	for _, s := range stores {
		wg.Go(func() {
			for range versions * 3 {
				var batch []suppress.Record
				for _, a := range rand.Perm(addresses) {
					batch = append(batch, versionOf(a, rand.IntN(versions)))
				}
				if err := s.Put(o.t.Context(), batch); err != nil {
					o.t.Error(err)
				}
			}
			for version := range versions { // so that each was put
				var batch []suppress.Record
				for _, a := range rand.Perm(addresses) {
					batch = append(batch, versionOf(a, version))
				}
				if err := s.Put(o.t.Context(), batch); err != nil {
					o.t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	o.check(stores[0], names, want...)
}
