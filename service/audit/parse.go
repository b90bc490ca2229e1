package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// parsed is a line of the log, as it is read. Members that this build does not know are
// left out.
type parsed struct {
	Time          time.Time      `json:"time"`
	Event         string         `json:"event"`
	RequestID     string         `json:"request_id"`
	TraceID       string         `json:"trace_id"`
	Caller        string         `json:"caller"`
	Authenticated string         `json:"authenticated_by"`
	Credential    string         `json:"credential"`
	Peer          string         `json:"peer"`
	ForwardedFor  string         `json:"forwarded_for"`
	Presented     string         `json:"presented"`
	Door          string         `json:"door"`
	Agent         string         `json:"agent"`
	Within        string         `json:"within"`
	Lease         string         `json:"lease"`
	Role          string         `json:"lease_role"`
	Holder        string         `json:"lease_holder"`
	Cause         string         `json:"lease_cause"`
	Method        string         `json:"method"`
	Write         bool           `json:"write"`
	Permission    string         `json:"permission"`
	Resources     resources      `json:"resources"`
	Decision      string         `json:"decision"`
	Grant         string         `json:"grant"`
	Reason        string         `json:"reason"`
	DeniedProject string         `json:"denied_project"`
	DeniedRole    string         `json:"denied_role"`
	Code          string         `json:"code"`
	Error         string         `json:"error"`
	Upstream      string         `json:"upstream_request_id"`
	Cache         string         `json:"cache"`
	Calls         int64          `json:"calls"`
	Refused       int64          `json:"calls_refused"`
	Idempotency   string         `json:"idempotency"`
	HMAC          string         `json:"hmac"`
	DurationUS    int64          `json:"duration_us"`
	WaitedUS      int64          `json:"waited_us"`
	Budget        string         `json:"budget"`
	Queue         string         `json:"queue"`
	Count         int64          `json:"count"`
	Projects      []string       `json:"projects"`
	Request       map[string]any `json:"request"`
	Answer        map[string]any `json:"answer"`
	Part          int            `json:"part"`
}

// resources are those of a line, by name.
type resources map[string]string

// ErrNotALine is the error for a line that is none of an audit log.
var ErrNotALine = errors.New("not a line of an audit log")

// ParseLine reads a line that a log has written; part is which of several lines of the
// record it is, 0 for the only one. Resources and details come in the order of their
// names, and a text that was cut stays so. Its errors wrap [ErrNotALine].
func ParseLine(text []byte) (r *Record, part int, err error) {
	var l parsed
	if err := json.Unmarshal(text, &l); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrNotALine, err)
	}
	if l.Event == "" || l.Time.IsZero() {
		return nil, 0, ErrNotALine
	}
	r = &Record{
		Time: l.Time, Event: l.Event, RequestID: l.RequestID, TraceID: l.TraceID,
		Caller: l.Caller, Authenticated: l.Authenticated, Credential: l.Credential,
		Peer: l.Peer, ForwardedFor: l.ForwardedFor, Presented: l.Presented, Door: l.Door,
		Agent: l.Agent, Within: l.Within, Lease: l.Lease, Role: l.Role, Holder: l.Holder, Cause: l.Cause,
		Method: l.Method, Write: l.Write, Permission: l.Permission,
		Decision: l.Decision, Grant: l.Grant, Reason: l.Reason, DeniedProject: l.DeniedProject, DeniedRole: l.DeniedRole,
		Code: l.Code, Error: l.Error, UpstreamRequestID: l.Upstream, Cache: l.Cache,
		Calls: l.Calls, Refused: l.Refused, Idempotency: l.Idempotency, HMAC: l.HMAC,
		Duration: microseconds(l.DurationUS), Waited: microseconds(l.WaitedUS), Budget: l.Budget,
		Queue: l.Queue, Count: l.Count, Projects: l.Projects,
		Request: details(l.Request), Answer: details(l.Answer),
	}
	for _, name := range slices.Sorted(maps.Keys(l.Resources)) {
		r.Resources = append(r.Resources, Resource{name, l.Resources[name]})
	}
	return r, l.Part, nil
}

// microseconds is a duration that fits, whatever the number.
func microseconds(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Microsecond)
	return time.Duration(min(max(n, 0), most)) * time.Microsecond
}

func details(members map[string]any) []Detail {
	var all []Detail
	for _, path := range slices.Sorted(maps.Keys(members)) {
		d := Detail{Path: path}
		switch value := members[path].(type) {
		case string:
			d.Values = []string{value}
		case []any:
			d.List = true
			for _, each := range value {
				if text, ok := each.(string); ok {
					d.Values = append(d.Values, text)
				}
			}
		}
		all = append(all, d)
	}
	return all
}

// Read reads the records of a log in their order, and gives each to see until that
// returns false. The lines of one record, which a log writes one after another, make one
// record again. What is no line of a log is skipped: a log may share its output with
// something else. The error is that of the reader.
func Read(from io.Reader, see func(*Record) bool) error {
	lines := bufio.NewReaderSize(from, 2*MaxLine)
	var whole *Record
	for {
		text, err := lines.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) { // Longer than a line can be.
			text = nil
			_, err = lines.ReadSlice('\n')
		}
		if next, part, bad := ParseLine(bytes.TrimSpace(text)); bad == nil {
			switch {
			case part > 1 && whole != nil && whole.RequestID == next.RequestID && whole.Event == next.Event:
				whole.Projects = append(whole.Projects, next.Projects...)
				whole.Request, whole.Answer = extend(whole.Request, next.Request), extend(whole.Answer, next.Answer)
			case whole != nil && !see(whole):
				return nil
			default:
				whole = next
			}
		}
		if err != nil {
			if whole != nil {
				see(whole)
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("audit: read: %w", err)
		}
	}
}

// extend adds the details of another line. A list may go on there.
func extend(all, more []Detail) []Detail {
	for _, d := range more {
		if i := slices.IndexFunc(all, func(of Detail) bool { return of.Path == d.Path && of.List && d.List }); i >= 0 {
			all[i].Values = append(all[i].Values, d.Values...)
			continue
		}
		all = append(all, d)
	}
	return all
}
