package inventory

import (
	"fmt"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// bucketFields are the fields of a request about buckets: the kinds, the
// filters and the range.
type bucketFields struct {
	kinds, start, end, width protoreflect.FieldDescriptor
	// longest is the longest range, in seconds.
	longest int64
}

func (b *bucketFields) has(name protoreflect.Name) bool {
	return b != nil && (name == b.kinds.Name() || name == b.start.Name() || name == b.end.Name() || name == b.width.Name())
}

// bucketCall is the part of a read that only lists of buckets have.
type bucketCall struct {
	kind                     protoreflect.EnumValueDescriptor
	start, end, width, limit protoreflect.FieldDescriptor // of the read's request
	from, to                 protoreflect.FieldDescriptor // of a bucket
	most                     map[adminv1.UsageBucketWidth]int64
}

// bucketWidths are the lengths that a bucket can have, in seconds.
var bucketWidths = map[adminv1.UsageBucketWidth]int64{
	adminv1.UsageBucketWidth_USAGE_BUCKET_WIDTH_ONE_MINUTE: 60,
	adminv1.UsageBucketWidth_USAGE_BUCKET_WIDTH_ONE_HOUR:   3600,
	adminv1.UsageBucketWidth_USAGE_BUCKET_WIDTH_ONE_DAY:    86400,
}

const aDay = adminv1.UsageBucketWidth_USAGE_BUCKET_WIDTH_ONE_DAY

// bucketCalls compiles lists of buckets, one for each kind.
func (f *compiler) bucketCalls(declared *optionsv1.FanOutBuckets) error {
	var err error
	find := func(message protoreflect.MessageDescriptor, name protoreflect.Name, fits func(protoreflect.FieldDescriptor) bool) protoreflect.FieldDescriptor {
		field := message.Fields().ByName(name)
		switch {
		case err != nil:
		case field == nil:
			err = &DeclarationError{NoField, string(message.FullName()) + "." + string(name)}
		case !fits(field):
			err = &DeclarationError{WrongType, string(field.FullName())}
		}
		return field
	}
	f.plan.buckets = &bucketFields{
		kinds: find(f.request, "kinds", func(fd protoreflect.FieldDescriptor) bool { return fd.Enum() != nil && fd.IsList() }),
		start: find(f.request, "start_time", isTimestamp), end: find(f.request, "end_time", isTimestamp),
		width: find(f.request, "bucket_width", isWidth),
	}
	if err != nil {
		return err
	}
	if declared.GetLongestDays() < 1 {
		return &DeclarationError{Shape, "it has no longest range"}
	}
	f.plan.buckets.longest = int64(declared.GetLongestDays()) * bucketWidths[aDay]
	missing := make(map[protoreflect.Name]bool)
	values := f.plan.buckets.kinds.Enum().Values()
	for i := range values.Len() {
		missing[values.Get(i).Name()] = values.Get(i).Number() != 0
	}
	for _, d := range declared.GetLists() {
		if !missing[protoreflect.Name(d.GetKind())] {
			return &DeclarationError{NoField, fmt.Sprintf("%q is not a kind, or occurs twice", d.GetKind())}
		}
		missing[protoreflect.Name(d.GetKind())] = false
		c, callErr := f.call(d.GetRpc(), "")
		if callErr != nil {
			return callErr
		}
		if c.list == nil {
			return &DeclarationError{NoList, d.GetRpc()}
		}
		if d.GetDays() < 1 || d.GetHours() < 0 || d.GetMinutes() < 0 {
			return &DeclarationError{Shape, d.GetRpc() + " has no limit for the buckets of a page"}
		}
		request := c.method.Request.Descriptor()
		b := &bucketCall{
			kind:  values.ByName(protoreflect.Name(d.GetKind())),
			start: find(request, "start_time", isTimestamp), end: find(request, "end_time", isTimestamp),
			limit: find(request, "limit", func(fd protoreflect.FieldDescriptor) bool { return fd.Kind() == protoreflect.Int32Kind }),
			from:  find(c.itemType(), "start_time", isTimestamp), to: find(c.itemType(), "end_time", isTimestamp),
			most: map[adminv1.UsageBucketWidth]int64{aDay: int64(d.GetDays())},
		}
		if d.GetHours() > 0 || d.GetMinutes() > 0 {
			b.width = find(request, "bucket_width", isWidth)
			b.most[adminv1.UsageBucketWidth_USAGE_BUCKET_WIDTH_ONE_HOUR] = int64(d.GetHours())
			b.most[adminv1.UsageBucketWidth_USAGE_BUCKET_WIDTH_ONE_MINUTE] = int64(d.GetMinutes())
		}
		c.bucketed = b
		if err != nil {
			return err
		}
		if err := f.place(c, true); err != nil {
			return err
		}
		kind := find(c.place.member.Message(), "kind", func(fd protoreflect.FieldDescriptor) bool {
			return fd.Enum() != nil && fd.Enum().FullName() == values.Get(0).Parent().FullName()
		})
		if err != nil {
			return err
		}
		c.place.kind, f.filled[kind.FullName()] = kind, true
		f.plan.reads = append(f.plan.reads, c)
	}
	for name, left := range missing {
		if left {
			return &DeclarationError{Shape, string(name) + " has no list"}
		}
	}
	return nil
}

func isTimestamp(field protoreflect.FieldDescriptor) bool {
	return field.Message() != nil && field.Message().FullName() == fullName(&timestamppb.Timestamp{}) && !field.IsList()
}

func isWidth(field protoreflect.FieldDescriptor) bool {
	return field.Enum() != nil && field.Enum().FullName() == adminv1.UsageBucketWidth(0).Descriptor().FullName() && !field.IsList()
}

// cuts are a range of time in the pieces that one call each can answer, in Unix
// seconds. Together they are the range, and none overlaps another.
type cuts struct {
	start, end, width, step int64
	each                    int64 // buckets of a piece, at most
	pieces                  int64 // how many are read; 0: none
	typed                   adminv1.UsageBucketWidth
}

// cut cuts a range for a list. All but the outermost edges are multiples of the
// width, so that no bucket is in two pieces; and, where one call is not enough,
// multiples of the range of a call, so that the same piece of different ranges is
// the same request.
func (b *bucketCall) cut(start, end int64, width adminv1.UsageBucketWidth) (cuts, error) {
	if b.width == nil {
		width = aDay
	}
	most, ok := b.most[width]
	if !ok || most == 0 {
		return cuts{}, rpcerror.InvalidField("bucket_width", "is not a bucket length of "+string(b.kind.Name()), nil)
	}
	seconds := bucketWidths[width]
	c := cuts{start: start, end: end, width: seconds, step: seconds * most, each: most, typed: width}
	if c.ceil(end)-c.floor(start) <= c.step {
		c.step = end // All of it in one piece.
	}
	c.pieces = c.count()
	return c, nil
}

// until leaves out the pieces that begin after an instant that is not before the range.
func (c cuts) until(now int64) cuts {
	c.pieces = min(c.pieces, now/c.step-c.start/c.step+1)
	return c
}

// floor and ceil are the edges of the bucket that an instant is in.
func (c cuts) floor(at int64) int64 { return at - at%c.width }
func (c cuts) ceil(at int64) int64  { return c.floor(at + c.width - 1) }

// count is how many pieces there are.
func (c cuts) count() int64 { return (c.end-1)/c.step - c.start/c.step + 1 }

// piece is the n-th of them.
func (c cuts) piece(n int64) (start, end int64) {
	first := c.start / c.step
	return max(c.start, (first+n)*c.step), min(c.end, (first+n+1)*c.step)
}

// set sets the piece to list in a request.
func (b *bucketCall) set(request protoreflect.Message, c cuts, piece int64) {
	start, end := c.piece(piece)
	request.Set(b.start, protoreflect.ValueOfMessage((&timestamppb.Timestamp{Seconds: start}).ProtoReflect()))
	request.Set(b.end, protoreflect.ValueOfMessage((&timestamppb.Timestamp{Seconds: end}).ProtoReflect()))
	request.Set(b.limit, protoreflect.ValueOfInt32(int32(c.each)))
	if b.width != nil {
		request.Set(b.width, protoreflect.ValueOfEnum(c.typed.Number()))
	}
}

// UnexpectedBucketsError reports a page of buckets that cannot be added up: one
// is outside of the requested range, or occurs twice.
type UnexpectedBucketsError struct {
	// Start is where the bucket begins.
	Start time.Time
}

func (e *UnexpectedBucketsError) Error() string {
	return "a bucket from " + e.Start.UTC().Format(time.RFC3339) + " is outside of the requested range, or occurs twice"
}

// check wants the buckets of a page to lie in a piece, each behind the one before
// it. Last is where the one before the page ended; it returns where this page's
// last one ends.
func (b *bucketCall) check(c cuts, piece, last int64, items protoreflect.List) (int64, error) {
	start, end := c.piece(piece)
	last = max(last, c.floor(start))
	for i := range items.Len() {
		bucket := items.Get(i).Message()
		from, to := seconds(bucket, b.from), seconds(bucket, b.to)
		if from < last || to <= from || to > c.ceil(end) {
			unexpected := &UnexpectedBucketsError{time.Unix(from, 0)}
			return last, &rpcerror.Error{Code: connect.CodeUnavailable, Reason: upstream.ReasonBadResponse, Message: unexpected.Error(), Cause: unexpected}
		}
		last = to
	}
	return last, nil
}

func seconds(m protoreflect.Message, field protoreflect.FieldDescriptor) int64 {
	at, _ := m.Get(field).Message().Interface().(*timestamppb.Timestamp)
	return at.GetSeconds()
}
