package pages

import (
	"crypto/sha256"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// trail is the history of a walk. It holds a digest of each cursor, because the server
// chooses the length of a cursor and the walk has a bound of memory.
type trail struct {
	max, pages int
	cursors    map[[sha256.Size]byte]struct{}
}

// add reports whether the cursor is new.
func (t *trail) add(cursor string) bool {
	digest := sha256.Sum256([]byte(cursor))
	if _, again := t.cursors[digest]; again {
		return false
	}
	if t.cursors == nil {
		t.cursors = make(map[[sha256.Size]byte]struct{})
	}
	t.cursors[digest] = struct{}{}
	return true
}

// follow counts the page that the cursor asked returned, and returns the cursor of the
// next one: empty at the end of the list, or with the reason why the walk cannot go on.
func (t *trail) follow(p page, m protoreflect.Message, asked string) (string, Reason) {
	t.pages++
	next := p.cursor(m)
	switch {
	case !m.Get(p.more).Bool():
		if p.onlyMore && next != "" {
			return "", Contradiction
		}
		return "", ""
	case m.Get(p.data).List().Len() == 0:
		return "", EmptyPage
	case next == "":
		return "", NoCursor
	case next == asked:
		return "", SameCursor
	case !t.add(next):
		return "", Cycle
	case t.pages >= t.max:
		return "", PageCap
	}
	return next, ""
}
