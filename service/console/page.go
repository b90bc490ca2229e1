package console

import (
	"context"
	"time"
)

const (
	// maxParts bounds the parts of a page: the style has a rule for each.
	maxParts = 16
	// partParameter asks for one part of a page alone.
	partParameter = "part"
	// defaultDeadline bounds the wait for one part.
	defaultDeadline = time.Minute
	// MaxDeadline is the longest wait for a part.
	MaxDeadline = 10 * time.Minute
)

// Page is one page of the console.
type Page struct {
	// Path is where it is, such as "/costs".
	Path string
	// Title is its name in the navigation, and its heading.
	Title string
	// Needs are permissions one of which makes the page worth a visit. None: it is for
	// everybody.
	Needs []string
	// Hidden keeps it out of the navigation.
	Hidden bool
	// Controls is the template of what stands above the parts, such as filters, and
	// Prepare makes its data, with no call of the gateway. "" and nil: there is nothing.
	Controls string
	Prepare  func(v *Visit) any
	// Parts are what it shows, in this order.
	Parts []Part
	// CSV gathers what PATH.csv has; nil: there is no file.
	CSV func(ctx context.Context, v *Visit) (Table, error)
	// Actions are what it may change.
	Actions []*Action
}

// Part is a part of a page, with data of its own.
type Part struct {
	// ID names it within the page: lower-case letters and dashes.
	ID string
	// Title is its heading.
	Title string
	// Needs is the permission without which there is nothing to show. "": it is tried.
	Needs string
	// Wide parts have the whole width of the page.
	Wide bool
	// Shown says whether a visit has the part; nil: each has.
	Shown func(v *Visit) bool
	// Gather gets the data. It may be called twice for one visit, the first time for what
	// is stored ([Visit.Kept]). It does not keep v.
	Gather func(ctx context.Context, v *Visit) (any, error)
	// Template shows the data. Its dot is a [Shown].
	Template string
	// Deadline bounds the wait; default a minute, at most [MaxDeadline].
	Deadline time.Duration
	// Long parts gather in the second turn alone, because what is stored of them would
	// be a part that looks like the whole.
	Long bool
	// Refresh is how often the script of the page gets the part again; 0: never.
	Refresh time.Duration
}

// deadline is how long to wait for the part.
func (p *Part) deadline() time.Duration {
	if p.Deadline <= 0 {
		return defaultDeadline
	}
	return min(p.Deadline, MaxDeadline)
}

// Shown is what the template of a part gets.
type Shown struct {
	// Visit is who looks.
	Visit *Visit
	// Data is what Gather returned.
	Data any
	// Now is the time of the data.
	Now time.Time
}

// Progress is how far a long part has come.
type Progress struct {
	// Done of Total things are there; a Total of 0 is not known.
	Done, Total int
	// Things says what they are, such as "projects".
	Things string
}

// Link is a link of the navigation.
type Link struct {
	Path, Title string
	// Here says that it is the page itself, Lacking that its user may see nothing there.
	Here, Lacking bool
}

// navigation is the list of pages, for one of them.
func (c *Console) navigation(v *Visit) []Link {
	var links []Link
	for _, p := range c.options.Pages {
		if !p.Hidden {
			links = append(links, Link{Path: p.Path, Title: p.Title, Here: p.Path == v.Path(), Lacking: !v.Access.MayAny(p.Needs)})
		}
	}
	return links
}

// Frame is what every page has around its parts.
type Frame struct {
	Title   string
	Style   string // paths of assets
	Script  string
	Icon    string
	Version string
	Links   []Link
	// Visit is nil for who has not logged in.
	Visit *Visit
}

func (c *Console) frame(v *Visit, title string) Frame {
	f := Frame{Title: title, Style: c.views.path("style.css"), Script: c.views.path("script.js"), Icon: c.views.path("icon.svg"), Version: c.options.Version, Visit: v}
	if v != nil {
		f.Links = c.navigation(v)
	}
	return f
}
