package layout

import (
	"slices"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// Range is a range of an index: all keys from From on, without it if After, and
// before To.
type Range struct {
	From  string
	After bool
	To    string
}

// Group is the range of a group, of the members after one; all if that is empty.
func Group(group, after string) Range {
	return Range{From: group + separator + after, After: after != "", To: group + past}
}

// Since is the range of the members of a group that do not sort before one.
func Since(group, first string) Range {
	return Range{From: group + separator + first, To: group + past}
}

// Ranges are the ranges of a query, one for each state. Each lists ids in order. They
// are those of the most selective field of the query; Matches looks at the rest.
func Ranges(q *lease.Query) []Range {
	states := q.States
	if len(states) == 0 {
		states = lease.States()
	}
	var ranges []Range
	add := func(group string) { ranges = append(ranges, Group(group, q.PageToken)) }
	switch {
	case q.APIKeyID != "":
		add(KeyGroup(q.APIKeyID))
		return ranges
	case q.ServiceAccountID != "":
		add(AccountGroup(q.ServiceAccountID))
		return ranges
	}
	for _, s := range states {
		switch {
		case q.Holder != "":
			add(HolderGroup(s, q.Holder))
			continue
		case q.Caller != "":
			add(CallerGroup(s, q.Caller))
			continue
		}
		for _, credentials := range []bool{false, true} {
			switch {
			case !q.Rows.Have(credentials):
			case q.Role != "":
				add(RoleGroup(s, q.Role, credentials))
			default:
				add(AllGroup(s, credentials))
			}
		}
	}
	return ranges
}

// Matches tells whether a query selects a record.
func Matches(q *lease.Query, r *lease.Record) bool {
	return (q.Role == "" || q.Role == r.Role) && (q.Caller == "" || q.Caller == r.Caller) &&
		(q.Holder == "" || q.Holder == r.Holder) && q.Rows.Have(r.IsCredential()) &&
		(q.APIKeyID == "" || q.APIKeyID == r.APIKeyID) && (q.ServiceAccountID == "" || q.ServiceAccountID == r.ServiceAccountID) &&
		(len(q.States) == 0 || slices.Contains(q.States, r.State))
}

// IDs merges the keys of several ranges, of which each has at most n, into the first n
// ids. more tells whether there may be others after them.
func IDs(keys [][]string, n int) (ids []string, more bool) {
	for _, part := range keys {
		for _, key := range part {
			ids = append(ids, ID(key))
		}
		more = more || len(part) == n
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) > n {
		ids, more = ids[:n], true
	}
	return ids, more
}

// PageOf makes the page of a query from the records of the first ids. A record that
// has gone meanwhile is not among them.
func PageOf(q *lease.Query, ids []string, more bool, records []lease.Record) lease.Page {
	var page lease.Page
	for i := range records {
		if Matches(q, &records[i]) {
			page.Records = append(page.Records, records[i])
		}
	}
	if more && len(ids) > 0 {
		page.NextPageToken = ids[len(ids)-1]
	}
	return page
}

// DueRange is the range of what is due at a time, and Later that of what is due later.
func DueRange(q *lease.DueQuery) (due, later Range) {
	group := DueGroup(q.Kind)
	limit := group + separator + DueMember(q.Now.Add(time.Millisecond), "")
	due = Group(group, q.After)
	due.To = limit
	return due, Range{From: limit, To: group + past}
}

// DuePageOf makes the page of a query, without its records, from the first keys of
// what is due and of what is due later.
func DuePageOf(q *lease.DueQuery, due, later []string) (page lease.DuePage, ids []string, err error) {
	for _, key := range due[:min(len(due), q.PageSize)] {
		ids = append(ids, ID(key))
	}
	switch {
	case len(due) >= q.PageSize:
		page.After = due[q.PageSize-1][len(DueGroup(q.Kind)+separator):]
	case len(later) > 0:
		page.Next, err = DueTime(later[0])
	}
	return page, ids, err
}

// CountsOf makes the counts by role and state from those of all groups, in order.
func CountsOf(groups map[string]int) []lease.Count {
	var counts []lease.Count
	for group, n := range groups {
		if c, ok := Counted(group); ok && n > 0 {
			c.N = n
			counts = append(counts, c)
		}
	}
	slices.SortFunc(counts, lease.Count.Compare)
	return counts
}

// Late tells whether a reader who has seen the events up to a sequence has missed
// some: first and last are those that there are, first is last+1 if there are none.
func Late(after, first, last uint64) error {
	if after > last || after+1 < first {
		return &lease.LateError{First: first, Last: last}
	}
	return nil
}
