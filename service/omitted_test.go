package service_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/cache"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/readcache"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// says is an upstream that always says the same.
func says(body string) upstream.Attempter {
	return gatewaytest.UpstreamFunc(func(context.Context) (*upstream.Reply, error) {
		return &upstream.Reply{Status: http.StatusOK, Body: []byte(body)}, nil
	})
}

// TestOmittedThroughEveryDoor: the header names what was left out, of an answer of the
// upstream and of a stored one; and an answer that is whole has no such header.
func TestOmittedThroughEveryDoor(t *testing.T) {
	t.Parallel()
	const odd = `{"object":7,"data":[{"id":"proj_1","name":[],"created_at":"7"},{"id":"proj_2","name":"two","archived_at":{}}],"has_more":false}`
	m := catalogtest.Method(t, "ProjectService/ListProjects")
	for _, d := range doors {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			gw := gatewaytest.New(t, gatewaytest.WithUpstream(says(odd)), gatewaytest.WithMemoryCache(), gatewaytest.WithDrift())
			for _, status := range []string{"fwd=miss", "hit"} {
				ctx, info := connect.NewClientContext(t.Context())
				response := new(adminv1.ListProjectsResponse)
				if err := gatewaytest.As("root", gw.Transport(d)).CallUnary(ctx, m.Spec(), &adminv1.ListProjectsRequest{}, response); err != nil {
					t.Fatal(err)
				}
				header := info.ResponseHeader()
				if got := header.Get(pipeline.OmittedHeader); got != "object, data[].name, data[].archived_at" || !strings.Contains(header.Get("Cache-Status"), status) {
					t.Errorf("%s: left out are %q, Cache-Status %q", status, got, header.Get("Cache-Status"))
				}
				if data := response.GetData(); len(data) != 2 || data[0].Name != nil || data[0].GetCreatedAt().GetSeconds() != 7 || data[1].GetName() != "two" {
					t.Errorf("%s: got %v", status, response)
				}
			}
			counted := 0
			for _, e := range gw.Drift.Snapshot() {
				if e.Kind == adminjson.TypeMismatch {
					counted++
				}
			}
			if counted != 3 {
				t.Errorf("counted are %v", gw.Drift.Snapshot())
			}
			whole := gatewaytest.New(t, gatewaytest.WithUpstream(says(`{"data":[]}`)))
			ctx, info := connect.NewClientContext(t.Context())
			if err := gatewaytest.As("root", whole.Transport(d)).CallUnary(ctx, m.Spec(), &adminv1.ListProjectsRequest{}, new(adminv1.ListProjectsResponse)); err != nil || info.ResponseHeader().Get(pipeline.OmittedHeader) != "" {
				t.Errorf("of a whole answer: %v, %q", err, info.ResponseHeader().Get(pipeline.OmittedHeader))
			}
		})
	}
}

// TestConvertedAnswers: an answer that comes from another replica's store has the same
// notes as the one that was fetched.
func TestConvertedAnswers(t *testing.T) {
	t.Parallel()
	methods := catalogtest.Gateway(t)
	convert := readcache.Converter(methods)
	key := cacheKey("/admingateway.admin.v1.ProjectService/GetProject\nGET /organization/projects/p?")
	local, notes, err := convert(key, []byte(`{"id":"p","name":7}`))
	want, _ := proto.Marshal(&adminv1.GetProjectResponse{Project: &adminv1.Project{Id: "p"}})
	if err != nil || !bytes.Equal(local, want) || len(notes) != 1 || notes[0] != "name" {
		t.Errorf("got %q, %q, %v", local, notes, err)
	}
	if _, _, err := convert(key, []byte(`{"error":{}}`)); err == nil {
		t.Error("an entry that is no answer is converted")
	}
}

// TestRESTPassesOnAnswers: what is JSON and an answer passes the REST door, also where
// no message can be made of it. Then it is not stored, and typed callers get an error.
func TestRESTPassesOnAnswers(t *testing.T) {
	t.Parallel()
	const odd = `{"data":[{"id":"proj_1","created_at":"yesterday"}],"has_more":"perhaps"}`
	h := newRESTGateway(t, gatewaytest.WithUpstream(says(odd)), gatewaytest.WithMemoryCache())
	for asked := int32(1); asked <= 2; asked++ {
		r := h.send(t, http.MethodGet, "/v1/organization/projects", nil)
		if got := r.header.Get(pipeline.OmittedHeader); r.status != http.StatusOK || string(r.body) != odd || got != "data[].created_at, has_more" || h.Asked.Load() != asked {
			t.Errorf("got %d %s, left out are %q, asked %d times", r.status, r.body, got, h.Asked.Load())
		}
	}
	for _, d := range doors {
		if d.REST {
			continue
		}
		err := gatewaytest.As("root", h.Transport(d)).CallUnary(t.Context(), catalogtest.Method(t, "ProjectService/ListProjects").Spec(), &adminv1.ListProjectsRequest{}, new(adminv1.ListProjectsResponse))
		if reason(t, err) != upstream.ReasonBadResponse {
			t.Errorf("%s: got %v", d.Name, err)
		}
	}
}

// TestRESTSendsUTF8: an answer with a byte order mark or with text that is not UTF-8 is
// sent as every client can read it.
func TestRESTSendsUTF8(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"\uFEFF{ \"id\":\"proj_1\"}":                        `{ "id":"proj_1"}`,
		`{"id":"proj_1","name":"\ud800","new":[1.0]}`:       "{\"id\":\"proj_1\",\"name\":\"\uFFFD\",\"new\":[1.0]}",
		"{\"id\":\"proj_1\",\"name\":\"\xff\"}":             "{\"id\":\"proj_1\",\"name\":\"\uFFFD\"}",
		"{\"id\":\"proj_1\",  \"name\":\"\\ud83d\\ude00\"}": "{\"id\":\"proj_1\",  \"name\":\"\\ud83d\\ude00\"}",
	} {
		h := newRESTGateway(t, gatewaytest.WithUpstream(says(said)), gatewaytest.WithMemoryCache())
		for range 2 {
			if r := h.send(t, http.MethodGet, "/v1/organization/projects/proj_1", nil); r.status != http.StatusOK || string(r.body) != want {
				t.Errorf("%q: got %d %q, want %q", said, r.status, r.body, want)
			}
		}
	}
}

func cacheKey(canonical string) cache.Key { return cache.Key{Org: "org", Canonical: canonical} }
