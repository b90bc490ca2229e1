package inventory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// query is one call, compiled. It is immutable, so walkers share it.
type query struct {
	*Engine
	plan    *plan
	request protoreflect.Message
	caller  string
	now     time.Time
	bases   []proto.Message // by read: the fields that every request has
	cuts    []cuts          // by read, for buckets
	pieces  *pieces         // nil: the items come from a list
	view    viewing
	scope   tokenScope
	// gatherBase are the fields that every request for the list ahead of the reads
	// has; nil where the call does not ask for it.
	gatherBase proto.Message
}

// newQuery finds the reads of a call, as far as they are known ahead. It returns
// the rest of a resume token, if there is one.
func (e *Engine) newQuery(ctx context.Context, p *plan, permit admission.Permit) (*query, rest, error) {
	q := &query{Engine: e, plan: p, request: permit.Request(), caller: permit.Caller(), now: e.options.Now()}
	keys, err := e.options.TokenKeys(ctx)
	if err != nil {
		return nil, rest{}, fmt.Errorf("inventory: keys of resume tokens: %w", err)
	}
	if q.scope, err = scopeOfToken(p, permit, keys); err != nil {
		return nil, rest{}, err
	}
	todo := rest{now: q.now.Unix()}
	if token := q.request.Get(p.token).String(); token != "" {
		if todo, err = q.scope.parse(token, p.depth()); err != nil {
			return nil, rest{}, errForeignToken(err)
		}
		q.now = time.Unix(todo.now, 0)
	}
	if todo.positions == nil {
		todo.positions = []position{{}}
	}
	if p.view != nil {
		q.view = p.view.begin(q.request.Interface(), q.now, e.options.MaxGathered)
	}
	if q.gatherBase, err = q.gatherRequests(ctx); err != nil {
		return nil, rest{}, err
	}
	return q, todo, q.basicRequests(ctx)
}

// errForeignToken is the error for a token that belongs to another call, was made with
// another key, or is malformed.
func errForeignToken(cause error) error {
	return rpcerror.InvalidField(string(tokenField), "is not a token of this request and this caller, or the gateway's key has changed since: begin anew", cause)
}

// basicRequests makes the base of each read's requests from the call's request.
func (q *query) basicRequests(ctx context.Context) error {
	for _, r := range q.plan.reads {
		base := proto.Clone(r.base)
		q.bases = append(q.bases, base)
		if r.bucketed != nil && !q.counted(r.bucketed) {
			continue
		}
		for _, take := range r.takes {
			if err := take.take(q.request, base.ProtoReflect(), r.method.Name()); err != nil {
				return err
			}
		}
		if r.bucketed != nil {
			if err := q.filtersKnown(r); err != nil {
				return err
			}
		}
		if err := q.limitToProjects(ctx, r, base.ProtoReflect()); err != nil {
			return err
		}
	}
	return nil
}

// limitToProjects names the projects to which a caller is limited, where its request
// names none.
func (q *query) limitToProjects(ctx context.Context, r *read, base protoreflect.Message) error {
	if r.scope == nil || base.Get(r.scope).List().Len() > 0 {
		return nil
	}
	ids, limited, err := q.Admission.Projects(ctx, r.method)
	if err != nil || !limited {
		return err
	}
	for _, id := range ids {
		base.Mutable(r.scope).List().Append(protoreflect.ValueOfString(id))
	}
	return nil
}

// filtersKnown refuses a filter that a list of buckets does not have: without it
// the list would count more than was asked for.
func (q *query) filtersKnown(r *read) (err error) {
	q.request.Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		known := field == q.plan.token || q.plan.buckets.has(field.Name()) ||
			slices.ContainsFunc(r.takes, func(t taking) bool { return t.from == field })
		if !known {
			err = rpcerror.InvalidField(string(field.Name()), "is unknown to "+r.method.Name(), nil)
		}
		return known
	})
	return err
}

// givenKeys are the outermost items, where they are known without the list:
// sorted, each once.
func (q *query) givenKeys(ctx context.Context) (keys []string, given bool, err error) {
	if q.plan.given == nil {
		return nil, false, nil
	}
	list := q.request.Get(q.plan.given).List()
	for i := range list.Len() {
		keys = append(keys, list.Get(i).String())
	}
	if len(keys) > 0 {
		slices.Sort(keys)
		return slices.Compact(keys), true, nil
	}
	for _, r := range q.plan.reads[1:] {
		ids, limited, err := q.Admission.Projects(ctx, r.method)
		switch {
		case err != nil:
			return nil, false, err
		case !limited:
		case !given:
			keys, given = ids, true
		default:
			keys = slices.DeleteFunc(keys, func(id string) bool { return !slices.Contains(ids, id) })
		}
	}
	return keys, given, nil
}

// counted returns whether the request asks for a kind.
func (q *query) counted(b *bucketCall) bool {
	kinds := q.request.Get(q.plan.buckets.kinds).List()
	for i := range kinds.Len() {
		if kinds.Get(i).Enum() == b.kind.Number() {
			return true
		}
	}
	return false
}

// cut cuts the request's range for a list. A range without an end ends with the
// bucket that was under way when the stream began; of any other, no piece is read that
// had not begun then.
func (q *query) cut(r *read, start int64) (cuts, error) {
	fields := q.plan.buckets
	for _, field := range []protoreflect.FieldDescriptor{fields.start, fields.end} {
		at, _ := q.request.Get(field).Message().Interface().(*timestamppb.Timestamp)
		if at.GetNanos() != 0 || at.GetSeconds() < 0 {
			return cuts{}, rpcerror.InvalidField(string(field.Name()), "is not a whole second since 1970", nil)
		}
	}
	now, end, bounded := q.now.Unix(), q.now.Unix()+1, fields.start
	if now < start {
		return cuts{}, rpcerror.InvalidField(string(fields.start.Name()), "lies in the future", nil)
	}
	if q.request.Has(fields.end) {
		end, bounded = seconds(q.request, fields.end), fields.end
	}
	if end-start > fields.longest {
		return cuts{}, rpcerror.InvalidField(string(bounded.Name()), fmt.Sprintf("makes a range of more than %d days", fields.longest/bucketWidths[aDay]), nil)
	}
	width := aDay
	if q.request.Has(fields.width) {
		width = adminv1.UsageBucketWidth(q.request.Get(fields.width).Enum())
	}
	cut, err := r.bucketed.cut(start, end, width)
	if err == nil && bounded == fields.start {
		cut, err = r.bucketed.cut(start, cut.ceil(end), width)
	}
	if err != nil {
		return cuts{}, err
	}
	return cut.until(now), nil
}

// requestAt is the request for a position.
func (q *query) requestAt(r *read, number int, p position) protoreflect.Message {
	request := r.request(q.bases[number], p)
	if r.bucketed != nil {
		r.bucketed.set(request, q.cuts[number], pieceOf(p))
	}
	return request
}
