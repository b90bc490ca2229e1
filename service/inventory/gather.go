package inventory

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/service/observe"
)

// gathering is the list that is read whole before the reads of a [plan], for its
// view.
type gathering struct {
	*read
	// when is the request's field that asks for it.
	when protoreflect.FieldDescriptor
}

// gathering compiles the list that is read ahead. It does not take fields of the
// request: a filter would hide from the view what it has to know.
func (f *compiler) gathering(d *optionsv1.FanOutGather) error {
	if d == nil {
		return nil
	}
	c, err := f.read(d.GetRpc(), d.GetWith())
	if err != nil {
		return err
	}
	when := f.request.Fields().ByName(protoreflect.Name(d.GetWhen()))
	switch {
	case f.plan.buckets != nil || f.plan.view == nil || f.plan.view.gathers == "":
		return &DeclarationError{Shape, d.GetRpc() + " is gathered, and no view has a use for it"}
	case c.list == nil:
		return &DeclarationError{NoList, d.GetRpc()}
	case len(c.method.Endpoint.Variables()) > 0:
		return &DeclarationError{Unbound, string(c.method.Endpoint.Variables()[0].FullName())}
	case c.itemType().FullName() != f.plan.view.gathers:
		return &DeclarationError{WrongType, string(c.itemType().FullName()) + " is not the type that the view gathers"}
	case when == nil:
		return &DeclarationError{NoField, fmt.Sprintf("%s.%s", f.request.FullName(), d.GetWhen())}
	case when.Kind() != protoreflect.BoolKind || when.IsList():
		return &DeclarationError{WrongType, string(when.FullName())}
	}
	f.plan.gather, f.taken[when.Name()] = &gathering{c, when}, true
	return nil
}

// gatherRequests is the base of the requests for the list that is read ahead; nil where
// the call does not ask for it.
func (q *query) gatherRequests(ctx context.Context) (proto.Message, error) {
	g := q.plan.gather
	if g == nil || !q.request.Get(g.when).Bool() {
		return nil, nil
	}
	base := proto.Clone(g.base)
	return base, q.limitToProjects(ctx, g.read, base.ProtoReflect())
}

// gather reads the list whole, and hands its items to the view.
func (w *walker) gather(ctx context.Context) (err error) {
	defer observe.Recover(ctx, w.Logger, &err)
	g := w.plan.gather
	trail := g.list.Trail("", w.options.MaxPages)
	for at := (position{}); ; {
		w.gathered.known.Add(1)
		got, next, err := w.fetch(ctx, g.read, g.request(w.gatherBase, at), trail)
		w.gathered.done.Add(1)
		if err != nil {
			return err
		}
		items := got.message.Get(g.items).List()
		for i := range items.Len() {
			if !w.view.gather(items.Get(i).Message().Interface()) {
				w.unjudged.Store(true)
			}
		}
		if at.cursor = next; next == "" {
			return nil
		}
	}
}

// gather begins the list that is read ahead. Until it has been read whole, no other
// read begins: the view could not judge its items.
func (s *scheduler) gather(ctx context.Context) {
	number := s.number(branch{})
	s.held = true
	w := s.walker
	s.walks.Go(func() {
		err := w.gather(ctx)
		if err != nil {
			w.fail(ctx, w.plan.gather.read, position{}, err, event{walk: number})
		}
		w.events <- event{walk: number, done: true, gathered: err == nil}
	})
}
