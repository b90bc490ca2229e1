package pages

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/service/console"
)

const (
	permissionCache = "cache.read"
	permissionPurge = "cache.purge"
)

// cached is the page of stored answers.
func cached() *console.Page {
	return &console.Page{
		Path: "/cache", Title: "Cache", Needs: []string{permissionCache, permissionPurge},
		Parts: []console.Part{
			{ID: "entry", Title: "Stored answers of a read", Needs: permissionCache, Wide: true, Gather: gatherEntry, Template: "entry"},
			{ID: "purge", Title: "Empty the cache", Needs: permissionPurge, Wide: true, Gather: gatherPurge, Template: "purge"},
		},
		Actions: []*console.Action{purge()},
	}
}

// entryView is what the template "entry" shows: a question, and its answer.
type entryView struct {
	Method, Request string
	Copies          []*controlv1.GetEntryResponse_Copy
	Asked           bool
	Fault           string // what is wrong with the question
}

func gatherEntry(ctx context.Context, v *console.Visit) (any, error) {
	view := entryView{Method: strings.TrimSpace(v.Query.Get("method")), Request: strings.TrimSpace(v.Query.Get("request"))}
	if view.Method == "" {
		return view, nil
	}
	request := &controlv1.GetEntryRequest{Method: view.Method}
	if view.Request != "" {
		if request.Request = objectOf(view.Request); request.Request == nil {
			view.Fault = notObject
			return view, nil
		}
	}
	answer, err := controlv1connect.NewCacheServiceClient(v.Client()).GetEntry(ctx, request)
	if fault := faultOf(err); fault != "" {
		view.Fault = fault
		return view, nil
	}
	view.Copies, view.Asked = answer.GetCopies(), true
	return view, err
}

// purgeView is what the template "purge" shows.
type purgeView struct {
	Limited bool // its user may purge projects alone
}

func gatherPurge(_ context.Context, v *console.Visit) (any, error) {
	_, limited := v.Access.Projects(permissionPurge)
	return purgeView{limited}, nil
}

// purgeOf is what the fields of a form or an address say, and that in words. Without a
// field it is everything.
func purgeOf(values url.Values) (*controlv1.PurgeRequest, string) {
	method, project := strings.TrimSpace(values.Get("method")), strings.TrimSpace(values.Get("project"))
	switch {
	case method != "":
		return &controlv1.PurgeRequest{What: &controlv1.PurgeRequest_Method{Method: method}}, "the answers of this read"
	case project != "":
		return &controlv1.PurgeRequest{What: &controlv1.PurgeRequest_ProjectId{ProjectId: project}}, "the answers to requests that name this project"
	default:
		return &controlv1.PurgeRequest{What: &controlv1.PurgeRequest_All{All: true}}, "all stored answers"
	}
}

// purge makes all replicas forget answers.
func purge() *console.Action {
	return &console.Action{
		Path: "/cache/purge", Title: "Empty the cache", Needs: permissionPurge,
		Ask: func(_ context.Context, v *console.Visit) (console.Question, error) {
			request, what := purgeOf(v.Query)
			q := console.Question{
				Sentences: []string{
					"Every replica forgets " + what + ".",
					"The next read of each asks the upstream, and spends its budget: with a few calls a minute, callers will wait.",
				},
				Fields: url.Values{"method": {request.GetMethod()}, "project": {request.GetProjectId()}}, Button: "Empty the cache",
			}
			for _, fact := range []console.Fact{{Name: "Read", Value: request.GetMethod()}, {Name: "Project", Value: request.GetProjectId()}} {
				if fact.Value != "" {
					q.Facts = append(q.Facts, fact)
				}
			}
			return q, nil
		},
		Do: func(ctx context.Context, v *console.Visit) (console.Done, error) {
			request, what := purgeOf(v.Form)
			answer, err := controlv1connect.NewCacheServiceClient(v.Client()).Purge(ctx, request)
			if err != nil {
				return console.Done{}, err
			}
			done := console.Done{Sentences: []string{"Forgotten: " + what + "."}}
			if !answer.GetShared() {
				done.Sentences = append(done.Sentences, "The other replicas could not be told: they follow when the shared store can be reached again.")
			}
			return done, nil
		},
	}
}

// notObject says that a text is not a JSON object.
const notObject = "The request is not a JSON object."

// objectOf reads a JSON object; nil for another text.
func objectOf(text string) *structpb.Struct {
	if !json.Valid([]byte(text)) {
		return nil
	}
	object := new(structpb.Struct)
	if protojson.Unmarshal([]byte(text), object) != nil {
		return nil // It is not an object.
	}
	return object
}
