package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/output"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
)

// callControl makes one call.
func callControl[Q, A any](ctx context.Context, f operatorFlags, client *connect.Client, rpc func(*connect.Client) func(context.Context, Q) (A, error), request Q) (A, error) {
	calling, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	answer, err := rpc(client)(calling, request)
	if err != nil {
		return answer, rpcError(ctx, err)
	}
	return answer, nil
}

// operate makes a call with the client of a service.
func operate[C any](ctx context.Context, f operatorFlags, of func(*connect.Client) C, do func(context.Context, C) error) error {
	client, end, err := f.Client()
	if err != nil {
		return err
	}
	defer end()
	calling, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	return rpcError(ctx, do(calling, of(client)))
}

const (
	shortestInterval = 500 * time.Millisecond
	// clearScreen puts the cursor at the beginning of an empty screen.
	clearScreen = "\x1b[H\x1b[2J"
)

// watchFlags are those of a command that shows something once, or again and again.
type watchFlags struct {
	Once     bool          `xor:"watch" help:"Print once, and end, as without --interval."`
	Interval time.Duration `xor:"watch" placeholder:"5s" help:"Look again after this time, until a signal; at least 500ms."`
}

// onceFlag is that of a command that never shows anything again and again.
type onceFlag struct {
	Once bool `help:"Print once, and end, as without it: for scripts that give it to every command."`
}

// once tells whether it is shown once.
func (f *watchFlags) once() bool { return f.Once || f.Interval == 0 }

// clear empties the screen before what is shown again and again.
func (f *operatorFlags) clear(w io.Writer, once bool) error {
	if once || f.Format != output.Text || !output.Terminal(w) {
		return nil
	}
	_, err := io.WriteString(w, clearScreen)
	return err
}

// again shows something once, or again and again until a signal: then what passes does not
// end it.
func again(ctx context.Context, std streams, once bool, interval time.Duration, show func() error) error {
	for {
		err := show()
		if once {
			return err
		}
		switch {
		case errors.Is(err, errNotWell): // It has been shown.
		case err != nil && streamPasses(err) && ctx.Err() == nil:
			if _, err := fmt.Fprintf(std.err, "%v; looking again\n", err); err != nil {
				return err
			}
		case err != nil:
			return err
		}
		timer := time.NewTimer(max(interval, shortestInterval))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// print writes an answer in a form for programs, or by a function that writes tables.
func (f *operatorFlags) print(w io.Writer, answer proto.Message, table func(*tableWriter)) error {
	if f.Format != output.Text {
		return output.One(w, f.Format, answer)
	}
	t := &tableWriter{w: w}
	table(t)
	t.end()
	return t.err
}

// tableWriter writes a table, and lines before and after it. Its first error stays.
type tableWriter struct {
	w     io.Writer
	table *output.Table // nil: none has begun
	err   error
}

// row writes a row; the first one has the names of columns.
func (t *tableWriter) row(values ...any) {
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = fmt.Sprint(v)
	}
	if t.table == nil {
		t.table = output.NewTable(t.w, output.Width(t.w), cells...)
		return
	}
	t.keep(t.table.Row(cells...))
}

// line ends the table, and writes a line.
func (t *tableWriter) line(text string) {
	t.end()
	_, err := fmt.Fprintln(t.w, output.Printable(text))
	t.keep(err)
}

func (t *tableWriter) end() {
	if t.table != nil {
		t.keep(t.table.Close())
		t.table = nil
	}
}

func (t *tableWriter) keep(err error) {
	if t.err == nil {
		t.err = err
	}
}

// missing writes which replicas are not in an answer.
func (t *tableWriter) missing(replicas []*controlv1.MissingReplica, unknown bool) {
	for _, m := range replicas {
		t.line("! replica " + m.GetName() + " is not in this: it " + m.GetReason())
	}
	if unknown {
		t.line("! there may be other replicas: Redis does not answer")
	}
}
