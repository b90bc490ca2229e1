package service

import (
	"context"
	"errors"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/admin-gateway/admin-gateway/cache"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// cacheService answers admingateway.control.v1.CacheService.
type cacheService struct {
	catalog *Catalog
	cache   *cacheStep
}

func (s cacheService) handlers() map[string]ownHandler {
	return map[string]ownHandler{
		"/admingateway.control.v1.CacheService/GetEntry": answers(s.getEntry),
		"/admingateway.control.v1.CacheService/Purge":    answers(s.purge),
	}
}

// errNoCache is what a gateway says that remembers nothing.
func errNoCache() error {
	return &rpcerror.Error{Code: connect.CodeFailedPrecondition, Reason: rpcerror.ReasonNoCache, Message: "this gateway keeps no answers"}
}

func (s cacheService) getEntry(ctx context.Context, _ permit, request *controlv1.GetEntryRequest) (*controlv1.GetEntryResponse, error) {
	if s.cache.Cache == nil {
		return nil, errNoCache()
	}
	m, err := s.keptRead(request.GetMethod())
	if err != nil {
		return nil, err
	}
	asked := m.Request.New()
	if request.GetRequest() != nil {
		text, err := protojson.Marshal(request.GetRequest())
		if err != nil {
			return nil, err
		}
		if err := protojson.Unmarshal(text, asked.Interface()); err != nil {
			// Its words name what was asked for, and stay in the log.
			return nil, rpcerror.InvalidField("request", "is no request of "+m.Name(), err)
		}
	}
	l, err := s.cache.lookup(ctx, m, asked)
	if err != nil {
		return nil, err
	}
	answer := &controlv1.GetEntryResponse{}
	for _, place := range []struct {
		name  controlv1.GetEntryResponse_Store
		store cache.Store
	}{
		{controlv1.GetEntryResponse_STORE_MEMORY, s.cache.Near},
		{controlv1.GetEntryResponse_STORE_SHARED, s.cache.Shared},
	} {
		if place.store == nil {
			continue
		}
		entry, ok, err := place.store.Load(ctx, l.key, l.tags)
		if err != nil {
			return nil, &rpcerror.Error{Code: connect.CodeUnavailable, Reason: rpcerror.ReasonSharedCacheUnavailable, Message: "the shared cache cannot be asked", Cause: err}
		}
		if ok {
			answer.Copies = append(answer.Copies, describe(place.name, entry, s.cache.Now()))
		}
	}
	return answer, nil
}

func describe(store controlv1.GetEntryResponse_Store, entry cache.Entry, now time.Time) *controlv1.GetEntryResponse_Copy {
	state := controlv1.GetEntryResponse_STATE_STALE
	if entry.Fresh(now) {
		state = controlv1.GetEntryResponse_STATE_FRESH
	}
	return &controlv1.GetEntryResponse_Copy{
		Store: store, State: state,
		StoredAt: timestamppb.New(entry.StoredAt), Age: durationpb.New(entry.Age(now)), Fresh: durationpb.New(entry.Life.Fresh),
		SizeBytes: int64(len(entry.Body)),
	}
}

func (s cacheService) purge(ctx context.Context, _ permit, request *controlv1.PurgeRequest) (*controlv1.PurgeResponse, error) {
	if s.cache.Cache == nil {
		return nil, errNoCache()
	}
	org, err := s.cache.organization(ctx)
	if err != nil {
		return nil, err
	}
	tag := cache.Everything
	switch what := request.GetWhat().(type) {
	case *controlv1.PurgeRequest_Method:
		m, err := s.keptRead(what.Method)
		if err != nil {
			return nil, err
		}
		tag = methodTag + m.Procedure
	case *controlv1.PurgeRequest_ProjectId:
		tag = projectTag + what.ProjectId
	case *controlv1.PurgeRequest_All:
	}
	err = s.cache.Store.Purge(ctx, cache.NewTags(org, tag))
	if err != nil && !errors.Is(err, cache.ErrUnavailable) {
		return nil, err
	}
	return &controlv1.PurgeResponse{Shared: err == nil}, nil
}

// keptRead finds a read by its name, with or without a slash in front.
func (s cacheService) keptRead(name string) (*Method, error) {
	m, ok := s.catalog.Lookup("/" + strings.TrimPrefix(name, "/"))
	if !ok || !m.Read {
		return nil, rpcerror.InvalidField("method", "is no read of this gateway, such as admingateway.admin.v1.ProjectService/GetProject", nil)
	}
	return m, nil
}
