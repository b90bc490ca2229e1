package main

import (
	"regexp"
	"strings"
	"testing"
)

// TestCases: the script has the form that this program reads, and no case expects nothing.
func TestCases(t *testing.T) {
	t.Parallel()
	cases, err := readCases("../../clients/conformance", regexp.MustCompile(""))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		expects := false
		for _, step := range c.Steps {
			e := step.Expect
			expects = expects || e.Response != nil || e.Items != nil || e.AtLeast > 0 || e.All != "" || e.Error != nil ||
				e.Hit != nil || e.Seen != nil || e.Upstream != nil || e.Record != nil
		}
		if !expects {
			t.Errorf("%s: nothing is expected", c.Name)
		}
	}
}

// TestCheckNotices: each result differs from what was expected in one thing, and is
// refused for it.
func TestCheckNotices(t *testing.T) {
	t.Parallel()
	yes, two, reason := true, 2, "R"
	for _, test := range []struct {
		name   string
		expect Expect
		got    result
		says   string
	}{
		{"an error that nobody expects", Expect{}, result{Error: &callError{Kind: "Internal"}}, "Internal"},
		{"no result at all", Expect{}, result{}, "neither success nor an error"},
		{"success in place of an error", Expect{Error: &Failure{Kind: "NotFound"}}, result{OK: true}, "NotFound"},
		{"an error and success", Expect{Error: &Failure{Kind: "NotFound"}}, result{OK: true, Error: &callError{Kind: "NotFound"}}, "no error"},
		{"another kind", Expect{Error: &Failure{Kind: "NotFound"}}, result{Error: &callError{Kind: "Internal"}}, "Internal"},
		{"another reason", Expect{Error: &Failure{Reason: &reason}}, result{Error: &callError{}}, "reason"},
		{"another permission", Expect{Error: &Failure{Permission: "p"}}, result{Error: &callError{}}, "permission"},
		{"other fields", Expect{Error: &Failure{Fields: []string{"a"}}}, result{Error: &callError{}}, "fields"},
		{"no time to try again", Expect{Error: &Failure{Retry: &yes}}, result{Error: &callError{}}, "try again"},
		{"no request id", Expect{Error: &Failure{RequestID: true}}, result{Error: &callError{}}, "request id"},
		{"reads that are not missing", Expect{Error: &Failure{Missing: &two}}, result{Error: &callError{}}, "missing"},
		{"a text in the message", Expect{Error: &Failure{Never: []string{"sk-"}}}, result{Error: &callError{Message: "sk-x"}}, "sk-"},
		{"a member that is not there", Expect{Response: map[string]any{"a": "b"}}, result{OK: true}, "no a"},
		{"another member", Expect{Response: map[string]any{"a": map[string]any{"b": 1.0}}}, result{OK: true, Response: map[string]any{"a": map[string]any{"b": 2.0}}}, "response.a.b"},
		{"a longer list", Expect{Response: map[string]any{"a": []any{"x"}}}, result{OK: true, Response: map[string]any{"a": []any{"x", "x"}}}, "response.a"},
		{"other items", Expect{Items: &two}, result{OK: true, Items: 3}, "items"},
		{"too few items", Expect{AtLeast: 2}, result{OK: true, Items: 1}, "items"},
		{"an item twice", Expect{Different: true}, result{OK: true, IDs: []string{"a", "b", "a"}}, "twice"},
		{"no progress", Expect{Progress: true}, result{OK: true}, "progress"},
		{"no freshness", Expect{Hit: &yes}, result{OK: true}, "freshness"},
		{"no hit", Expect{Hit: &yes}, result{OK: true, Freshness: &freshness{}}, "freshness"},
	} {
		got := new(house).check(t.Context(), &Step{Expect: test.expect}, &test.got, nil, 0)
		if len(got) != 1 || !strings.Contains(got[0], test.says) {
			t.Errorf("%s: %q", test.name, got)
		}
	}
	as := result{OK: true, Items: 2, Response: map[string]any{"a": "any", "b": 1.0}, IDs: []string{"a", "b"}}
	if got := new(house).check(t.Context(), &Step{Expect: Expect{Items: &two, Different: true, Response: map[string]any{"a": "*"}}}, &as, nil, 0); got != nil {
		t.Errorf("what was expected is refused: %q", got)
	}
}
