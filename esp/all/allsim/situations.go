package allsim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/simulator"
)

// Situation is something that happens to messages at every ESP, whatever the
// ESP calls it.
type Situation struct {
	Name string
	// Meaning is that of its events. It leaves Automated out if only some
	// ESPs report it.
	Meaning Meaning
	// Except gives the reason if a sample has another meaning. It is named by the
	// ESP's canonical name, a slash and the sample's name.
	Except map[string]string
}

// Meaning holds the fields of an event that do not depend on the message.
type Meaning struct {
	Type      anymail.EventType
	Reason    anymail.RejectReason
	Category  anymail.BounceCategory
	Automated anymail.Tri
}

// String returns the fields that are set.
func (m Meaning) String() string {
	words := []string{string(m.Type)}
	for _, word := range []string{string(m.Reason), string(m.Category)} {
		if word != "" {
			words = append(words, word)
		}
	}
	switch m.Automated {
	case anymail.Yes:
		words = append(words, "automated")
	case anymail.No:
		words = append(words, "not automated")
	}
	return strings.Join(words, ", ")
}

// Like reports whether m equals other. It ignores Automated if other leaves it
// out.
func (m Meaning) Like(other Meaning) bool {
	if other.Automated == anymail.Unsaid {
		m.Automated = anymail.Unsaid
	}
	return m == other
}

// Meanings passes a simulator's samples to its adapter. It returns the meaning of
// each sample's first event, by the sample's name.
func Meanings(sim *simulator.Simulator) (map[string]Meaning, error) {
	adapter, _, err := sim.NewAccount()
	if err != nil {
		return nil, err
	}
	meanings := map[string]Meaning{}
	for _, sample := range sim.Samples {
		if len(sample.Types) == 0 {
			continue // a ping, which does not get to the parser
		}
		events, err := simulator.Parse(adapter, sample.Make(simulator.NewParams()))
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", sim.ESP, sample.Name, err)
		}
		m := Meaning{Type: events[0].Base().Type}
		if ev, ok := events[0].(*anymail.TrackingEvent); ok {
			m.Reason, m.Category, m.Automated = ev.RejectReason, ev.Bounce.Category, ev.Automated
		}
		meanings[sample.Name] = m
	}
	return meanings, nil
}

// Find returns the situation of a simulator's sample, or nil if it has none: the one
// that the simulator names, or else the first one that has the sample's meaning.
func (list Situations) Find(sim *simulator.Simulator, sample string, m Meaning) *Situation {
	if name, ok := sim.Situations[sample]; ok {
		return list.first(func(s Situation) bool { return s.Name == name })
	}
	if exact := list.first(func(s Situation) bool { return s.Meaning == m }); exact != nil {
		return exact
	}
	return list.first(func(s Situation) bool { return m.Like(s.Meaning) })
}

func (list Situations) first(is func(Situation) bool) *Situation {
	if i := slices.IndexFunc(list, is); i >= 0 {
		return &list[i]
	}
	return nil
}

// Situations are those that ESPs report.
type Situations []Situation

// AllSituations returns them from a message's first step to its last. If several have
// one meaning, the first is the general one, and the simulator names the samples of
// the others.
func AllSituations() Situations {
	is := func(typ anymail.EventType, reason anymail.RejectReason, category anymail.BounceCategory) Meaning {
		return Meaning{Type: typ, Reason: reason, Category: category}
	}
	return Situations{
		{
			Name:    "The ESP took the message",
			Meaning: is(anymail.EventQueued, "", ""),
		}, {
			Name:    "The ESP sent it on",
			Meaning: is(anymail.EventSent, "", ""),
		}, {
			Name:    "The receiving server took it",
			Meaning: is(anymail.EventDelivered, "", ""),
		}, {
			Name:    "Delayed: the ESP goes on trying",
			Meaning: is(anymail.EventDeferred, "", anymail.BounceSoft),
		}, {
			Name:    "Delayed, since taken for spam",
			Meaning: is(anymail.EventDeferred, "", anymail.BounceBlock),
		}, {
			Name:    "The receiving server says that there is no such mailbox",
			Meaning: is(anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard),
		}, {
			Name:    "Refused for good, for no known reason",
			Meaning: is(anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard),
		}, {
			Name:    "Refused, for good or not: the ESP cannot tell",
			Meaning: is(anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined),
		}, {
			Name:    "Mailbox full",
			Meaning: is(anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft),
		}, {
			Name:    "Message too large",
			Meaning: is(anymail.EventBounced, anymail.RejectOther, anymail.BounceSoft),
		}, {
			Name:    "Given up after retries",
			Meaning: is(anymail.EventBounced, anymail.RejectTimedOut, anymail.BounceSoft),
		}, {
			Name:    "Refused by reputation or policy",
			Meaning: is(anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock),
		}, {
			Name:    "Attachment refused, or taken for a virus",
			Meaning: is(anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock),
		}, {
			Name:    "The receiving server takes the content for spam",
			Meaning: is(anymail.EventBounced, anymail.RejectSpam, anymail.BounceBlock),
		}, {
			Name:    "Not sent: the address bounced before",
			Meaning: is(anymail.EventRejected, anymail.RejectBounced, ""),
		}, {
			Name:    "Not sent: the recipient complained before",
			Meaning: is(anymail.EventRejected, anymail.RejectSpam, ""),
		}, {
			Name:    "Not sent: the recipient unsubscribed before",
			Meaning: is(anymail.EventRejected, anymail.RejectUnsubscribed, ""),
		}, {
			Name:    "Not sent: the address is on a list, and the ESP does not say why",
			Meaning: is(anymail.EventRejected, anymail.RejectBlocked, ""),
		}, {
			Name:    "Not sent: the address cannot be one",
			Meaning: is(anymail.EventRejected, anymail.RejectInvalid, ""),
			Except:  map[string]string{"brevo/invalid_email": "Brevo does not say which of the two found the address invalid."},
		}, {
			Name:    "Not sent: the ESP takes the content for spam",
			Meaning: is(anymail.EventRejected, anymail.RejectBlocked, ""),
		}, {
			Name:    "Not sent: by the ESP's own policy, or for a virus",
			Meaning: is(anymail.EventRejected, anymail.RejectBlocked, ""),
		}, {
			Name:    "Not sent for another reason, or one that is not told",
			Meaning: is(anymail.EventRejected, anymail.RejectOther, ""),
		}, {
			Name:    "The ESP could not send",
			Meaning: is(anymail.EventFailed, anymail.RejectOther, ""),
		}, {
			Name:    "Template error",
			Meaning: is(anymail.EventFailed, anymail.RejectOther, ""),
		}, {
			Name:    "Opened",
			Meaning: is(anymail.EventOpened, "", ""),
		}, {
			Name:    "Opened by a bot, proxy or prefetch",
			Meaning: Meaning{Type: anymail.EventOpened, Automated: anymail.Yes},
		}, {
			Name:    "A link was followed",
			Meaning: is(anymail.EventClicked, "", ""),
		}, {
			Name:    "Reported as spam by the recipient",
			Meaning: is(anymail.EventComplained, anymail.RejectSpam, ""),
		}, {
			Name:    "Unsubscribed, by a link, List-Unsubscribe or the ESP's page",
			Meaning: is(anymail.EventUnsubscribed, anymail.RejectUnsubscribed, ""),
		}, {
			Name:    "Subscribed, or subscribed again",
			Meaning: is(anymail.EventSubscribed, "", ""),
		}, {
			Name:    "Vacation reply",
			Meaning: is(anymail.EventAutoresponded, "", ""),
		}, {
			Name:    "A message was received",
			Meaning: is(anymail.EventInbound, "", ""),
		}, {
			Name:    "A message was received, but cannot be had",
			Meaning: is(anymail.EventInboundFailed, "", ""),
		},
	}
}
