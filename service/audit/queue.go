package audit

import (
	"sync"
	"time"
)

// Queues are the queues of offered records: a closed set, for labels.
type Queues struct {
	// Callers has the records of callers, Strangers those of calls without a valid
	// credential.
	Callers, Strangers uint64
}

// The names of the queues.
const (
	// QueueCallers has the records of callers.
	QueueCallers = "callers"
	// QueueStrangers has those of calls without a valid credential.
	QueueStrangers = "strangers"
)

// queues hold the offered records. Strangers have a queue of their own, so that no
// number of them takes the room of a caller, or delays one.
type queues struct {
	mu     sync.Mutex
	closed bool
	lanes  [2]lane // Callers before strangers.
	bytes  int     // Of text in both.
	// behind says that a batch left records, which have lingered with it.
	behind bool
	// ready has room for one. Something is put into it when the first record comes, and
	// when the records have become due: a record alone wakes nobody.
	ready chan struct{}
}

func newQueues(callers, strangers int) *queues {
	return &queues{
		lanes: [...]lane{newLane(QueueCallers, callers), newLane(QueueStrangers, strangers)},
		ready: make(chan struct{}, 1),
	}
}

// push accepts a record or returns why not: another that had to go, or itself.
func (q *queues) push(e *entry, stranger bool, key string) (dropped *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := &q.lanes[0]
	if stranger {
		l = &q.lanes[1]
	}
	if q.closed {
		l.dropped++
		return e
	}
	first, wasDue := q.isEmpty(), q.isDue()
	if dropped = l.push(e, key); dropped != e {
		q.bytes += len(e.text)
	}
	for gone := dropped; gone != nil; gone = gone.next {
		if gone != e {
			q.bytes -= len(gone.text)
		}
	}
	if first || !wasDue && q.isDue() {
		q.signal()
	}
	return dropped
}

// pop appends records to a batch until it has enough bytes: those that came first, of
// callers before strangers.
func (q *queues) pop(batch []*entry, enough int) []*entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.lanes {
		for enough > 0 {
			e := q.lanes[i].pop()
			if e == nil {
				break
			}
			batch = append(batch, e)
			q.bytes -= len(e.text)
			enough -= len(e.text)
		}
	}
	if q.behind = !q.isEmpty(); q.behind {
		q.signal()
	}
	return batch
}

func (q *queues) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// due says whether the records have lingered enough: a batch is full, a queue is half
// full, or a batch before has left them.
func (q *queues) due() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.isDue()
}

func (q *queues) isDue() bool {
	return q.behind || q.bytes >= batchBytes || q.lanes[0].halfFull() || q.lanes[1].halfFull()
}

// empty says whether there is nothing to pop.
func (q *queues) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.isEmpty()
}

func (q *queues) isEmpty() bool { return q.lanes[0].first == nil && q.lanes[1].first == nil }

// close makes push drop everything.
func (q *queues) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

// waiting counts the records of each queue.
func (q *queues) waiting() Queues {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Queues{uint64(q.lanes[0].entries), uint64(q.lanes[1].entries)}
}

// dropped counts the records that were dropped from each queue.
func (q *queues) dropped() Queues {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Queues{q.lanes[0].dropped, q.lanes[1].dropped}
}

// gap is the record of what a queue has dropped since the last one, if it is due: once
// the queue is empty again, or a second after the last.
func (q *queues) gap(now time.Time, always bool) (*Record, *lane) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.lanes {
		l := &q.lanes[i]
		if l.dropped > l.told && (always || l.first == nil || now.Sub(l.toldAt) >= time.Second) {
			return &Record{Time: now, Event: EventDropped, Queue: l.name, Count: int64(l.dropped - l.told)}, l
		}
	}
	return nil, nil
}

// tell notes that the record of a gap was written.
func (q *queues) tell(l *lane, r *Record) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l.told, l.toldAt = l.told+uint64(r.Count), r.Time
}

// lane is a queue in the order of arrival, which takes a number of lines. When it is
// full, the caller who has the most in it gives way to one who has less: its newest
// record goes. So a flood costs the records of the one who makes it.
type lane struct {
	name          string
	size, room    int // Lines that it takes, and those that it still takes.
	entries       int
	first, last   *entry
	shares        map[string]*share // Of those with records in the queue.
	spare         *share
	dropped, told uint64
	toldAt        time.Time
}

// share is a caller's part of a lane: its records from the newest to the oldest.
type share struct {
	key    string
	lines  int
	newest *entry
}

func newLane(name string, room int) lane {
	return lane{name: name, size: room, room: room, shares: make(map[string]*share)}
}

func (l *lane) halfFull() bool { return l.room <= l.size/2 }

func (l *lane) push(e *entry, key string) (dropped *entry) {
	held := 0
	if s := l.shares[key]; s != nil {
		held = s.lines
	}
	for l.room < e.lines {
		longest := l.longest(held+e.lines, e.lines)
		l.dropped++
		if longest == nil {
			e.next = dropped
			return e
		}
		gone := longest.newest
		l.remove(gone)
		gone.next, dropped = dropped, gone
	}
	s := l.share(key)
	e.share, e.next = s, nil
	e.older, s.newest = s.newest, e
	if e.older != nil {
		e.older.newer = e
	}
	if e.before = l.last; e.before != nil {
		e.before.next = e
	} else {
		l.first = e
	}
	l.last = e
	s.lines += e.lines
	l.room -= e.lines
	l.entries++
	return dropped
}

// longest is the share with the most lines, if it still has as many as wanted without
// its newest record, and if all that have more make enough room; else nil. There are
// no more shares than lines.
func (l *lane) longest(wanted, needed int) (most *share) {
	room := l.room
	for _, s := range l.shares {
		room += max(0, s.lines-wanted)
		if most == nil || s.lines > most.lines {
			most = s
		}
	}
	if most == nil || room < needed || most.lines-most.newest.lines < wanted {
		return nil
	}
	return most
}

// share is that of a key, which is new if it has no records.
func (l *lane) share(key string) *share {
	s := l.shares[key]
	if s == nil {
		if s = l.spare; s == nil {
			s = new(share)
		}
		l.spare, s.key = nil, key
		l.shares[key] = s
	}
	return s
}

func (l *lane) pop() *entry {
	e := l.first
	if e != nil {
		l.remove(e)
	}
	return e
}

func (l *lane) remove(e *entry) {
	if e.before != nil {
		e.before.next = e.next
	} else {
		l.first = e.next
	}
	if e.next != nil {
		e.next.before = e.before
	} else {
		l.last = e.before
	}
	s := e.share
	if e.older != nil {
		e.older.newer = e.newer
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		s.newest = e.older
	}
	s.lines -= e.lines
	l.room += e.lines
	l.entries--
	if s.newest == nil {
		delete(l.shares, s.key)
		l.spare = s
	}
	e.before, e.next, e.older, e.newer, e.share = nil, nil, nil, nil, nil
}
