package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// appendJSON appends the one line of a record, without its line break.
func appendJSON(r *Record, dst []byte) []byte {
	lines, n := r.AppendLines(dst)
	if n != 1 {
		panic(fmt.Sprintf("%d lines", n))
	}
	return lines[:len(lines)-1]
}

// full is a record with something in every field.
func full() *Record {
	return &Record{
		Time:              time.Date(2026, 3, 9, 8, 7, 6, 5_004_003, time.FixedZone("", 7200)),
		Event:             EventCall,
		RequestID:         "req_NEVERGONNAGIVEYOUUPABCDEFG",
		TraceID:           "4bf92f3577b34da6a3ce929d0e0e4736",
		Caller:            "team-credentials",
		Authenticated:     "token",
		Credential:        "0123456789ab",
		Peer:              "192.0.2.1:4242",
		ForwardedFor:      "203.0.113.7",
		Presented:         "unverified:https://issuer.example#somebody",
		Door:              "grpc",
		Agent:             "leases",
		Within:            "req_" + strings.Repeat("B", 26),
		Lease:             "06b2m7q5k1t8e3r9s0v4",
		Role:              "search-batch",
		Holder:            "pod-7",
		Cause:             "rotated",
		Method:            "/admingateway.admin.v1.ProjectUserService/UpdateProjectUser",
		Write:             true,
		Permission:        "projects.users.update",
		Resources:         []Resource{{"project_id", "proj_1"}, {"user_id", "user_1"}},
		Projects:          []string{"proj_1", "proj_2"},
		Decision:          DecisionDenied,
		Grant:             "grant 2",
		Reason:            "no grant has the permission",
		DeniedProject:     "proj_2",
		DeniedRole:        "search-batch",
		Code:              "permission_denied",
		Error:             "PERMISSION_DENIED",
		UpstreamRequestID: "req_011CUpstream",
		Cache:             "miss",
		Calls:             1010,
		Refused:           3,
		Idempotency:       "replayed",
		HMAC:              strings.Repeat("0f", 32),
		Duration:          1234567 * time.Nanosecond,
		Waited:            1000 * time.Microsecond,
		Budget:            "projects.users:write",
		Queue:             QueueCallers,
		Count:             7,
		Request:           []Detail{{Path: "role", Values: []string{"owner"}}, {Path: "projects.values.id", Values: []string{"proj_1", "proj_2"}, List: true}},
		Answer:            []Detail{{Path: "scopes.values", List: true}, {Path: "id", Values: []string{"new_1"}}},
	}
}

func TestAppendLines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		record Record
		want   string
	}{
		{"nothing", Record{}, `{}`},
		{"everything", *full(), `{"time":"2026-03-09T06:07:06.005004Z","event":"call","request_id":"req_NEVERGONNAGIVEYOUUPABCDEFG","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736",` +
			`"caller":"team-credentials","authenticated_by":"token","credential":"0123456789ab","peer":"192.0.2.1:4242","forwarded_for":"203.0.113.7","presented":"unverified:https://issuer.example#somebody","door":"grpc",` +
			`"agent":"leases","within":"req_` + strings.Repeat("B", 26) + `","lease":"06b2m7q5k1t8e3r9s0v4","lease_role":"search-batch","lease_holder":"pod-7","lease_cause":"rotated","method":"/admingateway.admin.v1.ProjectUserService/UpdateProjectUser","write":true,"permission":"projects.users.update",` +
			`"resources":{"project_id":"proj_1","user_id":"user_1"},"decision":"denied","grant":"grant 2","reason":"no grant has the permission",` +
			`"denied_project":"proj_2","denied_role":"search-batch","code":"permission_denied","error":"PERMISSION_DENIED","upstream_request_id":"req_011CUpstream","cache":"miss","calls":1010,"calls_refused":3,"idempotency":"replayed","hmac":"` + strings.Repeat("0f", 32) + `","duration_us":1234,"waited_us":1000,"budget":"projects.users:write","queue":"callers","count":7,` +
			`"projects":["proj_1","proj_2"],"request":{"role":"owner","projects.values.id":["proj_1","proj_2"]},"answer":{"scopes.values":[],"id":"new_1"}}`},
		{"less than a microsecond", Record{Duration: 999}, `{"duration_us":0}`},
		{"an id that is empty", Record{Resources: []Resource{{"project_id", ""}}, Projects: []string{""}}, `{"resources":{"project_id":""},"projects":[""]}`},
		{"a name twice", Record{Resources: []Resource{{"a", "1"}, {"b", "2"}, {"a", "3"}}}, `{"resources":{"a":"1","b":"2"},"resources_omitted":1}`},
		{"more than a line names", Record{Resources: numbered(10)}, `{"resources":{"0":"","1":"","2":"","3":"","4":"","5":"","6":"","7":""},"resources_omitted":2}`},
		{"breaks", Record{Caller: "a\nb\rc\td\x00e\x7ff\u0085g\u2028h\u2029i"}, `{"caller":"a\nb\rc\td\u0000e\u007ff\u0085g\u2028h\u2029i"}`},
		{"quotes", Record{Caller: `"}\` + "\n" + `{"caller":"root"}`}, `{"caller":"\"}\\\n{\"caller\":\"root\"}"}`},
		{"no UTF-8", Record{Caller: "a\xff\xc0\xafb\xed\xa0\x80"}, "{\"caller\":\"a\ufffd\ufffd\ufffdb\ufffd\ufffd\ufffd\"}"},
		{"hidden and reordered", Record{Caller: "a\u202eb\u200bc\ufeffd\U000e0041"}, `{"caller":"a\u202eb\u200bc\ufeffd\udb40\udc41"}`},
		{"letters", Record{Caller: "Jürgen 王 🦊"}, `{"caller":"Jürgen 王 🦊"}`},
		{"as long as may be", Record{Cache: strings.Repeat("x", 64)}, `{"cache":"` + strings.Repeat("x", 64) + `"}`},
		{"one too long", Record{Cache: strings.Repeat("x", 65)}, `{"cache":"` + strings.Repeat("x", 34) + `…[65 bytes]"}`},
		{"cut before an escape", Record{Cache: strings.Repeat("x", 30) + strings.Repeat("\x00", 9)}, `{"cache":"` + strings.Repeat("x", 30) + `…[39 bytes]"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, string(appendJSON(&test.record, nil))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got := string(appendJSON(&test.record, []byte("before"))); got != "before"+test.want {
				t.Errorf("appended: %s", got)
			}
		})
	}
}

func numbered(n int) []Resource {
	var resources []Resource
	for i := range n {
		resources = append(resources, Resource{Name: fmt.Sprint(i)})
	}
	return resources
}

// A field that is added to Record and forgotten in AppendLines shows here.
func TestEveryFieldHasItsMember(t *testing.T) {
	t.Parallel()
	kind := reflect.TypeFor[Record]()
	for i := range kind.NumField() {
		var r Record
		reflect.ValueOf(&r).Elem().Field(i).Set(reflect.ValueOf(full()).Elem().Field(i))
		var members map[string]any
		if err := json.Unmarshal(appendJSON(&r, nil), &members); err != nil || len(members) != 1 {
			t.Errorf("%s alone: %s, %v", kind.Field(i).Name, appendJSON(&r, nil), err)
		}
	}
}

// worst is a record in which every string would take as much room as it gets.
func worst(s string) *Record {
	r := &Record{
		Time: time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC), Event: s, RequestID: s, TraceID: s, Caller: s, Authenticated: s, Method: s, Permission: s,
		Decision: s, Grant: s, Reason: s, Code: s, UpstreamRequestID: s, Cache: s, Idempotency: s, Calls: 1<<63 - 1, Refused: 1<<63 - 1, Duration: -1 << 63,
		Agent: s, Within: s, Lease: s, Role: s, Holder: s, Cause: s,
		Presented: s, Door: s, DeniedProject: s, DeniedRole: s, Error: s, Waited: 1<<63 - 1, Budget: s, Write: true,
		Credential: s, Peer: s, ForwardedFor: s, HMAC: s, Queue: s, Count: 1<<63 - 1, Answer: []Detail{{Path: s, Values: []string{s}}},
	}
	for i := range 200 {
		r.Request = append(r.Request, Detail{Path: s, Values: []string{s, s}, List: i%2 == 0})
		r.Resources = append(r.Resources, Resource{fmt.Sprint(i) + s[:min(len(s), 300)], s})
		r.Projects = append(r.Projects, s)
	}
	return r
}

func TestLineIsBounded(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"x", "\n", "\x00", "\xff", "\u2028", "王", "\U000e0041", `"`} {
		for _, length := range []int{31, 33, 36, 64, 96, 128, 256, 300, 1 << 20} {
			lines, n := worst(strings.Repeat(unit, length/len(unit))).AppendLines(nil)
			if got := bytes.Count(lines, []byte("\n")); got != n {
				t.Errorf("%d × %q: %d lines of %d", length, unit, got, n)
			}
			for line := range bytes.Lines(lines) {
				if len(line) > MaxLine {
					t.Errorf("%d × %q: a line of %d bytes", length, unit, len(line))
				}
				if line = bytes.TrimSuffix(line, []byte("\n")); bytes.ContainsAny(line, "\n\r\u2028") || !json.Valid(line) {
					t.Errorf("%d × %q: %.200s", length, unit, line)
				}
			}
		}
	}
}

// part is a line of a record that may take several.
type part struct {
	RequestID       string `json:"request_id"`
	Event, Caller   string
	Method          string
	Decision        string
	Part, Parts     int
	Projects        []string
	Request, Answer map[string]any
	ProjectsOmitted int `json:"projects_omitted"`
	ValuesOmitted   int `json:"values_omitted"`
}

// partsOf are the lines of a record, each of which has to make sense alone.
func partsOf(t *testing.T, r *Record) []part {
	t.Helper()
	lines, n := r.AppendLines(nil)
	var parts []part
	for line := range bytes.Lines(lines) {
		var p part
		if err := json.Unmarshal(line, &p); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		parts = append(parts, p)
		if n > 1 && (p.Part != len(parts) || p.Parts != n) || p.RequestID != r.RequestID || p.Event != r.Event || p.Caller != r.Caller || p.Method != r.Method {
			t.Errorf("part %d of %d: %s", len(parts), n, line)
		}
	}
	return parts
}

// TestEveryProjectIsNamed: a call about many projects hides none of them, and every
// line goes through a pipe in one piece.
func TestEveryProjectIsNamed(t *testing.T) {
	t.Parallel()
	for _, count := range []int{1, 100, 101, 1010, 30_000} {
		r := full()
		r.Projects = nil
		for i := range count {
			r.Projects = append(r.Projects, fmt.Sprintf("proj_%024d", i))
		}
		var got []string
		for _, p := range partsOf(t, r) {
			got = append(got, p.Projects...)
			if p.ProjectsOmitted != 0 || p.Part > 1 && p.Decision != "" {
				t.Errorf("%d projects: %+v", count, p)
			}
		}
		if diff := cmp.Diff(r.Projects, got); diff != "" {
			t.Errorf("%d projects: -want +got:\n%s", count, diff)
		}
		lines, _ := r.AppendLines(nil)
		for line := range bytes.Lines(lines) {
			const pipeBuf = 4096
			if len(line) > pipeBuf {
				t.Errorf("%d projects: a line of %d bytes", count, len(line))
			}
		}
	}
}

// TestPartsHoldEverything: whatever the lists are, each of their values is in one
// part, in order, or is counted.
func TestPartsHoldEverything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`[a-z]{0,80}`)
		details := rapid.Custom(func(t *rapid.T) []Detail {
			var all []Detail
			for i, n := range rapid.SliceOfN(rapid.IntRange(-1, 120), 0, 40).Draw(t, "sizes") {
				d := Detail{Path: fmt.Sprint("field", i), List: n >= 0}
				for range max(n, 1) {
					d.Values = append(d.Values, text.Draw(t, "value"))
				}
				all = append(all, d)
			}
			return all
		})
		r := &Record{
			Event: EventCall, RequestID: "req_1", Caller: "one", Grant: strings.Repeat("\x00", rapid.IntRange(0, 60).Draw(rt, "head")),
			Projects: rapid.SliceOfN(text, 0, 300).Draw(rt, "projects"), Request: details.Draw(rt, "request"), Answer: details.Draw(rt, "answer"),
		}
		var projects []string
		request, answer := map[string][]string{}, map[string][]string{}
		gather := func(into map[string][]string, members map[string]any) {
			for path, value := range members {
				if text, ok := value.(string); ok {
					value = []any{text}
				}
				list, _ := value.([]any)
				for _, each := range list {
					text, _ := each.(string)
					into[path] = append(into[path], text)
				}
			}
		}
		for _, p := range partsOf(t, r) {
			projects = append(projects, p.Projects...)
			gather(request, p.Request)
			gather(answer, p.Answer)
		}
		if !slices.Equal(projects, r.Projects) {
			rt.Errorf("projects %q, want %q", projects, r.Projects)
		}
		for got, want := range map[*map[string][]string][]Detail{&request: r.Request, &answer: r.Answer} {
			for _, d := range want {
				if !slices.Equal((*got)[d.Path], d.Values) {
					rt.Errorf("%s: %q, want %q", d.Path, (*got)[d.Path], d.Values)
				}
			}
		}
	})
}

// TestPartsAreBounded: the last part counts what is left.
func TestPartsAreBounded(t *testing.T) {
	t.Parallel()
	r := &Record{Event: EventCall, RequestID: "req_1"}
	for range 100_000 {
		r.Projects = append(r.Projects, strings.Repeat("x", 50))
	}
	r.Request = []Detail{{Path: "a", Values: []string{"1", "2"}, List: true}, {Path: "b", Values: []string{"3"}}}
	parts := partsOf(t, r)
	projects := 0
	for _, p := range parts {
		projects += len(p.Projects)
	}
	if last := parts[len(parts)-1]; len(parts) != MaxParts || projects+last.ProjectsOmitted != len(r.Projects) || last.ValuesOmitted != 3 {
		t.Errorf("%d parts, %d projects, the last %+v", len(parts), projects, last)
	}
}

// wanted is what a reader of the line gets to see of s: no less than all of it,
// or what it begins with and how long it was.
func wanted(t *rapid.T, member, s, got string, limit int) {
	s = strings.ToValidUTF8(string([]rune(s)), "")
	if got == s {
		return
	}
	begin, end, found := strings.Cut(got, "…[")
	if !found || !strings.HasPrefix(s, begin) || !strings.HasSuffix(end, " bytes]") {
		t.Errorf("%s: %q became %q", member, s, got)
	}
	quoted, _ := jsontext.AppendQuote(nil, s)
	if len(quoted)*6 < limit {
		t.Errorf("%s: %q was cut", member, s)
	}
}

func TestHostileStringsComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(
			rapid.String(),
			rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 400), func(b []byte) string { return string(b) }),
			rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{"\n", "\x00", `"`, `\`, "\u2028", "\xed\xa0", "é", "\U0010ffff", "…[", " bytes]", "a"}), 0, 200), func(s []string) string { return strings.Join(s, "") }),
		)
		draw := func(name string) string { return text.Draw(t, name) }
		r := &Record{
			Event: draw("event"), RequestID: draw("request_id"), TraceID: draw("trace_id"), Caller: draw("caller"), Authenticated: draw("authenticated_by"),
			Method: draw("method"), Permission: draw("permission"), Decision: draw("decision"), Grant: draw("grant"), Reason: draw("reason"), Code: draw("code"),
			UpstreamRequestID: draw("upstream_request_id"), Cache: draw("cache"),
			Projects: rapid.SliceOfN(text, 0, 3).Draw(t, "projects"),
		}
		for _, name := range rapid.SliceOfN(text, 0, 10).Draw(t, "names") {
			r.Resources = append(r.Resources, Resource{name, draw("id")})
		}
		line := appendJSON(r, nil)
		// jsontext refuses what encoding/json lets through: names that come twice,
		// and bytes that are not UTF-8.
		if !jsontext.Value(line).IsValid() {
			t.Fatalf("no JSON: %q", line)
		}
		for _, c := range string(line) {
			if !strconv.IsPrint(c) {
				t.Fatalf("%q in the line %q", c, line)
			}
		}
		var got struct {
			Event, Caller, Method, Permission, Decision, Grant, Reason, Code, Cache string

			RequestID         string `json:"request_id"`
			TraceID           string `json:"trace_id"`
			Authenticated     string `json:"authenticated_by"`
			UpstreamRequestID string `json:"upstream_request_id"`
			Resources         map[string]string
			Projects          []string
		}
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatal(err)
		}
		wanted(t, "event", r.Event, got.Event, maxShort)
		wanted(t, "request_id", r.RequestID, got.RequestID, maxShort)
		wanted(t, "trace_id", r.TraceID, got.TraceID, maxShort)
		wanted(t, "caller", r.Caller, got.Caller, maxText)
		wanted(t, "authenticated_by", r.Authenticated, got.Authenticated, maxShort)
		wanted(t, "method", r.Method, got.Method, maxName)
		wanted(t, "permission", r.Permission, got.Permission, maxName)
		wanted(t, "decision", r.Decision, got.Decision, maxShort)
		wanted(t, "grant", r.Grant, got.Grant, maxText)
		wanted(t, "reason", r.Reason, got.Reason, maxText)
		wanted(t, "code", r.Code, got.Code, maxShort)
		wanted(t, "upstream_request_id", r.UpstreamRequestID, got.UpstreamRequestID, maxName)
		wanted(t, "cache", r.Cache, got.Cache, maxShort)
		for i, id := range r.Projects {
			wanted(t, "projects", id, got.Projects[i], maxProject)
		}
		if len(got.Resources) > MaxResources || len(r.Resources) > 0 && len(got.Resources) == 0 {
			t.Errorf("%d resources of %d", len(got.Resources), len(r.Resources))
		}
	})
}

func FuzzAppendLines(f *testing.F) {
	f.Add("proj_1", "a\nb")
	f.Add("\xff\x00\u2028", strings.Repeat(`"`, 300))
	f.Fuzz(func(t *testing.T, name, value string) {
		r := &Record{Caller: value, Reason: value, Resources: []Resource{{name, value}, {value, name}}, Projects: []string{name, value}}
		line := appendJSON(r, nil)
		if !jsontext.Value(line).IsValid() || bytes.ContainsAny(line, "\n\r\x00\u2028\u2029") || len(line) >= MaxLine {
			t.Fatalf("%q", line)
		}
		var got Record
		if err := json.Unmarshal(bytes.ReplaceAll(line, []byte(`"resources"`), []byte(`"-"`)), &got); err != nil {
			t.Fatal(err)
		}
		if want := string([]rune(value)); len(want)*6 <= maxText && (got.Caller != want || got.Reason != want) {
			t.Errorf("%q became %q", want, got.Caller)
		}
	})
}

func TestAppendLinesAllocatesNothing(t *testing.T) {
	r, buffer := full(), make([]byte, 0, MaxLine)
	if n := testing.AllocsPerRun(100, func() { buffer, _ = r.AppendLines(buffer[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestTimesAreThoseOfTheLayout: whatever the time, it is as package time writes it.
func TestTimesAreThoseOfTheLayout(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(1, 1<<36).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
		line, _ := (&Record{Time: at, Event: EventCall}).AppendLines(nil)
		want := `{"time":"` + at.UTC().Format("2006-01-02T15:04:05.000000Z") + `",`
		if !strings.HasPrefix(string(line), want) {
			t.Fatalf("%s does not begin with %s", line, want)
		}
	})
}
