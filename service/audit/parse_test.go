package audit

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestParseLine: what a log has written is read as it was, in all fields.
func TestParseLine(t *testing.T) {
	t.Parallel()
	want := full()
	want.Time = want.Time.UTC().Truncate(time.Microsecond)
	want.Duration = want.Duration.Truncate(time.Microsecond)
	want.Request[0], want.Request[1] = want.Request[1], want.Request[0] // By their paths.
	want.Answer[0], want.Answer[1] = want.Answer[1], want.Answer[0]
	got, part, err := ParseLine(appendJSON(full(), nil))
	if diff := cmp.Diff(want, got); err != nil || part != 0 || diff != "" {
		t.Errorf("part %d, %v, -want +got:\n%s", part, err, diff)
	}
	for _, text := range []string{"", "{", "[]", `"x"`, `{}`, `{"event":"call"}`, `{"time":"2026-03-09T06:07:06.005004Z"}`, `{"time":"yesterday","event":"call"}`} {
		if r, _, err := ParseLine([]byte(text)); err == nil {
			t.Errorf("%s: %+v", text, r)
		}
	}
	if r, _, err := ParseLine([]byte(`{"time":"2026-03-09T06:07:06.005004Z","event":"call","duration_us":9223372036854775807,"waited_us":-5}`)); err != nil || r.Duration <= 0 || r.Waited != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestReadRecords: the lines of a record are one record again, and what is no line of a
// log, or is longer than one can be, is skipped.
func TestReadRecords(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		many := full()
		many.Projects = rapid.SliceOfN(rapid.StringN(1, 8, 20), 0, 2000).Draw(t, "projects")
		many.Request = []Detail{{Path: "all", Values: rapid.SliceOfN(rapid.StringN(0, 8, 20), 0, 2000).Draw(t, "values"), List: true}}
		var text []byte
		text = append(text, "gateway: a line of something else\n"...)
		text, _ = full().AppendLines(text)
		text, _ = many.AppendLines(text)
		text = append(text, strings.Repeat("x", rapid.IntRange(0, 5*MaxLine).Draw(t, "length"))...)
		text = append(text, "\n{}\n"...)
		text, _ = full().AppendLines(text)
		var projects, values, seen int
		err := Read(bytes.NewReader(text), func(r *Record) bool {
			if seen++; seen == 2 {
				projects = len(r.Projects)
				for _, d := range r.Request {
					values += len(d.Values)
				}
			}
			return true
		})
		if err != nil || seen != 3 || projects != len(many.Projects) || values != len(many.Request[0].Values) {
			t.Fatalf("%v: %d records, %d projects, %d values", err, seen, projects, values)
		}
	})
	var text []byte
	text, _ = full().AppendLines(text)
	text, _ = full().AppendLines(text)
	seen := 0
	if err := Read(bytes.NewReader(text), func(*Record) bool { seen++; return false }); err != nil || seen != 1 {
		t.Errorf("went on: %d, %v", seen, err)
	}
}

// TestFilter: each condition is met by the record that is full, and by no other value.
func TestFilter(t *testing.T) {
	t.Parallel()
	r := full()
	for name, f := range map[string]struct{ meets, not Filter }{
		"request id": {Filter{RequestID: r.RequestID}, Filter{RequestID: "req_"}},
		"within":     {Filter{RequestID: r.Within}, Filter{RequestID: r.Within + "B"}},
		"caller":     {Filter{Caller: r.Caller}, Filter{Caller: "team"}},
		"method":     {Filter{Method: "UpdateProjectUser"}, Filter{Method: "ProjectUser"}},
		"service":    {Filter{Method: "ProjectUserService/UpdateProjectUser"}, Filter{Method: "UserService/UpdateProjectUser"}},
		"project":    {Filter{Project: "proj_2"}, Filter{Project: "proj_"}},
		"code":       {Filter{Code: r.Code}, Filter{Code: "ok"}},
		"refused":    {Filter{Refused: true}, Filter{Refused: true, Code: "ok"}},
		"slow":       {Filter{Slowest: r.Duration}, Filter{Slowest: r.Duration + 1}},
		"since":      {Filter{Since: r.Time}, Filter{Since: r.Time.Add(1)}},
		"until":      {Filter{Until: r.Time.Add(1)}, Filter{Until: r.Time}},
	} {
		if !f.meets.Matches(r) || f.not.Matches(r) {
			t.Errorf("%s: %t, %t", name, f.meets.Matches(r), f.not.Matches(r))
		}
	}
	for decision, code := range map[string]string{DecisionAllowed: "unavailable", DecisionOwn: "ok"} {
		one := &Record{Decision: decision, Code: code}
		refused, failed := Filter{Refused: true}, Filter{Failed: true}
		if refused.Matches(one) || failed.Matches(one) == (code == "ok") {
			t.Errorf("%s, %s: %t, %t", decision, code, refused.Matches(one), failed.Matches(one))
		}
	}
}

// FuzzParseLine: nothing that a file holds makes it fail otherwise than with an error.
func FuzzParseLine(f *testing.F) {
	f.Add(appendJSON(full(), nil))
	f.Add([]byte(`{"time":"2026-03-09T06:07:06.005004Z","event":"call","request":{"a":[1,{}]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, _, err := ParseLine(text)
		if err != nil {
			return
		}
		if r.Event == "" || r.Time.IsZero() {
			t.Errorf("%s is %+v", text, r)
		}
	})
}
