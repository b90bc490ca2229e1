package pace

// modelFlow is a flow as the model of a queue has it.
type modelFlow struct {
	calls  []*waiter
	start  uint64
	since  uint64
	minted uint64
}

// tokensAMint is how many tokens mints share with revocations for one of theirs.
const tokensAMint = 5

// modelQueue orders calls as a queue does, by lists that are searched.
type modelQueue struct {
	flows    [groups]map[string]*modelFlow
	now      [groups]uint64
	clock    uint64
	overtook bool
	run      int
	// credit is what mints have earned, of tokensAMint for one.
	credit int
}

func (m *modelQueue) start(g group, key string) uint64 {
	return max(m.flows[g][key].start, m.now[g])
}

// turn returns the flow that goes next, of those that match.
func (m *modelQueue) turn(g group, match func(key string, f *modelFlow) bool) (first string) {
	for key, f := range m.flows[g] {
		if len(f.calls) == 0 || !match(key, f) {
			continue
		}
		if first == "" || m.start(g, key) < m.start(g, first) ||
			m.start(g, key) == m.start(g, first) && f.since < m.flows[g][first].since {
			first = key
		}
	}
	return first
}

// of is the first call of a class.
func (f *modelFlow) of(class Class) *waiter {
	for _, w := range f.calls {
		if w.class == class {
			return w
		}
	}
	return nil
}

func (m *modelQueue) has(class Class) bool {
	for _, f := range m.flows[class.group()] {
		if f.of(class) != nil {
			return true
		}
	}
	return false
}

// pop returns the next call, in a queue without overdue calls.
func (m *modelQueue) pop() *waiter {
	every := func(string, *modelFlow) bool { return true }
	behind := m.has(Revocation) || m.has(Mint) || m.has(Interactive) || m.has(FanOut)
	contested, mints := m.has(Revocation) && m.has(Mint), m.has(Mint)
	if key := m.turn(urgent, every); key != "" && (!behind || m.run < urgentRun) {
		if behind {
			m.run++
		}
		return m.inTurn(urgent, key, m.flows[urgent][key].calls[0])
	}
	var w *waiter
	if key := m.turn(prompt, every); key != "" {
		w = m.popPrompt(key, contested)
	} else if key := m.turn(patient, every); key != "" {
		m.overtook = false
		w = m.inTurn(patient, key, m.flows[patient][key].calls[0])
	} else if key := m.turn(spare, every); key != "" {
		w = m.inTurn(spare, key, m.flows[spare][key].calls[0])
	} else {
		return nil
	}
	m.run = 0
	switch {
	case w.class == Mint:
		m.credit = max(0, m.credit+1-tokensAMint)
	case contested:
		m.credit = min(tokensAMint, m.credit+1)
	case !mints:
		m.credit = 0
	}
	return w
}

// popPrompt returns the next call where prompt ones wait. It is the turn of the flow of
// key.
func (m *modelQueue) popPrompt(key string, contested bool) *waiter {
	next := m.flows[prompt][key].calls[0]
	if contested && m.credit+1 >= tokensAMint {
		of := ""
		for k, f := range m.flows[prompt] {
			if f.of(Mint) != nil && (of == "" || f.minted < m.flows[prompt][of].minted) {
				of = k
			}
		}
		return m.early(of, m.flows[prompt][of].of(Mint), m.overtook)
	}
	for _, class := range []Class{Revocation, Mint} {
		first := m.turn(prompt, func(k string, f *modelFlow) bool {
			lead := m.start(prompt, k) - m.now[prompt]
			return f.of(class) != nil && (lead == 0 || lead < maxLead && !m.overtook)
		})
		if first != "" && m.flows[prompt][first].of(class) != next && (class == Revocation || !m.has(Revocation)) {
			return m.early(first, m.flows[prompt][first].of(class), true)
		}
	}
	m.overtook = false
	if next.class == Mint && m.has(Revocation) {
		if own := m.flows[prompt][key].of(Interactive); own != nil {
			return m.inTurn(prompt, key, own)
		}
		to := m.turn(prompt, func(_ string, f *modelFlow) bool { return f.of(Revocation) != nil })
		w := m.flows[prompt][to].of(Revocation)
		m.now[prompt] = m.start(prompt, key)
		m.pay(prompt, key)
		m.clock++
		m.flows[prompt][to].since = m.clock
		m.remove(prompt, w)
		return w
	}
	return m.inTurn(prompt, key, next)
}

// inTurn takes the call of a flow that has its turn.
func (m *modelQueue) inTurn(g group, key string, w *waiter) *waiter {
	m.now[g] = m.start(g, key)
	return m.take(g, key, w)
}

// early takes a call before the turn of its flow.
func (m *modelQueue) early(key string, w *waiter, overtook bool) *waiter {
	m.overtook = overtook
	return m.take(prompt, key, w)
}

func (m *modelQueue) take(g group, key string, w *waiter) *waiter {
	m.pay(g, key)
	if w.class == Mint {
		m.clock++
		m.flows[g][key].minted = m.clock
	}
	m.remove(g, w)
	return w
}

func (m *modelQueue) pay(g group, key string) {
	f := m.flows[g][key]
	m.clock++
	f.start, f.since = m.start(g, key)+1, m.clock
}

func (m *modelQueue) push(g group, key string, w *waiter) {
	if m.flows[g] == nil {
		m.flows[g] = make(map[string]*modelFlow)
	}
	f := m.flows[g][key]
	if f == nil {
		f = &modelFlow{start: m.now[g]}
		m.flows[g][key] = f
	}
	m.clock++
	if len(f.calls) == 0 {
		f.since = m.clock
	}
	if w.class == Mint && f.of(Mint) == nil {
		f.minted = m.clock
	}
	f.calls = append(f.calls, w)
}

// remove removes w. When no call waits, all is forgotten.
func (m *modelQueue) remove(g group, w *waiter) {
	left := 0
	for _, f := range m.flows[g] {
		for i, other := range f.calls {
			if other == w {
				f.calls = append(f.calls[:i:i], f.calls[i+1:]...)
				break
			}
		}
		left += len(f.calls)
	}
	if left == 0 {
		m.flows[g] = nil
	}
}
