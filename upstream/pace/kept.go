package pace

import (
	"slices"
	"time"
)

// A call that is refused is told when to come back. Its flow keeps its place in the
// order until then and a window longer, as if the call had waited. Otherwise a caller
// that does as it is told comes back behind everybody who came meanwhile, for ever. A
// place is no token: who comes meanwhile and finds one goes, and a flow whose place is
// kept saves no turns. Nor is it needed before its call comes back: others are told of the
// tokens that are free until then, so that those who are refused at one time, and for one
// reason, do not all come back at another.

// soon is how much earlier than it was told a call may come back.
const soon = time.Second

// perFlow is the part of the places that one flow may have.
const perFlow = 1. / 16

// keep keeps the place of a refused call of the flow of key, which is to come back at a
// time, for as long after that. most bounds the places of all flows.
func (t *turns) keep(key string, back, now time.Time, long time.Duration, most int) {
	t.forget(now.Add(-long))
	f := t.flows[key]
	if t.kept >= most || f == nil && len(t.flows) >= t.most || f != nil && len(f.kept) >= max(1, int(perFlow*float64(most))) {
		return
	}
	if f == nil {
		f = t.add(key)
	}
	if f.waiting == 0 && !f.held {
		t.clock++
		f.since = t.clock
	}
	at, _ := slices.BinarySearchFunc(f.kept, back, time.Time.Compare)
	f.kept, f.held = slices.Insert(f.kept, at, back), true
	t.kept++
}

// redeem takes a call of the flow of key out of those whose places are kept, if one is to
// come back by now: it is that call, and enters or is refused again. A call that comes
// sooner is another one. It reports which.
func (t *turns) redeem(key string, now time.Time) bool {
	f := t.flows[key]
	if f == nil || len(f.kept) == 0 || f.kept[0].After(now.Add(soon)) {
		return false
	}
	f.kept = f.kept[1:]
	t.kept--
	return true
}

// forget forgets the places of calls that were to come back before a time.
func (t *turns) forget(before time.Time) {
	if t.kept == 0 {
		return
	}
	for key, f := range t.flows {
		had := len(f.kept)
		for len(f.kept) > 0 && f.kept[0].Before(before) {
			f.kept = f.kept[1:]
			t.kept--
		}
		if had > 0 && len(f.kept) == 0 {
			f.held = false
			t.drop(key, f)
		}
	}
}

// drop forgets f if nothing has to be remembered of it.
func (t *turns) drop(key string, f *turn) {
	if f.waiting == 0 && len(f.kept) == 0 && (f.start <= t.now || len(t.flows) > t.most) {
		delete(t.flows, key)
	}
}

// settle forgets what flows owe: nobody waits, so nobody was kept waiting. Places stay, in
// their order.
func (t *turns) settle() {
	if t.kept == 0 {
		clear(t.flows)
		return
	}
	for _, f := range t.flows {
		t.now = max(t.now, f.start)
	}
	for key, f := range t.flows {
		t.drop(key, f)
	}
}

// refuse refuses a call of flow in b, and keeps its place. least is the time that it has
// to wait in any case. returned says that it had come back.
func (p *Pacer) refuse(b *bucket, flow Flow, reason Reason, least time.Duration, now time.Time, returned bool) *Exhausted {
	after := max(least, p.forecast(b, flow, now, view{kept: true, returned: returned}))
	if flow.Class != Spare { // It has no place.
		key, g := b.queue.laneKey(flow), flow.Class.group()
		for _, t := range []*turns{&b.queue.turns[g], &p.order.turns[g]} {
			t.keep(key, now.Add(after), now, p.rules.Window, p.options.Bounds.Calls)
		}
	}
	return &Exhausted{Bucket: b.terms.Bucket, Reason: reason, RetryAfter: after}
}

// redeem takes a call of flow, which comes to b, out of those whose places are kept,
// and reports whether it was one of them.
func (p *Pacer) redeem(b *bucket, flow Flow, now time.Time) bool {
	key, g := b.queue.laneKey(flow), flow.Class.group()
	p.order.turns[g].redeem(key, now)
	return b.queue.turns[g].redeem(key, now)
}
