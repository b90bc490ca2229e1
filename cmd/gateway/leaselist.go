package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
)

type leaseListCommand struct {
	unaryFlags
	Role   string   `help:"Leases of this role."`
	Caller string   `help:"Leases of this caller; without it, all that may be read."`
	Holder string   `help:"Leases for this holder."`
	State  []string `enum:"intent,issued,active,expired,revoking,revoked,doubtful,aborted,orphan" help:"Leases in this state; may be repeated."`
	Max    int      `default:"1000" help:"The most leases to list; 0 means all."`
}

// listPage is how many leases a page has.
const listPage = 500

// errMore makes the exit code 1 when the list was cut.
var errMore = errors.New("there are more leases: select some, or raise --max")

// Run lists leases, the oldest first, over as many pages as there are.
func (c *leaseListCommand) Run(ctx context.Context, std streams) error {
	client, end, err := c.client()
	if err != nil {
		return err
	}
	defer end()
	printer := newLeasePrinter(std.out, c.Format)
	table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	if !printer.asJSON {
		if _, err := fmt.Fprintln(table, leaseHeader); err != nil {
			return err
		}
	}
	request := &leasev1.ListLeasesRequest{Role: c.Role, Caller: c.Caller, Holder: c.Holder, PageSize: listPage}
	for _, name := range c.State {
		request.States = append(request.States, leasev1.LeaseState(leasev1.LeaseState_value["LEASE_STATE_"+strings.ToUpper(name)]))
	}
	for n := 0; ; {
		page, err := c.page(ctx, client, request)
		if err != nil {
			return errors.Join(table.Flush(), rpcError(ctx, err))
		}
		for _, lease := range page.GetLeases() {
			if n++; c.Max > 0 && n > c.Max {
				return errors.Join(table.Flush(), errMore)
			}
			if printer.asJSON {
				err = printer.json(lease)
			} else {
				_, err = fmt.Fprintln(table, leaseRow(nil, lease))
			}
			if err != nil {
				return err
			}
		}
		if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" {
			return table.Flush()
		}
	}
}

func (c *leaseListCommand) page(ctx context.Context, client leaseClient, request *leasev1.ListLeasesRequest) (*leasev1.ListLeasesResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	return client.ListLeases(ctx, request)
}

type leaseWatchCommand struct {
	leaseFlags
	Role   string `help:"Leases of this role."`
	After  int64  `placeholder:"SEQUENCE" help:"What happened after this sequence; without it, what happens from now on."`
	Format string `enum:"table,json" default:"table" help:"table or json."`
}

// watchPause is between two streams.
const watchPause = time.Second

// Run shows what becomes of leases until a signal. A stream that was cut off goes on
// after the last sequence that came.
func (c *leaseWatchCommand) Run(ctx context.Context, std streams) error {
	client, end, err := c.client()
	if err != nil {
		return err
	}
	defer end()
	printer := newLeasePrinter(std.out, c.Format)
	if !printer.asJSON {
		if _, err := fmt.Fprintln(std.out, "SEQUENCE\tHAPPENED\t"+leaseHeader); err != nil {
			return err
		}
	}
	for {
		err := c.stream(ctx, client, printer)
		if ctx.Err() != nil || !streamPasses(err) {
			return rpcError(ctx, err)
		}
		if _, writeErr := fmt.Fprintf(std.err, "%v; going on after %d\n", err, c.After); writeErr != nil {
			return writeErr
		}
		timer := time.NewTimer(watchPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

func (c *leaseWatchCommand) stream(ctx context.Context, client leaseClient, printer *leasePrinter) error {
	stream, err := client.WatchLeases(ctx, &leasev1.WatchLeasesRequest{After: c.After, Role: c.Role})
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }()
	for {
		event, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the stream ended: %w", err)
		}
		if err != nil {
			return err
		}
		c.After = max(c.After, event.GetSequence())
		switch {
		case printer.asJSON:
			err = printer.json(event)
		case event.GetKind() == leasev1.WatchLeasesResponse_KIND_ALIVE:
		default:
			kind := strings.ToLower(strings.TrimPrefix(event.GetKind().String(), "KIND_"))
			_, err = fmt.Fprintln(printer.w, leaseRow([]string{fmt.Sprint(event.GetSequence()), kind}, event.GetLease()))
		}
		if err != nil {
			return err
		}
	}
}
