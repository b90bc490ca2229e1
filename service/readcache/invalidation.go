package readcache

import (
	"context"
	"errors"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// Invalidation is the step that makes stored answers stale as a write declares,
// from just before it is sent until after its answer. A write whose outcome is unknown
// may still take effect, and ends after [cache.UnknownOutcomeGrace]. The step stands
// behind the wait for the budget: a write that is never sent makes nothing stale. A
// read passes, and departs here ([cache.Depart]): its answer is as new as this moment,
// however long it waited.
func Invalidation(c *Cache) pipeline.Decorator {
	return func(next pipeline.Invoker) pipeline.Invoker {
		if c == nil {
			return next
		}
		return pipeline.Func(func(ctx context.Context, permit admission.Permit) (*pipeline.Response, error) {
			m := permit.Method()
			if m.Read {
				cache.Depart(ctx)
			}
			if m.Read || len(m.Invalidates) == 0 {
				return next.Invoke(ctx, permit)
			}
			org, err := c.organization(ctx)
			if err != nil {
				return nil, err
			}
			closed, err := c.options.Store.Open(ctx, cache.NewTags(org, Tags(m, permit.Request())...))
			c.warnOfDelay(ctx, m, err)
			end := func(ctx context.Context) { c.warnOfDelay(ctx, m, closed(ctx)) }
			known := false // A panic leaves it so.
			defer func() {
				if known {
					end(context.WithoutCancel(ctx))
				} else {
					c.unknown.Hold(end) //nolint:contextcheck // It ends long after its call.
				}
			}()
			response, err := next.Invoke(ctx, permit)
			known = !isUnknown(err)
			return response, err
		})
	}
}

// isUnknown returns whether a write may still take effect.
func isUnknown(err error) bool {
	failure, ok := errors.AsType[*upstream.Error](err)
	return ok && failure.Kind == upstream.OutcomeUnknown
}

// warnOfDelay logs that other replicas learn of a write late.
func (c *Cache) warnOfDelay(ctx context.Context, m *catalog.Method, err error) {
	if err != nil {
		c.options.Logger.WarnContext(ctx, "an invalidation did not reach the shared cache yet", "method", m.Name(), "error", err.Error())
	}
}
