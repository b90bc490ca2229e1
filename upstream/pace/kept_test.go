package pace

import (
	"testing"
	"time"
)

// TestWhoIsAwayKeepsItsTurn: a flow that had its turn next when its call was refused has it
// still after others went on without it, also where nobody waited in between.
func TestWhoIsAwayKeepsItsTurn(t *testing.T) {
	for name, idle := range map[string]bool{"while others wait": false, "after nobody waited": true} {
		t.Run(name, func(t *testing.T) {
			order, now := turns{most: 10}, time.Now()
			stays := order.enter("stays")
			order.enter("stays")
			order.pay(stays, stays)
			order.keep("away", now.Add(time.Minute), now, time.Minute, 10)
			away := order.flows["away"]
			if !order.before(away, stays) {
				t.Fatal("who went already is before who has not gone")
			}
			if idle {
				order.keep("stays", now.Add(time.Minute), now, time.Minute, 10) // It is remembered.
				order.leave("stays", stays)
				order.leave("stays", stays)
				order.enter("stays")
			} else {
				other := order.enter("other")
				order.pay(other, other)
				order.pay(stays, stays) // The order moves on.
				order.leave("other", other)
			}
			if lead := order.lead(away); lead != 0 {
				t.Errorf("who is away is ahead by %d", lead)
			}
			if !order.before(order.enter("away"), stays) {
				t.Error("who was away is overtaken by who stayed")
			}
		})
	}
}
