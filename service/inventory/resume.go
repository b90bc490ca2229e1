package inventory

import (
	"context"
	"maps"
	"slices"
)

// tokenRate is how many characters of tokens go with one [Progress], on average: after a
// longer token, so many have none. 64 KiB, the longest, come with every eighth.
const tokenRate = 8 << 10

// tokenPace says with which progress a token goes.
type tokenPace struct {
	pause int   // so many have none
	sent  int64 // items and failures that were sent ahead of the last one
}

// due returns whether a progress has a token, after so many items and failures.
func (p *tokenPace) due(sent int64) bool {
	if p.pause > 0 {
		p.pause--
		return false
	}
	return sent > p.sent
}

// took takes note of a token.
func (p *tokenPace) took(token string, sent int64) {
	p.sent, p.pause = sent, max(0, len(token)-1)/tokenRate
}

// resumeToken is the token of a progress: what is left of the stream behind all that was
// sent. It is "" where nothing was sent since the last one, and after a long one. Repeats
// says that it begins earlier.
func (s *scheduler) resumeToken(ctx context.Context) (token string, repeats bool) {
	sent := s.report.pages + s.report.failures
	if !s.tokens.due(sent) {
		return "", false
	}
	positions, repeats := s.remaining()
	if len(positions) == 0 { // The end comes.
		return "", false
	}
	token = s.token(ctx, positions)
	s.tokens.took(token, sent)
	return token, repeats
}

// token is a token of positions.
func (s *scheduler) token(ctx context.Context, positions []position) string {
	scope := s.scope
	if keys, err := s.options.TokenKeys(ctx); err == nil { // A stream can outlast its first ones.
		scope.keys = keys
	}
	return scope.token(rest{s.now.Unix(), positions})
}

// remaining are the positions that were not read, in the order of the outermost list,
// and whether something of them was sent already. Pages of which no item was begun are
// one position: that of the list behind them.
func (s *scheduler) remaining() (positions []position, repeats bool) {
	left := s.left
	if s.held {
		return s.began, left.repeats
	}
	left.named = slices.Clone(left.named)
	for _, p := range s.queue {
		if len(p.keys) > 0 && p.page > s.deepest {
			left.from = min(left.from, p.page)
		}
	}
	if s.pieces != nil && s.pieces.next < s.pieces.count() {
		left.from = min(left.from, s.pieces.next)
	}
	for _, number := range slices.Sorted(maps.Keys(s.running)) {
		b := s.running[number]
		left.addBranch(&b)
	}
	for _, p := range s.queue {
		left.add(p)
	}
	return left.positions(s.page), left.repeats
}

// page is the position of a page of the outermost list.
func (s *scheduler) page(n int) position {
	switch {
	case n < 0:
		return position{}
	case s.pieces != nil:
		before, _ := s.pieces.key(n - 1) // None before the first: the list begins there.
		return position{cursor: before}
	default:
		return position{cursor: s.cursors[n]}
	}
}
