package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/dial"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
)

// operatorFlags are the flags of commands that ask a gateway about itself.
type operatorFlags struct {
	dial.Flags
	Timeout time.Duration `default:"10s" help:"How long a call may take."`
	Output  string        `short:"o" enum:"table,json" default:"table" help:"table or json."`
}

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

// print writes an answer as JSON, or by a function that writes tables.
func (f operatorFlags) print(w io.Writer, answer proto.Message, table func(*tableWriter)) error {
	if f.Output == "json" {
		return newLeasePrinter(w, f.Output).json(answer)
	}
	t := &tableWriter{tabs: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	table(t)
	return t.flush()
}

// tableWriter writes aligned columns. Its first error is that of flush.
type tableWriter struct {
	tabs *tabwriter.Writer
	err  error
}

// row writes a row of values. What a terminal would not show as a letter is replaced.
func (t *tableWriter) row(values ...any) {
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = printable(fmt.Sprint(v))
	}
	t.line(strings.Join(cells, "\t"))
}

// line writes a line as it is.
func (t *tableWriter) line(text string) {
	if t.err == nil {
		_, t.err = fmt.Fprintln(t.tabs, text)
	}
}

func (t *tableWriter) flush() error {
	if t.err != nil {
		return t.err
	}
	return t.tabs.Flush()
}

// printable is a text whose letters a terminal shows, and takes for nothing else.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// missing writes which replicas are not in an answer.
func (t *tableWriter) missing(replicas []*controlv1.MissingReplica, unknown bool) {
	for _, m := range replicas {
		t.line("! replica " + printable(m.GetName()) + " is not in this: it " + printable(m.GetReason()))
	}
	if unknown {
		t.line("! there may be other replicas: Redis does not answer")
	}
}
