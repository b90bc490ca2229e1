package inventory

import (
	"context"
	"fmt"
	"slices"

	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// start queues the reads, and refuses a call whose caller may not make any of it.
func (s *scheduler) start(ctx context.Context, todo rest) error {
	s.began = todo.positions
	if s.gatherBase != nil {
		g := s.plan.gather
		if err := s.Admission.Check(ctx, g.method, g.request(s.gatherBase, position{})); err != nil {
			return err
		}
	}
	if s.plan.buckets != nil {
		return s.startBuckets(ctx, todo)
	}
	return s.startLists(ctx, todo)
}

// startLists begins nested reads: with the rest of a token, with the items that
// are given, with those that the caller is limited to, or with the list.
func (s *scheduler) startLists(ctx context.Context, todo rest) error {
	reads := s.plan.reads
	for _, r := range reads[min(1, len(reads)-1):] {
		if err := s.Admission.MayCall(ctx, r.method); err != nil {
			return err
		}
	}
	keys, given, err := s.givenKeys(ctx)
	if err != nil {
		return err
	}
	if !given {
		if err := s.Admission.Check(ctx, reads[0].method, reads[0].request(s.bases[0], position{})); err != nil {
			return err
		}
	}
	return s.enqueue(todo.positions, keys, given)
}

// startBuckets begins lists of buckets: every piece of the range is an item.
func (s *scheduler) startBuckets(ctx context.Context, todo rest) error {
	start := seconds(s.request, s.plan.buckets.start)
	s.cuts = make([]cuts, len(s.plan.reads))
	s.pieces = &pieces{cuts: s.cuts}
	for i, r := range s.plan.reads {
		if !s.counted(r.bucketed) {
			continue
		}
		cut, err := s.cut(r, start)
		if err != nil {
			return err
		}
		s.cuts[i] = cut
		if s.pieces.count() > s.options.MaxOutermost {
			return rpcerror.InvalidField("start_time", fmt.Sprintf("the range takes more than %d calls", s.options.MaxOutermost), nil)
		}
		first := s.requestAt(r, i, position{keys: []string{pieceKey(i, 0)}})
		if err := s.Admission.Check(ctx, r.method, first); err != nil {
			return err
		}
	}
	return s.enqueuePieces(todo.positions)
}

// enqueuePieces queues the pieces that a token names, and all behind the one that stands
// for the position of their list.
func (s *scheduler) enqueuePieces(positions []position) error {
	s.pieces.next = s.pieces.count()
	for _, p := range positions {
		switch {
		case len(p.keys) == 0 && p.cursor == "":
			s.pieces.next = 0
		case len(p.keys) == 0:
			place, ok := s.pieces.place(p.cursor)
			if !ok {
				return errForeignToken(errToken)
			}
			s.pieces.next = place + 1
		default:
			if _, ok := s.pieces.place(p.keys[0]); !ok {
				return errForeignToken(errToken)
			}
			s.seen[p.keys[0]] = struct{}{}
			s.queue = append(s.queue, p)
		}
	}
	for i := range s.plan.reads {
		s.walker.counts[i].known.Add(s.pieces.ahead(i))
	}
	for _, p := range s.queue {
		if place, _ := s.pieces.place(p.keys[0]); place < s.pieces.next {
			s.walker.counts[s.plan.at(p)].known.Add(1)
		}
	}
	return nil
}

// enqueue queues positions. Where the outermost items are known, the position of
// their list is that of the items behind its cursor.
func (s *scheduler) enqueue(positions []position, keys []string, known bool) error {
	for _, p := range positions {
		if len(p.keys) == 0 && known {
			after, found := slices.BinarySearch(keys, p.cursor)
			if found {
				after++
			}
			at := p.cursor
			for page := range slices.Chunk(keys[after:], widestPage) {
				s.enlist(page, at)
				at = page[len(page)-1]
			}
			continue
		}
		if len(p.keys) > 0 {
			s.seen[p.keys[0]] = struct{}{}
		}
		s.listing = s.listing || len(p.keys) == 0 && s.plan.listed()
		s.queue = append(s.queue, p)
		s.walker.counts[s.plan.at(p)].known.Add(1)
	}
	return nil
}

// enlist queues the items of a page of the outermost list.
func (s *scheduler) enlist(keys []string, at string) {
	if keys == nil {
		return
	}
	page := len(s.cursors)
	s.cursors = append(s.cursors, at)
	for _, key := range keys {
		if _, again := s.seen[key]; again {
			continue
		}
		s.seen[key] = struct{}{}
		p := position{keys: []string{key}, page: page}
		s.queue = append(s.queue, p)
		s.walker.counts[s.plan.at(p)].known.Add(1)
	}
}
