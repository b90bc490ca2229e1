package roles_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/service/roles"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func good() roles.Definition {
	return roles.Definition{
		Name: "search-batch", Project: "proj_search", ServiceAccount: "search-batch", Scopes: []string{"api.model.request"},
		TTL: new(time.Hour), MaxTTL: new(24 * time.Hour),
	}
}

// TestDefaults: what a definition is silent about, and nothing else.
func TestDefaults(t *testing.T) {
	t.Parallel()
	set, err := roles.New([]roles.Definition{good()})
	if err != nil {
		t.Fatal(err)
	}
	got, ok := set.Lookup("search-batch")
	want := roles.Role{
		Name: "search-batch", Project: "proj_search", Kind: roles.Key, ServiceAccount: "search-batch", Scopes: []string{"api.model.request"},
		TTL: time.Hour, MaxTTL: 24 * time.Hour, Grace: 2 * time.Minute, MaxLive: 20, Share: 1,
	}
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Error(diff)
	}
	if _, ok := set.Lookup("search"); ok {
		t.Error("a role that is not there")
	}
	if _, ok := (*roles.Set)(nil).Lookup("search-batch"); ok || len((*roles.Set)(nil).All()) != 0 {
		t.Error("no set has a role")
	}
}

// TestSetIsImmutable: neither what it was made of nor what it returned changes it.
func TestSetIsImmutable(t *testing.T) {
	t.Parallel()
	definition := good()
	set, err := roles.New([]roles.Definition{definition})
	if err != nil {
		t.Fatal(err)
	}
	looked, _ := set.Lookup("search-batch")
	looked.Scopes[0] = "api.all"
	set.All()[0].Scopes[0] = "api.all"
	definition.Scopes[0], *definition.TTL = "api.all", time.Minute
	if again, _ := set.Lookup("search-batch"); again.Scopes[0] != "api.model.request" || again.TTL != time.Hour {
		t.Errorf("%+v", again)
	}
}

// TestFaults: each fault has its field.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit  func(*roles.Definition)
		field string
		item  int
		want  string
	}{
		"no name":                  {func(d *roles.Definition) { d.Name = "" }, "name", -1, "missing"},
		"a dot in the name":        {func(d *roles.Definition) { d.Name = "a.b" }, "name", -1, "names of keys"},
		"a capital":                {func(d *roles.Definition) { d.Name = "Search" }, "name", -1, "names of keys"},
		"all":                      {func(d *roles.Definition) { d.Name = "*" }, "name", -1, "names of keys"},
		"a slash":                  {func(d *roles.Definition) { d.Name = "a/b" }, "name", -1, "names of keys"},
		"a line break":             {func(d *roles.Definition) { d.Name = "ab\n" }, "name", -1, "names of keys"},
		"a dash at the end":        {func(d *roles.Definition) { d.Name = "a-" }, "name", -1, "names of keys"},
		"a long name":              {func(d *roles.Definition) { d.Name = strings.Repeat("a", 64) }, "name", -1, "1 to 63"},
		"no project":               {func(d *roles.Definition) { d.Project = "" }, "project", -1, "missing"},
		"a list of projects":       {func(d *roles.Definition) { d.Project = "proj_a,proj_b" }, "project", -1, "no id"},
		"a path":                   {func(d *roles.Definition) { d.Project = "proj_a/x" }, "project", -1, "no id"},
		"another kind":             {func(d *roles.Definition) { d.Kind = "user" }, "kind", -1, "key or account"},
		"no account":               {func(d *roles.Definition) { d.ServiceAccount = "" }, "service_account", -1, "missing"},
		"an account for nothing":   {func(d *roles.Definition) { d.Kind = "account" }, "service_account", -1, "an account of its own"},
		"an account of many words": {func(d *roles.Definition) { d.ServiceAccount = "a b" }, "service_account", -1, "letters"},
		"no scopes":                {func(d *roles.Definition) { d.Scopes = nil }, "scopes", -1, "missing"},
		"empty scopes":             {func(d *roles.Definition) { d.Scopes = []string{} }, "scopes", -1, "open everything"},
		"scopes and all":           {func(d *roles.Definition) { d.All = true }, "scopes", -1, "one of the two"},
		"a scope twice":            {func(d *roles.Definition) { d.Scopes = []string{"a", "b", "a"} }, "scopes", 2, "already scopes[0]"},
		"no scope":                 {func(d *roles.Definition) { d.Scopes = []string{"a", ""} }, "scopes", 1, "no scope"},
		"a scope in capitals":      {func(d *roles.Definition) { d.Scopes = []string{"API"} }, "scopes", 0, "no scope"},
		"many scopes": {func(d *roles.Definition) {
			for i := range 64 {
				d.Scopes = append(d.Scopes, fmt.Sprintf("s%d", i))
			}
		}, "scopes", -1, "more than 64"},
		"no ttl":                  {func(d *roles.Definition) { d.TTL = nil }, "ttl", -1, "never a default"},
		"no max_ttl":              {func(d *roles.Definition) { d.MaxTTL = nil }, "max_ttl", -1, "never a default"},
		"no life":                 {func(d *roles.Definition) { *d.TTL = 0 }, "ttl", -1, "1s to"},
		"a life before it began":  {func(d *roles.Definition) { *d.TTL = -time.Hour }, "ttl", -1, "1s to"},
		"a part of a second":      {func(d *roles.Definition) { *d.TTL = 1500 * time.Millisecond }, "ttl", -1, "whole seconds"},
		"a life over the longest": {func(d *roles.Definition) { *d.TTL = 25 * time.Hour }, "ttl", -1, "longer than max_ttl"},
		"more than a year":        {func(d *roles.Definition) { *d.MaxTTL = 366 * 24 * time.Hour }, "max_ttl", -1, "1s to"},
		"a year and a grace":      {func(d *roles.Definition) { *d.MaxTTL = roles.MaxLife }, "max_ttl", -1, "with the grace"},
		"no grace":                {func(d *roles.Definition) { d.Grace = new(time.Duration(0)) }, "grace", -1, "2s to 1h"},
		"a short grace":           {func(d *roles.Definition) { d.Grace = new(time.Second) }, "grace", -1, "2s to 1h"},
		"a long grace":            {func(d *roles.Definition) { d.Grace = new(time.Hour + time.Second) }, "grace", -1, "2s to 1h"},
		"none live":               {func(d *roles.Definition) { d.MaxLive = new(0) }, "max_live", -1, "1 to"},
		"too many live":           {func(d *roles.Definition) { d.MaxLive = new(100_001) }, "max_live", -1, "1 to"},
		"no share":                {func(d *roles.Definition) { d.Share = new(0) }, "share", -1, "1 to"},
		"spares for nobody":       {func(d *roles.Definition) { d.MaxLive, d.Spares = new(2), new(3) }, "spares", -1, "more than max_live, which is 2"},
		"spares below none":       {func(d *roles.Definition) { d.Spares = new(-1) }, "spares", -1, "0 to"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			second := good()
			second.Name, second.Project = "other", "proj_other"
			definition := good()
			test.edit(&definition)
			set, err := roles.New([]roles.Definition{second, definition})
			fault, ok := errors.AsType[*roles.Fault](err)
			if !ok || set != nil {
				t.Fatalf("was taken: %v", err)
			}
			if fault.Index != 1 || fault.Field != test.field || fault.Item != test.item || !strings.Contains(fault.Reason, test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestFaultsBetweenRoles: two roles share neither a name nor an account.
func TestFaultsBetweenRoles(t *testing.T) {
	t.Parallel()
	second := good()
	_, err := roles.New([]roles.Definition{good(), second})
	if err == nil || strings.Count(err.Error(), "roles[0]") != 2 || !strings.Contains(err.Error(), "roles[1].name: ") || !strings.Contains(err.Error(), "roles[1].service_account: ") {
		t.Errorf("got %v", err)
	}
	second.Name, second.Project = "other", "proj_other"
	accounts := []roles.Definition{
		good(), second,
		{Name: "a", Project: "proj_search", Kind: "account", All: true, TTL: new(time.Second), MaxTTL: new(time.Second)},
		{Name: "b", Project: "proj_search", Kind: "account", All: true, TTL: new(time.Second), MaxTTL: new(time.Second)},
	}
	if set, err := roles.New(accounts); err != nil || len(set.All()) != 4 || set.All()[2].Scopes != nil {
		t.Errorf("the same account in another project, and accounts of their own: %v", err)
	}
	if _, err := roles.New(make([]roles.Definition, roles.MaxRoles+1)); err == nil || !strings.Contains(err.Error(), "more than 1000") {
		t.Errorf("too many: %v", err)
	}
}

// TestTakenRolesKeepTheirBounds: whatever the definitions are, a set has only roles that
// end, whose keys are restricted unless that was spelled, and whose marks are found.
func TestTakenRolesKeepTheirBounds(t *testing.T) {
	t.Parallel()
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.SampledFrom([]string{"a", "search-batch", "*", "a.b", "", "A"}), rapid.String())
		life := rapid.Ptr(rapid.OneOf(
			rapid.Map(rapid.Int64Range(-2, 7200), func(s int64) time.Duration { return time.Duration(s) * time.Second }),
			rapid.Map(rapid.Int64(), func(n int64) time.Duration { return time.Duration(n) }),
		), true)
		number := rapid.Ptr(rapid.IntRange(-1, 100), true)
		definition := rapid.Custom(func(t *rapid.T) roles.Definition {
			d := good()
			for _, edit := range rapid.SliceOfN(rapid.SampledFrom([]func(){
				func() { d.Name = text.Draw(t, "name") },
				func() { d.Project = text.Draw(t, "project") },
				func() { d.Kind = rapid.SampledFrom([]string{"", "key", "account", "x"}).Draw(t, "kind") },
				func() { d.ServiceAccount = text.Draw(t, "account") },
				func() { d.Scopes = rapid.SampledFrom([][]string{nil, {}, {"a", "b"}, {"a", "a"}}).Draw(t, "scopes") },
				func() { d.All = rapid.Bool().Draw(t, "all") },
				func() { d.TTL = life.Draw(t, "ttl") },
				func() { d.MaxTTL = life.Draw(t, "max_ttl") },
				func() { d.Grace = life.Draw(t, "grace") },
				func() { d.MaxLive = number.Draw(t, "max_live") },
				func() { d.Share = number.Draw(t, "share") },
				func() { d.Spares = number.Draw(t, "spares") },
			}), 0, 4).Draw(t, "edits") {
				edit()
			}
			return d
		})
		definitions := rapid.SliceOfN(definition, 1, 3).Draw(t, "definitions")
		set, err := roles.New(definitions)
		if (set == nil) != (err != nil) {
			t.Fatalf("set %v, error %v", set, err)
		}
		names := make(map[string]bool)
		for i, r := range set.All() {
			taken++
			mark := "agw." + r.Name + "." + strings.Repeat("0", 26) + "." + strings.Repeat("0", 32)
			switch {
			case names[r.Name], strings.Count(mark, ".") != 3, len(mark) >= 128:
				t.Fatalf("the name %q", r.Name)
			case r.TTL < time.Second, r.TTL > r.MaxTTL, r.Grace < 2*time.Second, r.MaxTTL+r.Grace > 365*24*time.Hour:
				t.Fatalf("lives %+v", r)
			case len(r.Scopes) == 0 && !definitions[i].All:
				t.Fatalf("everything is open, and nobody said so: %+v", r)
			case r.MaxLive < 1 || r.Share < 1 || r.Spares < 0 || r.Spares > r.MaxLive:
				t.Fatalf("numbers %+v", r)
			case (r.Kind == roles.Key) != (r.ServiceAccount != ""):
				t.Fatalf("account %+v", r)
			}
			names[r.Name] = true
		}
	})
	if taken < 10 {
		t.Errorf("of what was drawn %d roles were good", taken)
	}
}
