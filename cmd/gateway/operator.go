package main

import (
	"context"
	"fmt"
	"io"

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
