package pages_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/admin-gateway/admin-gateway/internal/consoletest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// paths are the pages, with choices that show as much as there is.
func paths() []string {
	return []string{"/", "/costs", "/costs?range=90d&by=key", "/costs?range=year&by=line_item&plot=lines", "/costs?range=days&from=2026-01-01&to=2026-01-31&by=user", "/costs?by=model", "/costs?by=none", "/usage", "/usage?kind=images&range=90d&by=size&plot=lines", "/usage?kind=vector_stores&range=30d", "/usage?by=api_key_id&measure=output_tokens"}
}

// policyFor has callers with little: one project, and no permission for what the pages are
// about.
const policyFor = `
callers:
  - name: all
    authenticate: [{token_sha256: $all}]
    grants: [{permissions: ["*.read"]}]
    limits: $free
  - name: one
    authenticate: [{token_sha256: $one}]
    grants: [{permissions: ["*.read"], projects: [%s]}]
    limits: $free
  - name: none
    authenticate: [{token_sha256: $none}]
    grants: [{permissions: [sessions.read, budget.read]}]
    limits: $free
  - name: blind
    authenticate: [{token_sha256: $blind}]
    grants: [{permissions: [projects.read]}]
    limits: $free
`

// rig is a gateway in front of a sandbox, with its console.
type rig struct {
	*gatewaytest.Gateway
	console *consoletest.Console

	own, other []string // ids of projects, and of their keys
}

func newRig(t *testing.T) *rig {
	t.Helper()
	box := gatewaytest.NewSandbox(t, sandbox.Options{})
	keys, err := box.ProjectKeys("")
	if err != nil {
		t.Fatal(err)
	}
	own := keys[0].ProjectID
	r := &rig{}
	for _, key := range keys {
		if key.ProjectID == own {
			r.own = append(r.own, key.ProjectID, key.ID)
		} else {
			r.other = append(r.other, key.ProjectID, key.ID)
		}
	}
	r.Gateway = gatewaytest.New(t,
		gatewaytest.WithSandbox(box), gatewaytest.WithMemoryCache(), gatewaytest.WithPolicy(fmt.Sprintf(policyFor, own)))
	r.console = consoletest.Open(t, r.Gateway)
	return r
}

// TestPages: every page shows its data to a caller that may see all, and no part fails.
func TestPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.console.As(t, "all")
	for _, path := range paths() {
		a := b.Get(path)
		parts := a.Parts()
		if a.Status != http.StatusOK || len(parts) == 0 || !strings.HasSuffix(strings.TrimSpace(a.Text), "</html>") {
			t.Fatalf("%s: %d %s", path, a.Status, a.Text)
		}
		for id, part := range parts {
			// Nothing paces here, so that there is no budget to show.
			if !strings.Contains(part, " done\"") && id != "budget" {
				t.Errorf("%s: %s is not done: %s", path, id, part)
			}
		}
	}
	if part := b.Get("/costs?range=90d&by=user").Parts()["costs"]; !strings.Contains(part, `</bdi> <code class="optional"><bdi>user-`) {
		t.Errorf("people have no names: %s", part)
	}
	month := b.Get("/").Parts()["month"]
	for _, want := range []string{"<svg", "Projected to its end", "<bdi>" + r.own[0] + "</bdi>", "old"} {
		if !strings.Contains(month, want) {
			t.Errorf("the month has no %q: %s", want, month)
		}
	}
}

// TestKeysHaveStoredNames: costs by key show the names of keys that are stored, and ask the
// upstream for none.
func TestKeysHaveStoredNames(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.console.As(t, "all")
	asked := func() (n int) {
		for operation, count := range r.Sandbox.Counts() {
			if strings.HasSuffix(operation, "/api_keys") {
				n += count
			}
		}
		return n
	}
	const named = `</bdi> <code class="optional"><bdi>key_`
	if part := b.Get("/costs?range=90d&by=key").Parts()["costs"]; strings.Contains(part, named) || !strings.Contains(part, " done\"") || asked() != 0 {
		t.Errorf("with nothing stored, after %d calls: %s", asked(), part)
	}
	b.Get("/keys")
	before := asked()
	if before == 0 {
		t.Error("the page of keys asked for none")
	}
	for _, path := range []string{"/costs?range=90d&by=key", "/usage?by=api_key_id"} {
		if text := b.Get(path).Text; !strings.Contains(text, named) || asked() != before {
			t.Errorf("%s: with stored keys, %d calls later: %s", path, asked()-before, text)
		}
	}
}

// TestOneProject: a caller that is limited to a project sees that one and no other, on
// every page, in every table, plot and file, whatever it asks for.
func TestOneProject(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all, one := r.console.As(t, "all"), r.console.As(t, "one")
	all.Get("/keys") // The names of keys are stored from now on.
	seen := ""
	for _, path := range paths() {
		seen += all.Get(path).Text // Stored answers of others must not come to light either.
	}
	if !slices.ContainsFunc(r.other, func(id string) bool { return strings.Contains(seen, id) }) {
		t.Fatal("nobody sees the other projects")
	}
	for _, path := range append(paths(), "/costs?project="+r.other[0], "/costs.csv?range=90d&by=key", "/costs.csv?by=key&project="+r.other[0], "/costs?part=costs&range=90d&by=key", "/?part=month", "/usage?project="+r.other[0], "/usage.csv?range=90d&by=api_key_id", "/usage.csv?by=project_id&project="+r.other[0], "/usage?part=usage&by=user_id") {
		a := one.Get(path)
		text := strings.ReplaceAll(a.Text, "project="+r.other[0], "")                // What it asked for itself.
		text = strings.ReplaceAll(text, `name="project" value="`+r.other[0]+`"`, "") // As above.
		for _, id := range r.other {
			if strings.Contains(text, id) {
				t.Errorf("%s shows %s: %s", path, id, text)
			}
		}
	}
	month := one.Get("/").Parts()["month"]
	if !strings.Contains(month, r.own[0]) {
		t.Errorf("its own project is not there: %s", month)
	}
	refused := one.Get("/costs?project=" + r.other[0])
	if !strings.Contains(refused.Parts()["costs"], "in this project") {
		t.Errorf("another project: %s", refused.Text)
	}
	if a := one.Get("/costs.csv?project=" + r.other[0]); a.Status != http.StatusForbidden {
		t.Errorf("a file of another project: %d %s", a.Status, a.Text)
	}
	if a := one.Get("/usage.csv?project=" + r.other[0]); a.Status != http.StatusForbidden {
		t.Errorf("a file of usage of another project: %d %s", a.Status, a.Text)
	}
	for _, record := range r.Records.All() {
		if record.Caller == "one" && slices.ContainsFunc(record.Projects, func(id string) bool { return id != r.own[0] }) {
			t.Errorf("a call about another project: %+v", record)
		}
	}
}

// TestLacking: a part that takes a permission says which, and the others are there.
func TestLacking(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, caller := range []string{"none", "blind"} {
		b := r.console.As(t, caller)
		page := b.Get("/")
		for id, permission := range map[string]string{"month": "costs.read", "models": "usage.read"} {
			part := page.Parts()[id]
			if !strings.Contains(part, " denied\"") || !strings.Contains(part, "<code>"+permission+"</code>") {
				t.Errorf("%s, %s: %s", caller, id, part)
			}
		}
		if strings.Contains(page.Text, "proj_") {
			t.Errorf("%s sees %s", caller, page.Text)
		}
		for _, file := range []string{"/costs.csv", "/usage.csv"} {
			if a := b.Get(file); a.Status != http.StatusForbidden || strings.Contains(a.Text, "proj_") {
				t.Errorf("%s: %s: %d %s", caller, file, a.Status, a.Text)
			}
		}
	}
	if page := r.console.As(t, "blind").Get("/"); !strings.Contains(page.Text, "sessions.read") {
		t.Errorf("who lacks sessions.read is not told: %s", page.Text)
	}
}

// TestCSV has what the page has: the same sum, and as many keys.
func TestCSV(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.console.As(t, "all")
	a := b.Get("/costs.csv?range=90d&by=project")
	if a.Status != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/csv") || !strings.Contains(a.Header.Get("Content-Disposition"), "attachment") {
		t.Fatalf("%d %v", a.Status, a.Header)
	}
	rows, err := csv.NewReader(strings.NewReader(a.Text)).ReadAll()
	if err != nil || len(rows) < 90 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	page := b.Get("/costs?range=90d&by=project").Parts()["costs"]
	for _, row := range rows[1:] {
		if !strings.Contains(page, row[1]) || row[4] != "usd" {
			t.Fatalf("%q is not on the page", row)
		}
	}
}

// hostile are names that try to be more than names.
func hostile() []string {
	return []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'; alert(1); '`, `{{.Visit}}`, "\u202egnirts a\u202c", "a\u0000b\u001b[31m",
		`=HYPERLINK("http://evil.example")`, `+1`, `-1+cmd|' /C calc'!A0`, `@SUM(A1)`, "\t=1", strings.Repeat("long ", 2048), `</section><section class="part p1 done">`, "javascript:alert(1)",
	}
}

// TestHostileNames change nothing but their own text.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	plain := hostileConsole(t, "plain")
	for _, name := range hostile() {
		b := hostileConsole(t, name)
		for _, path := range []string{"/", "/costs?by=line_item", "/costs?by=user", "/usage?by=model"} {
			a, want := b.Get(path), plain.Get(path)
			// The markup is that of the page with a plain name.
			parts := a.Parts()
			for id, part := range want.Parts() {
				if got, want := markup(parts[id]), markup(part); got != want {
					t.Errorf("%.40q, %s, %s: the markup is another one:\n%s\nwant\n%s", name, path, id, got, want)
				}
			}
			if strings.ContainsAny(a.Text, "\u202e\u0000\u001b") || len(a.Text) > 3*len(want.Text)+20_000 {
				t.Errorf("%.40q, %s: %d bytes", name, path, len(a.Text))
			}
		}
		table, err := csv.NewReader(strings.NewReader(b.Get("/costs.csv?by=line_item").Text)).ReadAll()
		if err != nil || len(table) < 2 {
			t.Fatalf("%.40q: %v", name, err)
		}
		for _, row := range table {
			for _, cell := range row {
				if strings.HasPrefix(strings.TrimSpace(cell), "=") || strings.HasPrefix(cell, "@") || strings.HasPrefix(cell, "+") || strings.HasPrefix(cell, "-") {
					t.Errorf("a cell is a formula: %.40q", cell)
				}
			}
		}
	}
}

// hostileConsole is the console of a gateway whose upstream has one name for everything.
func hostileConsole(t *testing.T, name string) *consoletest.Browser {
	t.Helper()
	g := gatewaytest.New(t, gatewaytest.WithUpstream(hostileUpstream(name)), gatewaytest.WithPolicy(fmt.Sprintf(policyFor, "proj_x")))
	return consoletest.Open(t, g).As(t, "all")
}

// markup is a page without its text and its values: tags and the names of attributes.
func markup(page string) string {
	var b strings.Builder
	for _, tag := range strings.SplitAfter(page, ">") {
		_, tag, found := strings.Cut(tag, "<")
		if !found || strings.HasPrefix(tag, "/") {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimSuffix(tag, ">"), " ")
		switch name {
		case "path", "text": // A plot has as many as its values need.
		default:
			b.WriteString(name + " ")
		}
	}
	return b.String()
}

// hostileUpstream answers everything with one name in all places where one can be.
type hostileUpstream string

// Do implements [upstream.Attempter].
func (h hostileUpstream) Do(_ context.Context, endpoint *upstream.Endpoint, _ *upstream.Request) (*upstream.Reply, error) {
	quoted := quote(string(h))
	body := `{}`
	switch endpoint.Template() {
	case "/organization/costs":
		body = `{"object":"page","has_more":false,"data":[{"object":"bucket","start_time":` + today() + `,"results":[{"object":"x","amount":{"value":"12.5","currency":"usd"},"line_item":` + quoted + `,"project_id":` + quoted + `,"user_id":` + quoted + `}]}]}`
	case "/organization/usage/completions":
		body = `{"object":"page","has_more":false,"data":[{"object":"bucket","start_time":` + today() + `,"results":[{"object":"x","model":` + quoted + `,"input_tokens":1,"output_tokens":1,"num_model_requests":1}]}]}`
	case "/organization/projects":
		body = `{"object":"list","has_more":false,"data":[{"id":` + quoted + `,"object":"organization.project","name":` + quoted + `,"created_at":1}]}`
	case "/organization/users":
		body = `{"object":"list","has_more":false,"data":[{"id":` + quoted + `,"object":"organization.user","name":` + quoted + `,"email":` + quoted + `,"role":"owner","added_at":1}]}`
	case "/organization/spend_limit":
		body = `{"object":"x","threshold_amount":100,"currency":"USD","interval":"month","enforcement":{"status":` + quoted + `}}`
	case "/organization/spend_alerts":
		body = `{"object":"list","has_more":false,"data":[{"id":"a","object":"x","threshold_amount":5,"currency":"USD","interval":"month","notification_channel":{"type":"email","recipients":[` + quoted + `]}}]}`
	}
	return &upstream.Reply{Status: http.StatusOK, Body: []byte(body)}, nil
}
