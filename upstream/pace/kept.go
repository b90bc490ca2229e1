package pace

import "time"

// A call that is refused is told when to come back. Its flow keeps its place in the
// order until then and a window longer, as if the call had waited. Otherwise a caller
// that does as it is told comes back behind everybody who came meanwhile, for ever. A
// place is no token: who comes meanwhile and finds one goes, and a flow whose place is
// kept saves no turns.

// keep keeps the place of a refused call of the flow of key until a time.
func (t *turns) keep(key string, until, now time.Time, most int) {
	t.forget(now)
	f := t.flows[key]
	if f == nil {
		if len(t.flows) >= t.most {
			return
		}
		f = t.add(key)
	}
	if f.waiting == 0 && !f.held {
		t.clock++
		f.since = t.clock
	}
	f.held, f.kept = true, min(f.kept+1, most)
	if until.After(f.until) {
		f.until = until
	}
	t.keeping = true
}

// redeem takes a call of the flow of key out of those whose places are kept: it has come
// back, and enters or is refused again.
func (t *turns) redeem(key string) {
	if f := t.flows[key]; f != nil && f.kept > 0 {
		f.kept--
	}
}

// forget forgets the places of calls that did not come back in time.
func (t *turns) forget(now time.Time) {
	if !t.keeping {
		return
	}
	t.keeping = false
	for key, f := range t.flows {
		switch {
		case f.kept == 0:
		case f.until.Before(now):
			f.kept, f.held = 0, false
			t.drop(key, f)
		default:
			t.keeping = true
		}
	}
}

// drop forgets f if nothing has to be remembered of it.
func (t *turns) drop(key string, f *turn) {
	if f.waiting == 0 && f.kept == 0 && (f.start <= t.now || len(t.flows) > t.most) {
		delete(t.flows, key)
	}
}

// settle forgets what flows owe: nobody waits, so nobody was kept waiting. Places stay.
func (t *turns) settle() {
	if !t.keeping {
		clear(t.flows)
		return
	}
	for key, f := range t.flows {
		f.start = min(f.start, t.now)
		t.drop(key, f)
	}
}

// refuse refuses a call of flow in b, and keeps its place. least is the time that it has
// to wait in any case.
func (p *Pacer) refuse(b *bucket, flow Flow, reason Reason, least time.Duration, now time.Time) *Exhausted {
	after := max(least, p.forecast(b, flow, now, true))
	if flow.Class != Spare { // It has no place.
		key, g, until := b.queue.laneKey(flow), flow.Class.group(), now.Add(after+p.rules.Window)
		b.queue.turns[g].keep(key, until, now, p.options.Bounds.Calls)
		p.order.turns[g].keep(key, until, now, p.options.Bounds.Calls)
	}
	return &Exhausted{Bucket: b.terms.Bucket, Reason: reason, RetryAfter: after}
}

// redeem takes a call of flow, which comes to b, out of those whose places are kept.
func (p *Pacer) redeem(b *bucket, flow Flow) {
	key, g := b.queue.laneKey(flow), flow.Class.group()
	b.queue.turns[g].redeem(key)
	p.order.turns[g].redeem(key)
}
