package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/admin-gateway/admin-gateway/sandbox"
)

// check compares what came with what was expected.
func (h *house) check(ctx context.Context, s *Step, got *result, before map[string]int, offset int64) []string {
	e := &s.Expect
	var p problems
	p.checkError(e.Error, got)
	p.subset("response", anything(e.Response), anything(got.Response))
	p.number("items", e.Items, got.Items)
	p.number("failures", e.Failures, got.Failures)
	p.number("calls of the token's provider", e.Provider, got.Provider)
	if got.Items < e.AtLeast {
		p.add("%d items, and not %d at least", got.Items, e.AtLeast)
	}
	if e.IDs != nil && !slices.Equal(*e.IDs, got.IDs) {
		p.add("the ids %q, and not %q", got.IDs, *e.IDs)
	}
	if ids := slices.Sorted(slices.Values(got.IDs)); e.Different && len(slices.Compact(ids)) != len(got.IDs) {
		p.add("an item came twice")
	}
	if e.Progress && got.Progress == 0 {
		p.add("no progress was reported")
	}
	if e.Hit != nil {
		switch {
		case got.Freshness == nil:
			p.add("nothing about freshness")
		case got.Freshness.Hit != *e.Hit || *e.Hit && got.Freshness.Age == nil:
			p.add("freshness %+v, and not a hit: %t", *got.Freshness, *e.Hit)
		}
	}
	for op, want := range e.Upstream {
		if calls := h.sandbox.Count(op) - before[op]; calls != want {
			p.add("%d calls upstream of %s, and not %d", calls, op, want)
		}
	}
	if e.All == "projects" { // Behind the counts, which these calls change.
		all, err := h.projects(ctx)
		if err != nil {
			p.add("the sandbox: %v", err)
		}
		p.number("items", &all, got.Items)
	}
	if e.Record != nil {
		p = append(p, h.records.check(ctx, offset, s.Method, e.Record)...)
	}
	if e.Seen != nil {
		h.script.check(ctx, &p, e.Seen, s)
	}
	return p
}

// projects is how many the sandbox lists.
func (h *house) projects(ctx context.Context) (int, error) {
	count, after := 0, ""
	for {
		request := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/organization/projects?limit=100&after="+after, http.NoBody)
		request.Header.Set("Authorization", "Bearer "+sandbox.DefaultAdminKey)
		recorder := httptest.NewRecorder()
		h.sandbox.ServeHTTP(recorder, request)
		var page struct {
			Data   []any  `json:"data"`
			More   bool   `json:"has_more"`
			LastID string `json:"last_id"`
		}
		if err := json.Unmarshal(recorder.Body.Bytes(), &page); err != nil || recorder.Code != http.StatusOK {
			return 0, fmt.Errorf("status %d: %w", recorder.Code, err)
		}
		count += len(page.Data)
		if !page.More {
			return count, nil
		}
		after = page.LastID
	}
}

// problems are sentences for the reader of a failure.
type problems []string

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

func (p *problems) number(name string, want *int, got int) {
	if want != nil && *want != got {
		p.add("%s: %d, and not %d", name, got, *want)
	}
}

func (p *problems) checkError(want *Failure, got *result) {
	switch {
	case want == nil && got.Error != nil:
		p.add("the error %+v", *got.Error)
		return
	case want == nil && !got.OK:
		p.add("neither success nor an error")
		return
	case want == nil:
		return
	case got.Error == nil || got.OK:
		p.add("no error, and not %s%v", want.Kind, want.Kinds)
		return
	}
	e := got.Error
	if want.Kind != "" && e.Kind != want.Kind || len(want.Kinds) > 0 && !slices.Contains(want.Kinds, e.Kind) {
		p.add("the error %s (%s: %s), and not %s%v", e.Kind, e.Reason, e.Message, want.Kind, want.Kinds)
	}
	if want.Code != "" && e.Code != want.Code {
		p.add("the code %s, and not %s", e.Code, want.Code)
	}
	if want.Reason != nil && e.Reason != *want.Reason {
		p.add("the reason %q, and not %q", e.Reason, *want.Reason)
	}
	if want.Permission != "" && e.Permission != want.Permission {
		p.add("the permission %q, and not %q", e.Permission, want.Permission)
	}
	if want.Project != "" && e.Project != want.Project {
		p.add("the project %q, and not %q", e.Project, want.Project)
	}
	if want.Fields != nil && !slices.Equal(e.Fields, want.Fields) {
		p.add("the fields %q, and not %q", e.Fields, want.Fields)
	}
	if want.Retry != nil && *want.Retry != (e.RetryDelay != nil && *e.RetryDelay > 0) {
		p.add("it says when to try again: %t", !*want.Retry)
	}
	if want.RequestID && e.RequestID == "" {
		p.add("it has no request id")
	}
	p.number("missing reads", want.Missing, e.Missing)
	for _, text := range want.Never {
		if strings.Contains(e.Message, text) {
			p.add("the message has %q", text)
		}
	}
}

// anything lets a map that is not there stand for an empty one.
func anything(m map[string]any) any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// subset says that everything wanted is there. The text "*" stands for any value, a map
// with nothing but one_of for one of several, and lists have to have the same length.
func (p *problems) subset(path string, want, got any) {
	switch w := want.(type) {
	case map[string]any:
		if several, ok := w["one_of"].([]any); ok && len(w) == 1 {
			if !slices.Contains(several, got) {
				p.add("%s is %v, and none of %v", path, got, several)
			}
			return
		}
		g, ok := got.(map[string]any)
		if !ok {
			p.add("%s is %v", path, got)
			return
		}
		for key, value := range w {
			if _, ok := g[key]; !ok {
				p.add("%s has no %s", path, key)
				continue
			}
			p.subset(path+"."+key, value, g[key])
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			p.add("%s is %v", path, got)
			return
		}
		for i := range w {
			p.subset(fmt.Sprintf("%s[%d]", path, i), w[i], g[i])
		}
	case string:
		if w != "*" && got != want {
			p.add("%s is %v, and not %q", path, got, w)
		}
	default:
		if !reflect.DeepEqual(want, got) {
			p.add("%s is %v, and not %v", path, got, want)
		}
	}
}

// check compares what the server saw.
func (s *scripted) check(ctx context.Context, p *problems, want *Seen, step *Step) {
	if want.Canceled {
		if err := s.until(ctx, func(_ []arrived, ended int) bool { return ended > 0 }); err != nil {
			p.add("the end of the call: %v", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.number("calls", want.Calls, len(s.seen))
	keys, without := make(map[string]bool), 0
	agent := regexp.MustCompile(want.UserAgent)
	for _, call := range s.seen {
		key := strings.Join(call.metadata.Get("idempotency-key"), ",")
		if key == "" {
			without++
		} else {
			keys[key] = true
		}
		if text := strings.Join(call.metadata.Get("user-agent"), ","); !agent.MatchString(text) {
			p.add("the user agent %q", text)
		}
		if limit := step.Timeout; want.Deadline && (call.remaining <= 0 || limit > 0 && call.remaining.Seconds() > limit) {
			p.add("%s until the deadline, and the call has %v s", call.remaining, limit)
		}
	}
	p.number("idempotency keys", want.Keys, len(keys))
	p.number("calls without an idempotency key", want.Without, without)
	if n := len(s.seen); want.Longer > 0 && (n == 0 || s.seen[n-1].at.Sub(s.seen[0].at).Seconds() < want.Longer) {
		p.add("the last call came less than %v s behind the first", want.Longer)
	}
}
