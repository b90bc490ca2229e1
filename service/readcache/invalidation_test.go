package readcache_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/cache"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/readcache"
)

// witnessed is a store that takes note of invalidations, in one list with what happens
// between. Everything else that is asked of it is a fault.
type witnessed struct {
	readcache.Store
	happened []string
	ended    error // of the context in which an invalidation was closed
	fails    error
}

func (w *witnessed) Open(context.Context, cache.Tags) (func(context.Context) error, error) {
	w.happened = append(w.happened, "open")
	return func(ctx context.Context) error {
		w.happened, w.ended = append(w.happened, "close"), ctx.Err()
		return w.fails
	}, w.fails
}

// TestWritesInvalidateAround: an invalidation opens before the write is sent, and closes
// once after its answer or its failure, also when the caller has gone and when the
// shared cache does not hear of it. After a panic it stays open, since the write may
// still take effect. Nothing else opens one.
func TestWritesInvalidateAround(t *testing.T) {
	t.Parallel()
	failure := errors.New("no answer")
	around := []string{"open", "send", "close"}
	write := proto.Message(&adminv1.UpdateProjectRequest{ProjectId: "p", Name: proto.String("new")})
	for name, test := range map[string]struct {
		method  string
		request proto.Message
		sent    error
		panics  bool
		fails   error
		want    []string
	}{
		"a write":                          {method: "ProjectService/UpdateProject", request: write, want: around},
		"a write that fails":               {method: "ProjectService/UpdateProject", request: write, sent: failure, want: around},
		"a write that panics":              {method: "ProjectService/UpdateProject", request: write, panics: true, want: []string{"open", "send"}},
		"a write without the shared cache": {method: "ProjectService/UpdateProject", request: write, fails: cache.ErrUnavailable, want: around},
		"a read":                           {method: "ProjectService/GetProject", request: &adminv1.GetProjectRequest{ProjectId: "p"}, want: []string{"send"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &witnessed{fails: test.fails}
			c, err := readcache.New(readcache.Options{Store: store, Near: new(cache.Memory), Org: func(context.Context) (string, error) { return "org", nil }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			next := pipeline.Func(func(context.Context, admission.Permit) (*pipeline.Response, error) {
				store.happened = append(store.happened, "send")
				cancel() // The caller goes while the write is on its way.
				if test.panics {
					panic("in the middle of a write")
				}
				return nil, test.sent
			})
			defer func() {
				if (recover() != nil) != test.panics {
					t.Error("a panic came from elsewhere, or went nowhere")
				}
				if !slices.Equal(store.happened, test.want) || store.ended != nil {
					t.Errorf("happened: %q, want %q; closed with %v", store.happened, test.want, store.ended)
				}
			}()
			permit := admissiontest.Permit(t, catalogtest.Method(t, test.method), test.request)
			if _, err := readcache.Invalidation(c)(next).Invoke(ctx, permit); !errors.Is(err, test.sent) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestWritesOfNobodyAreNotSent: without the organization nothing is known of what a write
// makes stale, and it is not made.
func TestWritesOfNobodyAreNotSent(t *testing.T) {
	t.Parallel()
	store := &witnessed{}
	c, err := readcache.New(readcache.Options{Store: store, Near: new(cache.Memory), Org: func(context.Context) (string, error) { return "", errors.New("no key") }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	next := pipeline.Func(func(context.Context, admission.Permit) (*pipeline.Response, error) {
		t.Error("the write was sent")
		return nil, nil //nolint:nilnil // It is not called.
	})
	permit := admissiontest.Permit(t, catalogtest.Method(t, "ProjectService/UpdateProject"), &adminv1.UpdateProjectRequest{ProjectId: "p", Name: proto.String("new")})
	if _, err := readcache.Invalidation(c)(next).Invoke(t.Context(), permit); err == nil || len(store.happened) != 0 {
		t.Errorf("got %v, happened: %q", err, store.happened)
	}
}
