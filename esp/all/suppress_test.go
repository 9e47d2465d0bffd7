package all_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

// meaning is what ShouldSuppress depends on.
type meaning struct {
	typ      anymail.EventType
	reason   anymail.RejectReason
	category anymail.BounceCategory
}

// toSuppress are the outcomes after which a recipient must not be mailed again.
var toSuppress = map[meaning]string{
	{anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard}: "no such mailbox",
	{anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard}: "refused for good",
	{anymail.EventComplained, anymail.RejectSpam, ""}:                 "a complaint",
	{anymail.EventUnsubscribed, anymail.RejectUnsubscribed, ""}:       "an unsubscription",
	{anymail.EventRejected, anymail.RejectInvalid, ""}:                "cannot be an address",
	{anymail.EventRejected, anymail.RejectBounced, ""}:                "bounced before",
	{anymail.EventRejected, anymail.RejectSpam, ""}:                   "complained before",
	{anymail.EventRejected, anymail.RejectUnsubscribed, ""}:           "unsubscribed before",
}

// toKeep are those after which it may be.
var toKeep = map[meaning]string{
	{anymail.EventQueued, "", ""}:                                             "",
	{anymail.EventSent, "", ""}:                                               "",
	{anymail.EventDelivered, "", ""}:                                          "",
	{anymail.EventOpened, "", ""}:                                             "",
	{anymail.EventClicked, "", ""}:                                            "",
	{anymail.EventSubscribed, "", ""}:                                         "",
	{anymail.EventAutoresponded, "", ""}:                                      "",
	{anymail.EventUnknown, "", ""}:                                            "",
	{anymail.EventInboundFailed, "", ""}:                                      "a tracking event of some ESPs",
	{anymail.EventUnknown, anymail.RejectBounced, ""}:                         "an entry of Mandrill's list, not a message",
	{anymail.EventDeferred, "", anymail.BounceSoft}:                           "delayed",
	{anymail.EventDeferred, "", anymail.BounceBlock}:                          "delayed, since taken for spam",
	{anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft}:         "mailbox full",
	{anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined}: "the ESP cannot tell",
	{anymail.EventBounced, anymail.RejectOther, anymail.BounceSoft}:           "message too large",
	{anymail.EventBounced, anymail.RejectTimedOut, anymail.BounceSoft}:        "given up after retries",
	{anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock}:        "reputation or policy",
	{anymail.EventBounced, anymail.RejectSpam, anymail.BounceBlock}:           "content",
	{anymail.EventRejected, anymail.RejectBlocked, ""}:                        "policy, content, or a list without a reason",
	{anymail.EventRejected, anymail.RejectOther, ""}:                          "another reason",
	{anymail.EventFailed, anymail.RejectOther, ""}:                            "template error",
}

// Every event of every sample of every simulator is in one of the tables, and
// every row is the outcome of a sample.
func TestShouldSuppress(t *testing.T) {
	seen := map[meaning]bool{}
	for _, sim := range allsim.List() {
		adapter, _, err := sim.NewAccount()
		require.NoError(t, err)
		for _, sample := range sim.Samples {
			if len(sample.Types) == 0 {
				continue // a ping, which does not get to the parser
			}
			events, err := simulator.Parse(adapter, sample.Make(simulator.NewParams()))
			require.NoError(t, err)
			for _, ev := range events {
				tracking, ok := ev.(*anymail.TrackingEvent)
				if !ok {
					require.False(t, anymail.ToSuppress(ev))
					continue
				}
				o := meaning{tracking.Type, tracking.RejectReason, tracking.Bounce.Category}
				_, suppress := toSuppress[o]
				_, keep := toKeep[o]
				require.True(t, suppress != keep, "%s/%s: %v is in no table, or in both", sim.ESP, sample.Name, o)
				require.Equal(t, suppress, tracking.ShouldSuppress(), "%s/%s: %v", sim.ESP, sample.Name, o)
				require.True(t, !suppress || tracking.Recipient != "", "%s/%s has no recipient", sim.ESP, sample.Name)
				seen[o] = true
			}
		}
	}
	require.Len(t, seen, len(toSuppress)+len(toKeep), "a row that is the outcome of no sample")
}
