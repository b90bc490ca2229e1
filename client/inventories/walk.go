package inventories

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
)

// Message is a message of an inventory's stream.
type Message interface {
	proto.Message
	// GetProgress is the progress, if it is one.
	GetProgress() *inventoryv1.Progress
	// GetFailure is the failure of a read, if it is one.
	GetFailure() *inventoryv1.Failure
	// GetEnd is the end, if it is one.
	GetEnd() *inventoryv1.End
}

// Stream is the stream of an inventory, as generated clients return it.
type Stream[M Message] interface {
	// Receive returns the next message, or io.EOF behind the last.
	Receive() (M, error)
	// Close releases the stream.
	Close() error
}

// Walk calls an inventory and yields every message that has items. Where the stream is
// cut off, or the gateway ends it early, it calls it again with the resume token. It
// starts where req says: from the beginning when its resume_token is empty.
//
// No type has to be written; a stub's method is the call:
//
//	for page, err := range inventories.Walk(ctx, client.ListApiKeys, &inventoryv1.ListApiKeysRequest{}) {
//
// A page is yielded when it lies ahead of a resume token: about a second after it came,
// and each once. So that what was yielded, and what the token of an [*IncompleteError]
// stands for, are the whole. [IncompleteError.Repeats] says when that does not hold.
//
// An error is yielded once, without a page, and ends the walk. It is
//   - the call's own error, as it is, where the first stream was refused for good;
//   - an [*IncompleteError] in all other cases: [Attempts] streams in a row brought
//     nothing, the context ended, or what is missing cannot be had by asking again: reads
//     that are denied, or that failed for good.
//
// Between two streams it waits, and as long as the gateway asks for; where ctx would end
// before, it does not wait and gives up. Reads that failed are made again with every
// resumption, if one of the failures can pass. Leaving the loop ends the stream. Ranging
// again walks again from the start. req is copied at once and never changed.
func Walk[Req proto.Message, M Message, S Stream[M]](
	ctx context.Context, call func(context.Context, Req) (S, error), req Req, opts ...Option,
) iter.Seq2[M, error] {
	o := withOptions(opts)
	req = proto.CloneOf(req)
	return func(yield func(M, error) bool) {
		token := req.ProtoReflect().Descriptor().Fields().ByName("resume_token")
		w := &walk[M]{options: o, yield: yield, left: new(IncompleteError)}
		if token == nil || token.Kind() != protoreflect.StringKind || token.IsList() {
			w.refuse(fmt.Errorf("inventories: %s is not the request of an inventory", req.ProtoReflect().Descriptor().FullName()))
			return
		}
		w.left.ResumeToken = req.ProtoReflect().Get(token).String()
		w.open = func(ctx context.Context) (Stream[M], error) {
			ask := proto.CloneOf(req)
			ask.ProtoReflect().Set(token, protoreflect.ValueOfString(w.left.ResumeToken))
			return call(ctx, ask)
		}
		w.run(ctx)
	}
}

// walk is the state of a walk.
type walk[M Message] struct {
	options
	open  func(context.Context) (Stream[M], error)
	yield func(M, error) bool

	// left is what is missing, as far as it is known.
	left *IncompleteError
	// passing says that a read that failed can succeed at the next attempt, and asked is
	// how long the gateway asks to wait for these.
	passing bool
	asked   time.Duration
	// held are the pages behind the last token.
	held []M
	// passed says that pages behind it were passed on.
	passed bool
	// came counts the pages that were passed on.
	came int64
}

// errLeft says that the loop was left.
var errLeft = errors.New("the loop was left")

// run walks to the end.
func (w *walk[M]) run(ctx context.Context) {
	fruitless := 0
	for streams := 1; ; streams++ {
		before := w.came
		next, err := w.stream(ctx)
		if errors.Is(err, errLeft) || next == complete {
			return
		}
		w.held = nil // They come again.
		w.left.Repeats, w.passed = w.left.Repeats || w.passed, false
		w.left.Err = err
		if ctx.Err() != nil {
			w.left.Err = ctx.Err()
			break
		}
		if next == never {
			if err != nil && streams == 1 && w.came == 0 {
				w.refuse(err)
				return
			}
			break
		}
		if fruitless++; w.came > before {
			fruitless = 0
		}
		if fruitless >= w.attempts || streams >= MaxStreams || !w.pause(ctx, next, fruitless, err) {
			break
		}
	}
	w.refuse(w.left)
}

func (w *walk[M]) refuse(err error) {
	var none M
	w.yield(none, err)
}

// pause waits ahead of the next stream; false where the context ends before.
func (w *walk[M]) pause(ctx context.Context, next verdict, fruitless int, err error) bool {
	if next == atOnce {
		return ctx.Err() == nil
	}
	wait := w.first
	for range fruitless - 1 {
		wait = min(2*wait, w.longest)
	}
	wait = wait/2 + time.Duration(rand.Int64N(int64(wait/2)+1)) //nolint:gosec // It spreads callers.
	wait = max(wait, retryAfter(err), w.asked)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		w.left.Err = ctx.Err()
		return false
	}
}
