package pages

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Reason says why a list cannot be walked to its end.
type Reason string

// The faults of a server.
const (
	// SameCursor: the page names the cursor it was itself asked for with.
	SameCursor Reason = "same cursor"
	// Cycle: the page names a cursor that was used earlier in the walk.
	Cycle Reason = "cycle"
	// EmptyPage: the page has no items and says that there are more.
	EmptyPage Reason = "empty page"
	// NoCursor: the page says that there are more and not where.
	NoCursor Reason = "no cursor"
	// Contradiction: the page says that there are no more items, and where they
	// are. Only `next` and `next_page` can contradict `has_more`: a `last_id` is
	// there on the last page too.
	Contradiction Reason = "contradiction"
	// PageCap: there are more pages than [MaxPages] allows.
	PageCap Reason = "page cap"
)

// EndlessError reports that the server's pages lead nowhere. The items that
// came before it are real, and are not the whole list.
type EndlessError struct {
	// Response is the message type of the pages.
	Response protoreflect.FullName
	// Reason is the fault.
	Reason Reason
	// Pages is how many pages had arrived, with the one that is wrong.
	Pages int
}

func (e *EndlessError) Error() string {
	return fmt.Sprintf("pages: %s does not end: %s (page %d)", e.Response, e.Reason, e.Pages)
}

// UnsupportedError reports a call that is not a list, or not one that can be
// walked. It is a mistake in the calling program; no server causes it.
type UnsupportedError struct {
	// Message is the type that does not fit, empty when there is none.
	Message protoreflect.FullName
	// Problem describes the fault.
	Problem string
}

func (e *UnsupportedError) Error() string {
	if e.Message == "" {
		return "pages: " + e.Problem
	}
	return fmt.Sprintf("pages: %s %s", e.Message, e.Problem)
}
