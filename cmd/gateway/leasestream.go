package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
)

// leasePart is a message of a stream about leases: one of its members is there.
type leasePart struct {
	message  proto.Message
	orphan   *leasev1.OrphanKey
	missing  *leasev1.MissingKey
	progress *leasev1.LeaseProgress
	failure  *leasev1.LeaseFailure
	end      *leasev1.LeaseEnd
}

// errIncomplete makes the exit code 1 when something was not done.
var errIncomplete = errors.New("not all was done; the same command goes on, and does nothing twice")

// leaseStream shows the streams of many leases.
type leaseStream struct {
	std     streams
	printer *leasePrinter
	dryRun  bool
}

// show reads a stream to its end. What was found goes to the output, and what went on
// meanwhile to the terminal.
func (s *leaseStream) show(ctx context.Context, receive func() (leasePart, error)) error {
	for {
		part, err := receive()
		switch {
		case errors.Is(err, io.EOF):
			return fmt.Errorf("the stream was cut off: %w", errIncomplete)
		case err != nil:
			return rpcError(ctx, err)
		}
		if s.printer.asJSON {
			err = s.printer.json(part.message)
		} else {
			err = s.part(part)
		}
		if err != nil {
			return err
		}
		if end := part.end; end != nil {
			if end.GetComplete() == nil {
				return errIncomplete
			}
			return nil
		}
	}
}

func (s *leaseStream) part(part leasePart) error {
	var err error
	switch {
	case part.orphan != nil:
		o := part.orphan
		_, err = fmt.Fprintf(s.printer.w, "orphan\t%s\t%s\t%s\texpires %s\n", o.GetProjectId(), o.GetApiKeyId(), o.GetName(), orDash(instant(o.GetExpiresAt())))
	case part.missing != nil:
		l := part.missing.GetLease()
		_, err = fmt.Fprintf(s.printer.w, "missing\t%s\t%s\tlease %s\t%s\n", l.GetProjectId(), l.GetApiKeyId(), l.GetId(), stateName(l.GetState()))
	case part.failure != nil:
		f := part.failure
		_, err = fmt.Fprintf(s.std.err, "failed: %s%s: %s %s: %s\n", f.GetLeaseId(), f.GetProjectId(), connect.Code(f.GetCode()), f.GetReason(), f.GetMessage())
	case part.progress != nil:
		p := part.progress
		_, err = fmt.Fprintf(s.std.err, "%d leases looked at, %d of %d projects, %d to revoke, %d failures\n", p.GetLeases(), p.GetProjectsDone(), p.GetProjectsKnown(), p.GetToRevoke(), p.GetFailures())
	case part.end != nil:
		err = s.ended(part.end)
	}
	return err
}

func (s *leaseStream) ended(end *leasev1.LeaseEnd) error {
	what := "are going to be deleted"
	if s.dryRun {
		what = "would be deleted"
	}
	var why []string
	for _, reason := range end.GetIncomplete().GetReasons() {
		why = append(why, strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(reason.String(), "REASON_"), "_", " ")))
	}
	outcome := "complete"
	if end.GetComplete() == nil {
		outcome = "incomplete: " + strings.Join(why, ", ")
	}
	_, err := fmt.Fprintf(s.printer.w, "%d leases looked at, the keys of %d %s, %d failures; %s\n", end.GetLeases(), end.GetToRevoke(), what, end.GetFailures(), outcome)
	return err
}

type leaseReconcileCommand struct {
	leaseFlags
	Project []string `placeholder:"ID" help:"Look into this project; may be repeated. Without it, into those of all roles and leases."`
	DryRun  bool     `help:"Only report, and delete nothing."`
	Format  string   `enum:"table,json" default:"table" help:"table or json."`
}

// Run reconciles.
func (c *leaseReconcileCommand) Run(ctx context.Context, std streams) error {
	client, end, err := c.client()
	if err != nil {
		return err
	}
	defer end()
	stream, err := client.Reconcile(ctx, &leasev1.ReconcileRequest{ProjectIds: c.Project, DryRun: c.DryRun})
	if err != nil {
		return rpcError(ctx, err)
	}
	defer func() { _ = stream.Close() }()
	return (&leaseStream{std: std, printer: newLeasePrinter(std.out, c.Format), dryRun: c.DryRun}).show(ctx, func() (leasePart, error) {
		message, err := stream.Receive()
		return leasePart{message: message, orphan: message.GetOrphan(), missing: message.GetMissing(), progress: message.GetProgress(), failure: message.GetFailure(), end: message.GetEnd()}, err
	})
}
