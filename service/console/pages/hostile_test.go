package pages_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/consoletest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/racing"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// chosen are the members of the upstream's answers whose texts people choose.
var chosen = map[string]bool{
	"name": true, "email": true, "user_email": true, "title": true, "description": true, "model": true, "line_item": true,
	"redacted_value": true, "predefined_role": true, "ip_address": true, "user_agent": true, "subject": true,
}

// renaming is an upstream whose answers have one name wherever people choose one.
type renaming struct {
	upstream.Attempter
	name string
}

// Do implements [upstream.Attempter].
func (r renaming) Do(ctx context.Context, endpoint *upstream.Endpoint, request *upstream.Request) (*upstream.Reply, error) {
	reply, err := r.Attempter.Do(ctx, endpoint, request)
	if err != nil {
		return reply, err
	}
	decoder := json.NewDecoder(bytes.NewReader(reply.Body))
	decoder.UseNumber()
	var body any
	if err := decoder.Decode(&body); err != nil {
		return nil, errors.New("the sandbox answers without JSON")
	}
	r.rename(body)
	renamed := *reply
	if renamed.Body, err = json.Marshal(body); err != nil {
		return nil, err
	}
	return &renamed, nil
}

func (r renaming) rename(value any) {
	switch value := value.(type) {
	case []any:
		for _, v := range value {
			r.rename(v)
		}
	case map[string]any:
		for key, v := range value {
			if _, text := v.(string); text && chosen[key] {
				value[key] = r.name
				continue
			}
			r.rename(v)
		}
	}
}

// TestHostileNamesOnEveryPage: names that people chose upstream, ten kilobytes long, or of
// markup, or in another direction, change nothing of any page but their own text.
func TestHostileNamesOnEveryPage(t *testing.T) {
	t.Parallel()
	open := func(name string) (*consoletest.Browser, []string) {
		box := gatewaytest.NewSandbox(t, sandbox.Options{Users: 8, Projects: 3, Groups: 3, Invites: 2, AuditEvents: 30})
		keys, err := box.ProjectKeys("")
		if err != nil {
			t.Fatal(err)
		}
		g := gatewaytest.New(t, gatewaytest.WithUpstream(renaming{box.Upstream(t), name}), gatewaytest.WithPolicy(fmt.Sprintf(operatedPolicy, keys[0].ProjectID, keys[0].ProjectID)))
		b := consoletest.Open(t, g).As(t, "all")
		project := url.QueryEscape(keys[0].ProjectID)
		paths := []string{
			"/", "/costs?by=project", "/costs?by=line_item", "/costs?by=user", "/usage?by=model", "/usage?by=user&kind=images", "/keys", "/keys?project=" + project,
			"/people", "/people?project=" + project, "/activity", "/activity?show=upstream", "/callers", "/callers?caller=viewer", "/cache",
			"/keys/revoke?project=" + project + "&key=" + url.QueryEscape(keys[0].ID),
		}
		if user := between(b.Get("/people").Text, `href="/people?user=`, `"`); user != "" {
			paths = append(paths, "/people?user="+user)
		} else {
			t.Error("no user is linked")
		}
		return b, paths
	}
	const plain = "plain"
	want, paths := open(plain)
	pages := make(map[string]*consoletest.Answer)
	seen := 0
	for _, path := range paths {
		pages[path] = want.Get(path)
		seen += strings.Count(pages[path].Text, plain)
	}
	if seen < 50 {
		t.Errorf("names are seen %d times", seen)
	}
	for i, name := range hostile() {
		if every := racing.Of(1, 4); i%every != every-1 {
			continue
		}
		t.Run(fmt.Sprintf("%.20q", name), func(t *testing.T) {
			t.Parallel()
			b, paths := open(name)
			for _, path := range paths {
				got, want := b.Get(path), pages[path]
				if got.Status != want.Status {
					t.Errorf("%s: %d, want %d", path, got.Status, want.Status)
				}
				parts := got.Parts()
				for id, part := range want.Parts() {
					got, want := markup(parts[id]), markup(part)
					if id == "records" { // What it has depends on how calls overlapped.
						got, want = kinds(got), kinds(want)
					}
					if got != want {
						t.Errorf("%s, %s: the markup is another one:\n%.500s\nwant\n%.500s", path, id, got, want)
					}
				}
				if strings.ContainsAny(got.Text, "\u202e\u0000\u001b") || len(got.Text) > 3*len(want.Text)+20_000 {
					t.Errorf("%s: %d bytes, %d of a plain name", path, len(got.Text), len(want.Text))
				}
			}
		})
	}
}

// kinds are the tags of a markup, each once.
func kinds(markup string) string {
	return strings.Join(slices.Compact(slices.Sorted(strings.FieldsSeq(markup))), " ")
}

// between is what a text has between two others; "" for nothing.
func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, ok := strings.Cut(rest, after)
	if !ok {
		return ""
	}
	return found
}
