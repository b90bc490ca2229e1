package service_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/cache"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/readcache"
)

// slowStore has every answer, and the first who asks for one has to leave before it comes.
type slowStore struct {
	readcache.Store
	loads atomic.Int32
	wire  []byte
}

// Load implements [cache.Store].
func (s *slowStore) Load(ctx context.Context, _ cache.Key, _ cache.Tags) (cache.Entry, bool, error) {
	if s.loads.Add(1) == 1 {
		<-ctx.Done()
		return cache.Entry{}, false, cache.ErrUnavailable
	}
	return cache.Entry{
		Forms:    cache.NewConvertedForms([]byte(`{"id":"proj_1"}`), s.wire, nil),
		StoredAt: time.Now(), Life: cache.Life{Fresh: time.Hour},
	}, true, nil
}

// TestWhoJoinsALookGetsItsAnswer: a caller that leaves while it looks into the shared store
// leaves the look to those who joined it. The upstream is not asked for what is there.
func TestWhoJoinsALookGetsItsAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wire, err := proto.Marshal(&adminv1.GetProjectResponse{Project: &adminv1.Project{Id: "proj_1"}})
		if err != nil {
			t.Fatal(err)
		}
		store := &slowStore{wire: wire}
		g := gatewaytest.New(t, gatewaytest.WithUpstream(says(`{"id":"proj_1"}`)), gatewaytest.WithMemoryCache(func(o *readcache.Options, _ *catalog.Catalog) {
			store.Store = o.Store
			o.Store = store
		}))
		projects := adminv1connect.NewProjectServiceClient(g.Client("root"))
		get := func(ctx context.Context) (*adminv1.GetProjectResponse, error) {
			return projects.GetProject(ctx, &adminv1.GetProjectRequest{ProjectId: "proj_1"})
		}
		leader, leave := context.WithCancel(t.Context())
		left, joined := make(chan error), make(chan error)
		go func() { _, err := get(leader); left <- err }()
		synctest.Wait()
		go func() {
			answer, err := get(t.Context())
			if err == nil && answer.GetProject().GetId() != "proj_1" {
				t.Errorf("got %v", answer)
			}
			joined <- err
		}()
		synctest.Wait()
		leave()
		if err := <-left; connect.CodeOf(err) != connect.CodeCanceled {
			t.Errorf("who looked got %v", err)
		}
		if err := <-joined; err != nil {
			t.Errorf("who joined got %v", err)
		}
		if asked, loads := g.Asked.Load(), store.loads.Load(); asked != 0 || loads != 2 {
			t.Errorf("the upstream was asked %d times, the store %d times", asked, loads)
		}
	})
}
