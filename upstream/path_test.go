package upstream_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/upstream"
)

func unix(seconds int64) time.Time { return time.Unix(seconds, 0) }

func TestPathRefuses(t *testing.T) {
	t.Parallel()
	e := endpoint(t, "ProjectUserService.GetProjectUser")
	for _, id := range []string{
		"", ".", "..", "a/b", `a\b`, "a?b", "a#b", "a%2fb", "%2e%2e", "a\nb", "a\x00b", "a\x7fb", "a\u0085b", "a\xffb", strings.Repeat("x", 257),
	} {
		for field, m := range map[string]*adminv1.GetProjectUserRequest{
			"project_id": {ProjectId: id, UserId: "user_1"},
			"user_id":    {ProjectId: "proj_1", UserId: id},
		} {
			_, err := e.Request(m.ProtoReflect())
			bad, ok := errors.AsType[*upstream.RequestError](err)
			if !ok || bad.Field != field {
				t.Errorf("%s %q: got %v", field, id, err)
			}
		}
	}
	if _, err := e.Request((&adminv1.GetProjectUserRequest{ProjectId: strings.Repeat("x", 256), UserId: "..."}).ProtoReflect()); err != nil {
		t.Errorf("256 bytes and three dots are a name: %v", err)
	}
}

// FuzzPath sends ids to a server, as they are: an id that the endpoint lets
// through arrives as one whole segment of the path, and all others never leave.
func FuzzPath(f *testing.F) {
	for _, id := range []string{"proj_1", "..", ".", "", "a/../b", "%2e%2e%2f", "a b", "é", "a;b", "a:b@c", "\r\nX: y", `..\..`, "?x=1", "#", "a+b", "\u2028", "%", "*", "a,b=c&d$e!'()"} {
		f.Add(id, "user_1")
		f.Add("proj_1", id)
	}
	e := endpoint(f, "ProjectUserService.GetProjectUser")
	type arrival struct{ path, query string }
	var arrived atomic.Pointer[arrival]
	client := newClient(f, serve(f, func(w http.ResponseWriter, r *http.Request) {
		arrived.Store(&arrival{r.URL.Path, r.URL.RawQuery})
		_, _ = w.Write([]byte(`{}`))
	})+"/v1")
	f.Fuzz(func(t *testing.T, project, user string) {
		r, err := e.Request((&adminv1.GetProjectUserRequest{ProjectId: project, UserId: user}).ProtoReflect())
		hostile := func(id string) bool {
			return id == "" || id == "." || id == ".." || len(id) > 256 || strings.ContainsAny(id, `/\?#%`) ||
				strings.ContainsFunc(id, unicode.IsControl) || strings.ToValidUTF8(id, "") != id
		}
		if hostile(project) || hostile(user) {
			if _, ok := errors.AsType[*upstream.RequestError](err); !ok {
				t.Fatalf("%q, %q: got %v", project, user, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Do(t.Context(), e, r); err != nil {
			t.Fatal(err)
		}
		want := arrival{path: "/v1/organization/projects/" + project + "/users/" + user}
		if got := arrived.Swap(nil); got == nil || *got != want {
			t.Fatalf("arrived as %v, want %q", got, want)
		}
	})
}
