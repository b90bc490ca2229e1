package audit

import (
	"strconv"
	"time"
)

// AppendLines appends the record as one JSON object a line, each of at most MaxLine
// bytes, and returns how many there are: one, unless its lists take several. It
// allocates nothing when dst has room.
func (r *Record) AppendLines(dst []byte) (lines []byte, n int) {
	start := len(dst)
	var at cursor
	if dst = r.appendPart(dst, &at, 0, 0); at.over() {
		return dst, 1
	}
	for n = 1; !at.over() && n < MaxParts; n++ {
		// A line that is only counted makes room for the next.
		dst = r.appendPart(dst[:start], &at, n+1, 0)
	}
	dst, at = dst[:start], cursor{}
	for part := range n {
		dst = r.appendPart(dst, &at, part+1, n)
	}
	return dst, n
}

// appendPart appends a line with as much of the lists as it takes, from where at is,
// which it moves on.
func (r *Record) appendPart(dst []byte, at *cursor, part, parts int) []byte {
	start := len(dst)
	dst = append(dst, '{')
	if part <= 1 {
		dst = r.appendHead(dst)
	} else {
		dst = r.appendIdentity(dst)
		dst = appendMember(dst, "method", r.Method, maxName)
	}
	f := filler{dst: dst, end: start + partBytes - partEnd, force: part > 1}
	if f.projects(r.Projects, at) && f.details("request", listRequest, r.Request, at) {
		f.details("answer", listAnswer, r.Answer, at)
	}
	dst = f.dst
	if parts > 0 {
		dst = strconv.AppendInt(appendKey(dst, "part"), int64(part), 10)
		dst = strconv.AppendInt(appendKey(dst, "parts"), int64(parts), 10)
	}
	if parts > 0 && part == parts && !at.over() {
		projects, values := at.left(r)
		dst = appendCount(dst, "projects_omitted", projects)
		dst = appendCount(dst, "values_omitted", values)
	}
	return append(dst, '}', '\n')
}

// partEnd is room for what may follow the lists.
const partEnd = len(`}]}],"part":512,"parts":512,"projects_omitted":9999999999,"values_omitted":9999999999}` + "\n")

// appendTime appends a time in UTC as RFC 3339 has it, to the microsecond. The format of
// package time that it has made fast has no fraction, or one of any length.
func appendTime(dst []byte, t time.Time) []byte {
	dst = t.AppendFormat(dst, time.RFC3339)
	micros := t.Nanosecond() / 1000
	fraction := [...]byte{'.', 0, 0, 0, 0, 0, 0, 'Z'}
	for i := len(fraction) - 2; i > 0; i-- {
		fraction[i] = '0' + byte(micros%10)
		micros /= 10
	}
	return append(dst[:len(dst)-1], fraction[:]...)
}

// appendIdentity appends what tells which call a line is about.
func (r *Record) appendIdentity(dst []byte) []byte {
	if !r.Time.IsZero() {
		dst = append(appendKey(dst, "time"), '"')
		dst = append(appendTime(dst, r.Time.UTC()), '"')
	}
	dst = appendMember(dst, "event", r.Event, maxShort)
	dst = appendMember(dst, "request_id", r.RequestID, maxShort)
	dst = appendMember(dst, "trace_id", r.TraceID, maxShort)
	return appendMember(dst, "caller", r.Caller, maxText)
}

// appendHead appends all but the lists.
func (r *Record) appendHead(dst []byte) []byte {
	dst = r.appendIdentity(dst)
	dst = appendMember(dst, "authenticated_by", r.Authenticated, maxShort)
	dst = appendMember(dst, "credential", r.Credential, maxText)
	dst = appendMember(dst, "peer", r.Peer, maxShort)
	dst = appendMember(dst, "forwarded_for", r.ForwardedFor, maxShort)
	dst = appendMember(dst, "presented", r.Presented, maxText)
	dst = appendMember(dst, "door", r.Door, maxShort)
	dst = appendMember(dst, "agent", r.Agent, maxShort)
	dst = appendMember(dst, "within", r.Within, maxShort)
	dst = appendMember(dst, "lease", r.Lease, maxShort)
	dst = appendMember(dst, "lease_role", r.Role, maxShort)
	dst = appendMember(dst, "lease_holder", r.Holder, maxText)
	dst = appendMember(dst, "lease_cause", r.Cause, maxShort)
	dst = appendMember(dst, "method", r.Method, maxName)
	if r.Write {
		dst = append(appendKey(dst, "write"), "true"...)
	}
	dst = appendMember(dst, "permission", r.Permission, maxName)
	dst = appendResources(dst, r.Resources)
	dst = appendMember(dst, "decision", r.Decision, maxShort)
	dst = appendMember(dst, "grant", r.Grant, maxText)
	dst = appendMember(dst, "reason", r.Reason, maxText)
	dst = appendMember(dst, "denied_project", r.DeniedProject, maxProject)
	dst = appendMember(dst, "denied_role", r.DeniedRole, maxShort)
	dst = appendMember(dst, "code", r.Code, maxShort)
	dst = appendMember(dst, "error", r.Error, maxShort)
	dst = appendMember(dst, "upstream_request_id", r.UpstreamRequestID, maxName)
	dst = appendMember(dst, "cache", r.Cache, maxShort)
	dst = appendCount(dst, "calls", r.Calls)
	dst = appendCount(dst, "calls_refused", r.Refused)
	dst = appendMember(dst, "idempotency", r.Idempotency, maxShort)
	dst = appendMember(dst, "hmac", r.HMAC, maxShort)
	if r.Duration != 0 {
		dst = strconv.AppendInt(appendKey(dst, "duration_us"), r.Duration.Microseconds(), 10)
	}
	dst = appendCount(dst, "waited_us", r.Waited.Microseconds())
	dst = appendMember(dst, "budget", r.Budget, maxName)
	dst = appendMember(dst, "queue", r.Queue, maxShort)
	return appendCount(dst, "count", r.Count)
}

// The lists, in the order in which they are written.
const (
	listProjects = iota
	listRequest
	listAnswer
	listsOver
)

// cursor is a place in the lists of a record: the next to be written.
type cursor struct {
	list  int // One of the constants above.
	item  int // Project or detail.
	value int // Of a detail that is a list.
}

func (c *cursor) over() bool { return c.list == listsOver }

// left counts what is behind the cursor: projects, and values of details.
func (c *cursor) left(r *Record) (projects, values int64) {
	at := *c
	if at.list == listProjects {
		projects, at = int64(len(r.Projects)-at.item), cursor{list: listRequest}
	}
	for list, details := range [...][]Detail{listRequest: r.Request, listAnswer: r.Answer} {
		if list < at.list {
			continue
		}
		for i, d := range details {
			if list > at.list || i >= at.item {
				values += int64(max(len(d.Values), 1))
			}
			if list == at.list && i == at.item {
				values -= int64(at.value)
			}
		}
	}
	return projects, values
}

// filler fills a line with the elements of lists.
type filler struct {
	dst   []byte
	end   int  // Nothing is written beyond it,
	force bool // but the first element of a line that would have none.
}

// fits takes the bytes from before on back if they are too many.
func (f *filler) fits(before int) bool {
	if len(f.dst) > f.end && !f.force {
		f.dst = f.dst[:before]
		return false
	}
	f.force = false
	return true
}

// next writes what is before an element: the member with its bracket, or a comma where
// that is open.
func (f *filler) next(key string, bracket byte, open bool) {
	if open {
		f.dst = append(f.dst, ',')
		return
	}
	f.dst = append(appendKey(f.dst, key), bracket)
}

// projects returns whether all of them were written.
func (f *filler) projects(all []string, at *cursor) bool {
	if at.list != listProjects {
		return true
	}
	open := false
	for at.item < len(all) {
		before := len(f.dst)
		f.next("projects", '[', open)
		f.dst = appendString(f.dst, all[at.item], maxProject)
		if !f.fits(before) {
			break
		}
		open = true
		at.item++
	}
	if open {
		f.dst = append(f.dst, ']')
	}
	if at.item < len(all) {
		return false
	}
	*at = cursor{list: listRequest}
	return true
}

// details returns whether all of them were written.
func (f *filler) details(key string, list int, all []Detail, at *cursor) bool {
	if at.list != list {
		return true
	}
	open := false
	for at.item < len(all) {
		before := len(f.dst)
		f.next(key, '{', open)
		f.dst = append(appendString(f.dst, all[at.item].Path, maxName), ':')
		begun, whole := f.detail(&all[at.item], at)
		if !begun {
			f.dst = f.dst[:before]
		}
		open = open || begun
		if !whole {
			break
		}
		at.item, at.value = at.item+1, 0
	}
	if open {
		f.dst = append(f.dst, '}')
	}
	if at.item < len(all) {
		return false
	}
	*at = cursor{list: list + 1}
	return true
}

// detail returns whether some of its values were written, and whether all were.
func (f *filler) detail(d *Detail, at *cursor) (begun, whole bool) {
	before := len(f.dst)
	switch {
	case !d.List && len(d.Values) > 0:
		f.dst = appendString(f.dst, d.Values[0], maxText)
	case !d.List || len(d.Values) == 0:
		f.dst = append(f.dst, "[]"...)
	}
	if len(f.dst) > before {
		whole = f.fits(before)
		return whole, whole
	}
	f.dst = append(f.dst, '[')
	for from := at.value; at.value < len(d.Values); at.value++ {
		element := len(f.dst)
		if at.value > from {
			f.dst = append(f.dst, ',')
		}
		f.dst = appendString(f.dst, d.Values[at.value], maxText)
		if !f.fits(element) {
			f.dst = append(f.dst, ']')
			return at.value > from, false
		}
	}
	f.dst = append(f.dst, ']')
	return true, true
}
