// Package suppress keeps a suppression list: the addresses that must not be mailed
// again. A receiver fills it from the events of all ESPs, and the code that sends
// mail asks it:
//
//	list, err := suppress.New(store) // new(suppress.MemoryStore), or one of package sqlstore
//	// ...
//	err = d.Tracking.Connect("suppress", list.Receive, list.Wants)
//	// ...
//	ok, err := list.Allowed(ctx, "ada@example.com")
//
// An address is listed for one reason or several, see [Reason]. A subscription
// removes an unsubscription; an operator removes the rest, with [List.Remove].
//
// # Order
//
// ESPs redeliver events, and deliver them in any order. The list compares the times
// of events, so that an older event never undoes a newer one. An event without a
// time, or with one in the future, happened when it was received; but a subscription
// without a time has no effect, since it may be older than any unsubscription. Of two
// events in the same millisecond, the one that lists the address counts.
//
// docs/suppression.md has more.
package suppress

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/goanymail/anymail"
)

// Entry is one reason why an address must not be mailed.
type Entry struct {
	Reason Reason
	// Time is when the latest event of that reason happened, in UTC.
	Time time.Time
	// ESP is the ESP that reported it; empty after [List.Add].
	ESP string
}

// List is a suppression list. Use [New]. All methods may be called at the same time,
// and by several processes that share a store.
type List struct {
	store  Store
	policy Policy
	logger *slog.Logger

	bounces, days int // of WithSoftBounces; 0 for soft bounces that do not count
}

// Option changes a setting of a [List].
type Option func(*List) error

// WithPolicy sets what events mean; [DefaultPolicy] by default.
func WithPolicy(policy Policy) Option {
	return func(l *List) error {
		if policy == nil {
			return anymail.Misconfigured("suppress.WithPolicy", "must not be nil")
		}
		l.policy = policy
		return nil
	}
}

// maxDays is the longest period of WithSoftBounces.
const maxDays = 366

// WithSoftBounces also lists an address whose mail soft-bounced on as many different
// days (in UTC) within a period, for example on 5 of 30 days. Several soft bounces on
// one day count once, since they have one cause: a full mailbox refuses all the mail
// of that day. The entry ends by itself as days leave the period, so that the address
// is tried again. By default, soft bounces do not count. The period has at most 366
// days.
func WithSoftBounces(bounces, ofDays int) Option {
	return func(l *List) error {
		if bounces < 1 || bounces > ofDays || ofDays > maxDays {
			return anymail.Misconfigured("suppress.WithSoftBounces", "must be at least 1 of at most 366 days")
		}
		l.bounces, l.days = bounces, ofDays
		return nil
	}
}

// WithLogger sets where the list logs events that it cannot list because they have
// no usable address; slog.Default() by default.
func WithLogger(logger *slog.Logger) Option {
	return func(l *List) error {
		if logger == nil {
			return anymail.Misconfigured("suppress.WithLogger", "must not be nil")
		}
		l.logger = logger
		return nil
	}
}

// New returns a list in a store. It returns [anymail.ErrConfig] if an argument or an
// option is invalid.
func New(store Store, options ...Option) (*List, error) {
	l := &List{store: store, policy: DefaultPolicy, logger: slog.Default()}
	var errs []error
	if store == nil {
		errs = append(errs, anymail.Misconfigured("suppress.New", "store must not be nil"))
	}
	for _, option := range options {
		errs = append(errs, option(l))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return l, nil
}

// Wants is an [anymail.Filter]: it passes the events that have an effect on the list.
func (l *List) Wants(ev anymail.Event) bool {
	t, ok := ev.(*anymail.TrackingEvent)
	if !ok {
		return false
	}
	reason, _ := l.effect(t)
	return reason != ""
}

// Receive is a receiver, for Connect: it adds the recipient of an event to the list,
// removes it, or ignores the event, as the policy says. A redelivery has no effect.
// Receive returns the store's error, which makes the ESP, or the queue, retry.
func (l *List) Receive(ctx context.Context, ev *anymail.TrackingEvent) error {
	reason, listed := l.effect(ev)
	if reason == "" {
		return nil
	}
	address, err := Canonical(ev.Recipient)
	if err != nil {
		l.logger.WarnContext(ctx, "suppress: event without a usable address", "esp", ev.ESP, "type", ev.Type, "key", ev.Key)
		return nil //nolint:nilerr // a retry would bring the same address
	}
	at, now := ev.Timestamp, time.Now()
	switch {
	case at.IsZero() && !listed:
		return nil // nothing is known to be older
	case at.IsZero(), at.After(now):
		at = now
	}
	r := Record{Address: address, Reason: reason, Listed: listed, Time: stamp(at), ESP: ev.ESP}
	if reason == SoftBounced && listed {
		if day(now)-day(at) >= l.days {
			return nil
		}
		r.Day = 1 + day(at)%l.days // that of a day that has left the period
	}
	return l.put(ctx, []Record{r})
}

// effect is what an event means, by policy and options.
func (l *List) effect(ev *anymail.TrackingEvent) (reason Reason, listed bool) {
	reason, listed = l.policy(ev)
	if reason == SoftBounced && l.bounces == 0 {
		return "", false
	}
	return reason, listed
}

// Allowed reports whether an address may be mailed. It ignores entries of some
// reasons: a receipt or a password may go to a recipient who unsubscribed, by
// Allowed(ctx, address, Unsubscribed). It returns [anymail.ErrMalformed] if address
// is not one, see [Canonical], and the store's error.
func (l *List) Allowed(ctx context.Context, address string, ignored ...Reason) (bool, error) {
	found, err := l.Lookup(ctx, address)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(found[address], func(e Entry) bool { return !slices.Contains(ignored, e.Reason) }), nil
}

// Lookup returns the entries of addresses, in the order of their reasons, with one
// query or few. The keys of the map are addresses as they were given; it does not
// have those that may be mailed. Lookup returns the errors of [List.Allowed].
func (l *List) Lookup(ctx context.Context, addresses ...string) (map[string][]Entry, error) {
	canonical, err := canonicals(addresses)
	if err != nil {
		return nil, err
	}
	records, err := l.get(ctx, canonical)
	if err != nil {
		return nil, err
	}
	byAddress := map[string][]Record{}
	for _, r := range records {
		byAddress[r.Address] = append(byAddress[r.Address], r)
	}
	now := time.Now()
	found := map[string][]Entry{}
	for i, address := range addresses {
		if entries := l.entries(byAddress[canonical[i]], now); entries != nil {
			found[address] = entries
		}
	}
	return found, nil
}

// entries returns the entries that the records of one address make.
func (l *List) entries(records []Record, now time.Time) []Entry {
	var entries []Entry
	var removed time.Time // when soft bounces were
	for _, r := range records {
		switch {
		case r.Day > 0:
		case r.Listed:
			entries = append(entries, Entry{r.Reason, r.Time, r.ESP})
		case r.Reason == SoftBounced:
			removed = r.Time
		}
	}
	days := map[int]bool{}
	var latest Record
	for _, r := range records {
		if r.Day > 0 && r.Time.After(removed) && day(now)-day(r.Time) < l.days {
			days[day(r.Time)] = true
			if r.Supersedes(latest) {
				latest = r
			}
		}
	}
	if l.bounces > 0 && len(days) >= l.bounces {
		entries = append(entries, Entry{SoftBounced, latest.Time, latest.ESP})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Reason, b.Reason) })
	return entries
}

// Add lists addresses as of now. Use it to import another list, or for the wish of a
// recipient that no ESP reported. It returns [anymail.ErrMalformed] if one of them is
// not an address, see [Canonical], and adds none of them then. It returns
// [anymail.ErrConfig] if the reason is empty or [SoftBounced].
func (l *List) Add(ctx context.Context, reason Reason, addresses ...string) error {
	if reason == "" || reason == SoftBounced {
		return anymail.Misconfigured("suppress.Add", "the reason must not be empty or SoftBounced, which is a count")
	}
	return l.set(ctx, addresses, []Reason{reason}, true)
}

// Remove removes an address as of now, for some reasons or, without any, for all of
// them. Only a newer event lists it again. It returns [anymail.ErrMalformed] if
// address is not one. The ESP may have a list of its own, from which you have to
// remove the address as well.
func (l *List) Remove(ctx context.Context, address string, reasons ...Reason) error {
	return l.set(ctx, []string{address}, reasons, false)
}

// set stores what an operator wants. It is newer than all that the store has, even
// if the clock of another process is ahead.
func (l *List) set(ctx context.Context, addresses []string, reasons []Reason, listed bool) error {
	canonical, err := canonicals(addresses)
	if err != nil {
		return err
	}
	stored, err := l.get(ctx, canonical)
	if err != nil {
		return err
	}
	if len(reasons) == 0 { // also those of older events that are still to arrive
		reasons = []Reason{Bounced, Complained, Unsubscribed, SoftBounced}
		for _, r := range stored {
			reasons = append(reasons, r.Reason)
		}
	}
	canonical, reasons = distinct(canonical), distinct(reasons)
	type pair struct {
		address string
		reason  Reason
	}
	latest := map[pair]time.Time{}
	for _, r := range stored {
		if p := (pair{r.Address, r.Reason}); r.Time.After(latest[p]) {
			latest[p] = r.Time
		}
	}
	now := stamp(time.Now())
	var records []Record
	for _, address := range canonical {
		for _, reason := range reasons {
			r := Record{Address: address, Reason: reason, Listed: listed, Time: now}
			if at := latest[pair{address, reason}]; !now.After(at) {
				r.Time = at.Add(time.Millisecond)
			}
			records = append(records, r)
		}
	}
	return l.put(ctx, records)
}

func (l *List) put(ctx context.Context, records []Record) error {
	if err := l.store.Put(ctx, records); err != nil {
		return fmt.Errorf("suppress: %w", err)
	}
	return nil
}

func (l *List) get(ctx context.Context, addresses []string) ([]Record, error) {
	records, err := l.store.Get(ctx, distinct(addresses))
	if err != nil {
		return nil, fmt.Errorf("suppress: %w", err)
	}
	return records, nil
}

func canonicals(addresses []string) ([]string, error) {
	list := make([]string, len(addresses))
	for i, address := range addresses {
		var err error
		if list[i], err = Canonical(address); err != nil {
			return nil, fmt.Errorf("suppress: address %d of %d: %w", i+1, len(addresses), err)
		}
	}
	return list, nil
}

// distinct returns the elements of a list once each.
func distinct[T cmp.Ordered](list []T) []T { return slices.Compact(slices.Sorted(slices.Values(list))) }

// stamp returns a time as a record has it.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// day numbers the days, in UTC.
func day(t time.Time) int { return int(t.Unix() / (24 * 60 * 60)) }
