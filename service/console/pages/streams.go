package pages

import (
	"errors"
	"io"
	"time"

	"connectrpc.com/connect/v2"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/service/console"
)

// longest is how long a part waits for an inventory: at a few calls a minute it takes
// minutes for tens of projects.
const longest = 10 * time.Minute

// maxMissing bounds the reads that a page names as missing.
const maxMissing = 20

// event is a message of an inventory.
type event interface {
	GetProgress() *inventoryv1.Progress
	GetFailure() *inventoryv1.Failure
	GetEnd() *inventoryv1.End
}

// whole says what an inventory lacks. The zero value is one that was cut off.
type whole struct {
	Complete bool
	Missing  []missing
	More     int // that are not named
	Reasons  []string
}

// missing is a read that failed.
type missing struct{ What, Why string }

// follow reads an inventory to its end, and gives each message to take. What is missing is
// in what it returns; an error is that of the stream, and then nothing of it is shown.
func follow[T event](v *console.Visit, receive func() (T, error), take func(T)) (whole, error) {
	var w whole
	for {
		e, err := receive()
		if errors.Is(err, io.EOF) {
			if !w.Complete && len(w.Reasons) == 0 {
				return w, connect.NewError(connect.CodeUnavailable, "the list was cut off before its end")
			}
			return w, nil
		}
		if err != nil {
			return w, err
		}
		switch progress, failure, end := e.GetProgress(), e.GetFailure(), e.GetEnd(); {
		case progress != nil:
			p := console.Progress{Done: int(progress.GetCallsDone()), Things: "reads"}
			if progress.GetAllListed() {
				p.Total = int(progress.GetCallsKnown())
			}
			v.Progress(p)
		case failure != nil:
			w.fail(failure)
		case end != nil:
			w.end(end)
		default:
			take(e)
		}
	}
}

func (w *whole) fail(f *inventoryv1.Failure) {
	if len(w.Missing) == maxMissing {
		w.More++
		return
	}
	what := f.GetProjectId()
	for _, id := range []string{f.GetGroupId(), f.GetUserId()} {
		if id != "" {
			what += " " + id
		}
	}
	if what == "" {
		what = f.GetMethod()
	}
	w.Missing = append(w.Missing, missing{what, f.GetMessage()})
}

func (w *whole) end(e *inventoryv1.End) {
	if e.GetComplete() != nil {
		w.Complete = true
		return
	}
	w.Reasons = append(w.Reasons, "Something is missing.")
	for _, reason := range e.GetIncomplete().GetReasons() {
		switch reason { //nolint:exhaustive // The failures of the others are named each.
		case inventoryv1.Incomplete_REASON_OUT_OF_TIME:
			w.Reasons = append(w.Reasons, "The time for it was over.")
		case inventoryv1.Incomplete_REASON_TOO_MANY:
			w.Reasons = append(w.Reasons, "The outermost list is longer than one page reads.")
		case inventoryv1.Incomplete_REASON_DRAINING:
			w.Reasons = append(w.Reasons, "The gateway was about to stop.")
		}
	}
}
