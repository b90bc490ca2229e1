package readcache

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
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// cacheService answers admingateway.control.v1.CacheService.
type cacheService struct {
	catalog *catalog.Catalog
	cache   *Cache // nil: none
}

// Handlers answer admingateway.control.v1.CacheService. Without a cache they
// fail.
func Handlers(methods *catalog.Catalog, c *Cache) pipeline.Handlers {
	s := cacheService{methods, c}
	return pipeline.Handlers{
		"/admingateway.control.v1.CacheService/GetEntry": pipeline.Unary(s.getEntry),
		"/admingateway.control.v1.CacheService/Purge":    pipeline.Unary(s.purge),
	}
}

// errNoCache is the error of a gateway that stores no answers.
func errNoCache() error {
	return &rpcerror.Error{Code: connect.CodeFailedPrecondition, Reason: rpcerror.ReasonNoCache, Message: "this gateway stores no answers"}
}

func (s cacheService) getEntry(ctx context.Context, _ admission.Permit, request *controlv1.GetEntryRequest) (*controlv1.GetEntryResponse, error) {
	if s.cache == nil {
		return nil, errNoCache()
	}
	m, err := s.storedRead(request.GetMethod())
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
			// The error quotes the request, and stays in the log.
			return nil, rpcerror.InvalidField("request", "is not a request of "+m.Name(), err)
		}
	}
	org, err := s.cache.organization(ctx)
	if err != nil {
		return nil, err
	}
	key, err := keyOf(org, m, asked)
	if err != nil {
		return nil, err
	}
	tags := readTags(org, m, asked)
	answer := &controlv1.GetEntryResponse{}
	for _, place := range []struct {
		name  controlv1.GetEntryResponse_Store
		store cache.Store
	}{
		{controlv1.GetEntryResponse_STORE_MEMORY, s.cache.options.Near},
		{controlv1.GetEntryResponse_STORE_SHARED, s.cache.options.Shared},
	} {
		if place.store == nil {
			continue
		}
		entry, ok, err := place.store.Load(ctx, key, tags)
		if err != nil {
			return nil, &rpcerror.Error{Code: connect.CodeUnavailable, Reason: rpcerror.ReasonSharedCacheUnavailable, Message: "the shared cache does not answer", Cause: err}
		}
		if ok {
			answer.Copies = append(answer.Copies, describe(place.name, entry, s.cache.options.Now()))
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
		SizeBytes: int64(entry.Size()),
	}
}

func (s cacheService) purge(ctx context.Context, _ admission.Permit, request *controlv1.PurgeRequest) (*controlv1.PurgeResponse, error) {
	if s.cache == nil {
		return nil, errNoCache()
	}
	org, err := s.cache.organization(ctx)
	if err != nil {
		return nil, err
	}
	tag := cache.Everything
	switch what := request.GetWhat().(type) {
	case *controlv1.PurgeRequest_Method:
		m, err := s.storedRead(what.Method)
		if err != nil {
			return nil, err
		}
		tag = methodTag + m.Procedure
	case *controlv1.PurgeRequest_ProjectId:
		tag = projectTag + what.ProjectId
	case *controlv1.PurgeRequest_All:
	}
	err = s.cache.options.Store.Purge(ctx, cache.NewTags(org, tag))
	if err != nil && !errors.Is(err, cache.ErrUnavailable) {
		return nil, err
	}
	return &controlv1.PurgeResponse{Shared: err == nil}, nil
}

// storedRead finds a read by its name.
func (s cacheService) storedRead(name string) (*catalog.Method, error) {
	m, err := s.catalog.Find(name)
	if ambiguous, ok := errors.AsType[*catalog.NameError](err); ok && len(ambiguous.Candidates) > 0 {
		return nil, rpcerror.InvalidField("method", "is ambiguous: "+strings.Join(ambiguous.Candidates, ", "), err)
	}
	if err != nil || m.Source != catalog.Upstream || !m.Read {
		return nil, rpcerror.InvalidField("method", "is not a read of this gateway, such as admingateway.admin.v1.ProjectService/GetProject", err)
	}
	return m, nil
}
