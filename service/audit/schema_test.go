package audit

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// samples have something in every member between them.
func samples() []*Record {
	whole := full()
	whole.RequestID, whole.Method = "req_"+strings.Repeat("A", 26), strings.TrimPrefix(whole.Method, "/")
	whole.Queue, whole.Count = "", 0
	crowded := *whole
	crowded.Resources = numbered(MaxResources + 2)
	crowded.Projects = slices.Repeat([]string{strings.Repeat("p", 60)}, 100_000)
	intent, begin := *whole, *whole
	intent.Event, intent.Code, intent.Answer, intent.Decision = EventIntent, "", nil, DecisionAllowed
	begin.Event, begin.Code, begin.Answer, begin.Decision = EventBegin, "", nil, DecisionAllowed
	own := intent
	own.Decision, own.Caller, own.Authenticated, own.Credential, own.Peer, own.ForwardedFor = DecisionOwn, "", "", "", "", ""
	now := time.Date(2026, 3, 9, 8, 7, 6, 0, time.UTC)
	return []*Record{
		whole, &crowded, &intent, &begin, &own,
		{Time: now, Event: EventDropped, Queue: QueueStrangers, Count: 3},
		{Time: now, Event: EventResumed},
	}
}

// TestSchema: every line is of the schema's form, the schema has every member and no
// other, and docs/audit.md describes each.
func TestSchema(t *testing.T) {
	t.Parallel()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("audit.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("audit.json")
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	check := func(line []byte) error {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		if err != nil {
			return err
		}
		members, _ := value.(map[string]any)
		for member := range members {
			written[member] = true
		}
		return schema.Validate(value)
	}
	for _, r := range samples() {
		lines, _ := r.AppendLines(nil)
		for line := range bytes.Lines(lines) {
			if err := check(line); err != nil {
				t.Errorf("%v\n%s", err, line)
			}
		}
	}
	var described struct{ Properties map[string]json.RawMessage }
	if err := json.Unmarshal(Schema(), &described); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(described.Properties)), slices.Sorted(maps.Keys(written))); diff != "" {
		t.Errorf("-schema +lines\n%s", diff)
	}
	page, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			rows = append(rows, cells[1])
		}
	}
	for member := range described.Properties {
		if !slices.ContainsFunc(rows, func(cell string) bool { return strings.Contains(cell, "`"+member+"`") }) {
			t.Errorf("docs/audit.md does not describe %s", member)
		}
	}
	for name, wrong := range map[string]string{
		"another member":     `{"time":"2026-03-09T06:07:06.005004Z","event":"resumed","body":"x"}`,
		"no time":            `{"event":"resumed"}`,
		"another event":      `{"time":"2026-03-09T06:07:06.005004Z","event":"other"}`,
		"of nobody":          `{"time":"2026-03-09T06:07:06.005004Z","event":"intent","request_id":"req_AAAAAAAAAAAAAAAAAAAAAAAAAA","decision":"own"}`,
		"within, a caller's": `{"time":"2026-03-09T06:07:06.005004Z","event":"call","request_id":"req_AAAAAAAAAAAAAAAAAAAAAAAAAA","within":"req_AAAAAAAAAAAAAAAAAAAAAAAAAA","decision":"allowed","code":"ok"}`,
		"no decision":        `{"time":"2026-03-09T06:07:06.005004Z","event":"call","request_id":"req_AAAAAAAAAAAAAAAAAAAAAAAAAA","code":"ok"}`,
	} {
		if err := check([]byte(wrong)); err == nil {
			t.Errorf("%s is of the form: %s", name, wrong)
		}
	}
}
