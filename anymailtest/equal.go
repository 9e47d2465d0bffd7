package anymailtest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/goanymail/anymail"
)

// Equal fails the test unless two events are equal. It does not compare Account,
// Raw and Key. An expected event without a type is an [anymail.EventUnknown].
func Equal(t testing.TB, want, got anymail.Event) {
	t.Helper()
	if base := want.Base(); base.Type == "" {
		base.Type = anymail.EventUnknown
	}
	options := append(EventOptions(), cmpopts.IgnoreFields(anymail.Common{}, "Account", "Raw", "Key"))
	if diff := cmp.Diff(want, got, options...); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

// RoundTrip fails the test unless the JSON form of an event decodes to an equal
// event.
func RoundTrip(t testing.TB, ev anymail.Event) {
	t.Helper()
	form, err := json.Marshal(ev)
	if err != nil {
		t.Fatalf("JSON form: %v", err)
	}
	back, err := anymail.DecodeEvent(form)
	if err != nil {
		t.Fatalf("JSON form does not decode: %v\n%.500s", err, form)
	}
	if diff := cmp.Diff(ev, back, EventOptions()...); diff != "" {
		t.Errorf("JSON form decodes to another event (-before +after):\n%s", diff)
	}
}

// EventOptions are the options that comparing events with go-cmp requires.
func EventOptions() []cmp.Option {
	return []cmp.Option{
		cmpopts.EquateEmpty(),
		cmpopts.EquateComparable(anymail.TrackingEvent{}.IP),
	}
}
